//! The call of a consumer: one answer to each request, in their order, as if the client had the consumer itself.
//!
//! A client gets no more messages than it asks for, so what it takes and does not answer is bounded by its slots, and what is made into messages of the
//! wire by one answer. What it has goes back when the call ends, however it ends.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use gesta_store::{
    ConsumerOptions, EventStore, GroupError, GroupName, MessageId, Position, WakeUp, limits::GROUP_SLOTS_MAX,
};
use prost::Message as _;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use super::{
    events::recorded_to_wire,
    failure,
    messages::{
        ConsumeReq, ConsumeResp, Nothing,
        consume_req::{Ack, Content, Join, Next},
        consume_resp::{self, Acked, Message, Messages},
    },
};
use crate::{
    consumers::{Bell, Farewell, Leave, Received, Reception, Seat, Seen, Unseated},
    convert::recorded,
    fault::Fault,
    limits::{GROUP_BATCH_MESSAGES, NEXT_PATIENCE_MAX, READ_BATCH_BYTES},
    security::{Rights, Sight},
    waiting::waiting,
};

/// A consumer that is served.
#[derive(Debug)]
struct Serving {
    store: EventStore,
    group: GroupName,
    seat: Arc<Seat>,
    rights: Rights,
    bell: Arc<Bell>,
    wake_up: WakeUp,
    /// Taken, and too large together for one answer.
    ahead: VecDeque<Message>,
    requests: Streaming<ConsumeReq>,
}

/// What a call answers with.
pub(super) type Answers = ReceiverStream<Result<ConsumeResp, Status>>;

/// Makes the consumer the first request asks for, and serves it until either side has enough.
///
/// # Errors
/// Why it cannot be one.
pub(super) async fn consume(reception: &Reception, request: Request<Streaming<ConsumeReq>>) -> Result<Answers, Status> {
    let (metadata, extensions, mut requests) = request.into_parts();
    let Some(Content::Join(join)) = requests.message().await?.and_then(|first| first.content) else {
        return Err(Fault::Invalid("a consumer begins by joining its group".to_owned()).into());
    };
    let Join { group, name, slots } = join;
    let group: GroupName = group.parse().map_err(|error| failure::status(&error))?;
    let call = Request::from_parts(metadata, extensions, ());
    let options = ConsumerOptions { name, slots: usize::try_from(slots).unwrap_or(usize::MAX) };
    let refused = |_: &GroupName, error| failure::group_status(error);
    let Received { seat, rights, farewell } = reception.receive(call, group.clone(), options, refused).await?;
    let (store, bell, ahead) = (reception.store.clone(), Arc::new(Bell::default()), VecDeque::new());
    let wake_up = seat.wake_up(&bell);
    let serving = Serving { store, group, seat, rights, bell, wake_up, ahead, requests };
    let (answers, receiver) = mpsc::channel(1);
    tokio::spawn(serve(serving, answers, farewell));
    Ok(ReceiverStream::new(receiver))
}

async fn serve(mut serving: Serving, answers: mpsc::Sender<Result<ConsumeResp, Status>>, mut farewell: Farewell) {
    let ended = tokio::select! {
        ended = serving.answer_all(&answers) => ended,
        () = answers.closed() => Ok(()),
        leave = farewell.told() => Err(match leave {
            Leave::Stopping => Fault::Stopping.into(),
            Leave::Restart => failure::group_status(GroupError::Dropped {
                reason: "consumers are asked to connect again".to_owned(),
            }),
        }),
    };
    // What the client has goes back before it is told, however long it takes to listen.
    let ended = match ended {
        Ok(()) => serving.leave().await,
        Err(status) => serving.give_up().await.and(Err(status)),
    };
    if let Err(status) = ended {
        // Who does not listen is cut off with his connection.
        let _ = answers.send(Err(status)).await;
    }
}

impl Serving {
    /// Answers until the client has no more to say.
    async fn answer_all(&mut self, answers: &mpsc::Sender<Result<ConsumeResp, Status>>) -> Result<(), Status> {
        let mut content = consume_resp::Content::Joined(Nothing {});
        loop {
            if answers.send(Ok(ConsumeResp { content: Some(content) })).await.is_err() {
                return Ok(());
            }
            let Some(request) = self.requests.message().await? else { return Ok(()) };
            content = match request.content {
                Some(Content::Next(next)) => match self.next(next).await? {
                    Some(messages) => consume_resp::Content::Messages(messages),
                    None => return Ok(()),
                },
                Some(Content::Ack(ack)) => consume_resp::Content::Acked(self.ack(ack).await?),
                Some(Content::Join(_)) => return Err(Fault::Invalid("a consumer joins once".to_owned()).into()),
                None => return Err(Fault::Invalid("message is empty".to_owned()).into()),
            };
        }
    }

    /// The next messages. `None`: the client had no more to say while it waited.
    async fn next(&mut self, Next { max, patience_ns }: Next) -> Result<Option<Messages>, Status> {
        let max = usize::try_from(max).unwrap_or(usize::MAX).clamp(1, GROUP_BATCH_MESSAGES);
        let until = Instant::now() + Duration::from_nanos(patience_ns).min(NEXT_PATIENCE_MAX);
        loop {
            // In before it looks: what happens after that rings.
            self.wake_up.renew(self.bell.waker());
            // What is not for its eyes is no reason to have it wait for longer than it wants.
            while self.ahead.is_empty() && self.take(max).await? && Instant::now() < until {}
            if !self.ahead.is_empty() || Instant::now() >= until {
                return Ok(Some(self.as_many_as_fit(max)));
            }
            tokio::select! {
                () = self.bell.rung() => {}
                () = self.seat.due() => {}
                () = tokio::time::sleep_until(until) => {}
                said = self.requests.message() => return match said? {
                    None => Ok(None),
                    Some(_) => Err(Fault::Invalid("a consumer waits for the answer to its request".to_owned()).into()),
                },
            }
        }
    }

    /// Takes what is ready, as far as the client may see it; whether anything was.
    async fn take(&mut self, max: usize) -> Result<bool, Status> {
        let (seat, rights) = (Arc::clone(&self.seat), self.rights.clone());
        let taken = waiting(move || {
            let seen = seat.next(max, &rights).map_err(|why| match why {
                Unseated::Group(error) => failure::group_status(error),
                Unseated::Server(fault) => failure::fault_status(fault),
            })?;
            Ok::<_, Status>(seen.map(seen_to_wire))
        });
        let taken = taken.await?;
        let found = taken.is_some();
        self.ahead.extend(taken.into_iter().flatten());
        Ok(found)
    }

    /// Of what was taken, what one answer holds; any one message does.
    fn as_many_as_fit(&mut self, max: usize) -> Messages {
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while messages.len() < max
            && let Some(message) = self.ahead.pop_front()
        {
            bytes += message.encoded_len();
            if bytes > READ_BATCH_BYTES && !messages.is_empty() {
                self.ahead.push_front(message);
                break;
            }
            messages.push(message);
        }
        Messages { messages }
    }

    async fn ack(&self, Ack { positions }: Ack) -> Result<Acked, Status> {
        if positions.len() > GROUP_SLOTS_MAX {
            let (answered, max) = (positions.len(), GROUP_SLOTS_MAX);
            return Err(
                Fault::Invalid(format!("no consumer has so many messages, answered={answered} max={max}")).into()
            );
        }
        let seat = Arc::clone(&self.seat);
        waiting(move || {
            let ids: Vec<_> = positions.into_iter().map(|position| MessageId(Position(position))).collect();
            match seat.ack(&ids) {
                Ok(()) => Ok(Acked { not_in_flight: None }),
                Err(late @ GroupError::NotInFlight { .. }) => Ok(Acked { not_in_flight: Some(late.to_string()) }),
                Err(error) => Err(failure::group_status(error)),
            }
        })
        .await
    }

    /// Gives the consumer up; what it has acked is durable then.
    async fn leave(self) -> Result<(), Status> {
        let (store, group) = (self.store.clone(), self.group.clone());
        self.give_up().await?;
        waiting(move || match store.groups().flush(&group) {
            // It was deleted meanwhile, and with it what was acked.
            Ok(()) | Err(GroupError::NoSuchGroup { .. }) => Ok(()),
            Err(error) => Err(failure::group_status(error)),
        })
        .await
    }

    /// Gives the consumer up. If something is still being taken for it, that goes back when it has been.
    async fn give_up(self) -> Result<(), Status> {
        let seat = self.seat;
        waiting(move || {
            if let Some(seat) = Arc::into_inner(seat) {
                seat.leave();
            }
            Ok::<_, Status>(())
        })
        .await
    }
}

fn seen_to_wire(seen: Seen) -> Vec<Message> {
    let to_wire = |(message, sight): (gesta_store::Message, Sight)| {
        let event = match (&message.event.link, sight) {
            (Some(link), Sight::LinkAlone) => recorded::as_it_is(&message.event, link),
            (None, _) | (Some(_), Sight::Whole | Sight::Nothing) => (*message.event).clone(),
        };
        Message { position: message.id.0.0, event: Some(recorded_to_wire(event)), retries: message.retries }
    };
    seen.into_iter().map(to_wire).collect()
}
