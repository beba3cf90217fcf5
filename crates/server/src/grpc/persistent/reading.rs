//! The call of a consumer: messages one way, answers the other.
//!
//! Whoever cannot answer is no consumer: the call ends when either way does, and what the client has goes back at once; but what it has answered by
//! then counts, however the call ends. A client that does not read gets no more than its slots, of which no more than two batches have been made into
//! messages of the wire.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use gesta_store::{
    ConsumerOptions, GroupName, MessageId, Nack,
    limits::{GROUP_NAME_BYTES_MAX, GROUP_REASON_BYTES_MAX, GROUP_SLOTS_MAX},
};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::{Request, Status, Streaming};

use super::in_hand::InHand;
use crate::{
    consumers::{Bell, Farewell, Leave, Received, Reception, Seat, Unseated, unless_late},
    convert::{
        delivered, group,
        id::{self, IdForm},
        request::Links,
    },
    fault::Fault,
    group_fault::GroupFault,
    limits::{ANSWERS_PER_JOB_MAX, GROUP_BATCH_MESSAGES, READ_BATCHES_AHEAD},
    proto::event_store::client::persistent_subscriptions::{
        ReadReq, ReadResp,
        read_req::{self, Content, nack, options::uuid_option},
        read_resp::{self, SubscriptionConfirmation},
    },
    pump::Pumped,
    security::{Rights, Sight},
    waiting::waiting,
};

/// The header by which clients say what they call themselves.
const CONNECTION_NAME: &str = "connection-name";

/// What a client asks for.
#[derive(Debug)]
struct Wanted {
    group: GroupName,
    slots: usize,
    id_form: IdForm,
}

type Batch = Result<Vec<ReadResp>, Status>;

/// Connects a consumer, and serves it until either side has enough.
///
/// # Errors
/// Why it cannot be connected.
pub(super) async fn read(
    reception: &Reception,
    request: Request<Streaming<ReadReq>>,
) -> Result<Pumped<ReadResp>, Status> {
    let (metadata, extensions, mut answers) = request.into_parts();
    let name = metadata.get(CONNECTION_NAME).and_then(|name| name.to_str().ok());
    let name = cut(name.unwrap_or_default(), GROUP_NAME_BYTES_MAX);
    let wanted = match answers.message().await?.and_then(|message| message.content) {
        Some(Content::Options(options)) => wanted(&options)?,
        Some(Content::Ack(_) | Content::Nack(_)) | None => {
            return Err(Fault::Invalid("a consumer begins with its options".to_owned()).into());
        }
    };
    let call = Request::from_parts(metadata, extensions, ());
    let options = ConsumerOptions { name, slots: wanted.slots };
    let received = reception.receive(call, wanted.group.clone(), options, GroupFault::refused).await?;
    let Received { seat, rights, farewell } = received;
    let (batches, receiver) = mpsc::channel(READ_BATCHES_AHEAD);
    let serving = Serving {
        links: if seat.resolves_links() { Links::Resolved } else { Links::AsTheyAre },
        seat,
        in_hand: Arc::new(Mutex::new(InHand::with_slots(wanted.slots))),
        wanted,
        rights,
    };
    tokio::spawn(serve(serving, answers, batches, farewell));
    Ok(Pumped::over(receiver))
}

/// A text cut to what the store takes, so that no more of it is kept.
fn cut(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

fn wanted(options: &read_req::Options) -> Result<Wanted, Fault> {
    let group = group::named(options.stream_option.as_ref(), &options.group_name)?;
    let slots = match usize::try_from(options.buffer_size) {
        Ok(slots @ 1..) => slots.min(GROUP_SLOTS_MAX),
        Ok(0) | Err(_) => {
            let size = options.buffer_size;
            return Err(GroupFault::failed(&group, format!("buffer size must be positive, buffer_size={size}")));
        }
    };
    let id_form = match options.uuid_option.as_ref().and_then(|option| option.content.as_ref()) {
        Some(uuid_option::Content::Structured(_)) => IdForm::Structured,
        Some(uuid_option::Content::String(_)) => IdForm::Text,
        None => return Err(Fault::Invalid("UUID option is missing".to_owned())),
    };
    Ok(Wanted { group, slots, id_form })
}

/// A consumer that is served.
#[derive(Debug)]
struct Serving {
    seat: Arc<Seat>,
    in_hand: Arc<Mutex<InHand>>,
    links: Links,
    wanted: Wanted,
    rights: Rights,
}

async fn serve(
    serving: Serving,
    mut answers: Streaming<ReadReq>,
    batches: mpsc::Sender<Batch>,
    mut farewell: Farewell,
) {
    let ended = tokio::select! {
        ended = deliver(&serving, &batches) => ended,
        ended = take_answers(&serving, &mut answers) => ended,
        leave = farewell.told() => Err(match leave {
            Leave::Stopping => Fault::Stopping.into(),
            Leave::Restart => GroupFault::dropped(&serving.wanted.group).into(),
        }),
    };
    // Which of its ways a client closed is seen before what it said last, if it does both at once.
    let said = take_last_answers(&serving, &mut answers).await;
    let ended = ended.and(said);
    // What the client has goes back before it is told, however long it takes to listen.
    drop(serving);
    if let Err(status) = ended {
        // Behind what waits for the client, and as long as the connection is there: a call that only ends looks to its client like a group that has nothing
        // more. Who does not listen is cut off with his connection, at the latest when the server has waited long enough for calls to end.
        let _ = batches.send(Err(status)).await;
    }
}

/// Brings messages until the client or the group has enough.
async fn deliver(serving: &Serving, batches: &mpsc::Sender<Batch>) -> Result<(), Status> {
    let confirmation = SubscriptionConfirmation { subscription_id: serving.wanted.group.to_string() };
    let confirmation = read_resp::Content::SubscriptionConfirmation(confirmation);
    let sent = batches.send(Ok(vec![ReadResp { content: Some(confirmation) }])).await;
    if sent.is_err() {
        return Ok(());
    }
    let bell = Arc::new(Bell::default());
    let wake_up = serving.seat.wake_up(&bell);
    loop {
        let Ok(room) = batches.reserve().await else { return Ok(()) };
        // In before it looks: what happens after that rings.
        wake_up.renew(bell.waker());
        if let Some(messages) = serving.next().await? {
            if !messages.is_empty() {
                room.send(Ok(messages));
            }
            continue;
        }
        drop(room);
        tokio::select! {
            () = bell.rung() => {}
            () = serving.seat.due() => {}
            () = batches.closed() => return Ok(()),
        }
    }
}

impl Serving {
    /// The messages that are ready, for the wire, as far as the client may see them; `None`: there are none.
    async fn next(&self) -> Result<Option<Vec<ReadResp>>, Status> {
        let (seat, in_hand) = (Arc::clone(&self.seat), Arc::clone(&self.in_hand));
        let (form, links, rights) = (self.wanted.id_form, self.links, self.rights.clone());
        waiting(move || {
            let messages = seat.next(GROUP_BATCH_MESSAGES, &rights).map_err(|why| match why {
                Unseated::Group(error) => GroupFault::refused(seat.group(), error),
                Unseated::Server(fault) => fault,
            })?;
            let Some(messages) = messages else { return Ok(None) };
            let sent = messages.iter().map(|(message, sight)| {
                let links = if *sight == Sight::Whole { links } else { Links::AsTheyAre };
                let mut in_hand = in_hand.lock().unwrap_or_else(PoisonError::into_inner);
                in_hand.deliver(delivered::answered_by(message), message.id);
                ReadResp { content: Some(delivered::to_wire(message, form, links)) }
            });
            Ok::<_, Fault>(Some(sent.collect()))
        })
        .await
    }
}

/// What a client says about messages it has.
#[derive(Debug)]
enum Answer {
    Ack(Vec<MessageId>),
    Nack(Vec<MessageId>, Nack, String),
}

/// Takes answers until the client has no more to say. As many as have come are taken together, and settled whatever comes behind them.
async fn take_answers(serving: &Serving, messages: &mut Streaming<ReadReq>) -> Result<(), Status> {
    while let Some(first) = messages.message().await? {
        let mut answers = vec![serving.answer(first)?];
        let ended = serving.add_what_has_come(messages, &mut answers).await;
        serving.settle(answers).await?;
        if let Some(ended) = ended {
            return ended;
        }
    }
    Ok(())
}

/// Takes the answers that have come, of a client that is not waited for: as many as it may have messages, for while they are read more may come.
async fn take_last_answers(serving: &Serving, messages: &mut Streaming<ReadReq>) -> Result<(), Status> {
    for _ in 0..GROUP_SLOTS_MAX.div_ceil(ANSWERS_PER_JOB_MAX) {
        let mut answers = Vec::new();
        let ended = serving.add_what_has_come(messages, &mut answers).await;
        let all = answers.len() < ANSWERS_PER_JOB_MAX;
        serving.settle(answers).await?;
        if let Some(ended) = ended {
            return ended;
        }
        if all {
            break;
        }
    }
    Ok(())
}

fn settle(seat: &Seat, answer: Answer) -> Result<(), Fault> {
    let answered = match answer {
        Answer::Ack(ids) => seat.ack(&ids),
        Answer::Nack(ids, nack, reason) => seat.nack(&ids, nack, &reason),
    };
    unless_late(answered).map_err(|error| GroupFault::refused(seat.group(), error))
}

impl Serving {
    /// Adds the answers that are there, without waiting. `Some`: none will follow, and why.
    async fn add_what_has_come(
        &self,
        messages: &mut Streaming<ReadReq>,
        answers: &mut Vec<Answer>,
    ) -> Option<Result<(), Status>> {
        while answers.len() < ANSWERS_PER_JOB_MAX {
            // Ready in any case: nobody can give this up between an answer and its settling.
            let next = poll_fn(|context| Poll::Ready(Pin::new(&mut *messages).poll_next(context))).await;
            match next {
                Poll::Ready(Some(Ok(message))) => match self.answer(message) {
                    Ok(answer) => answers.push(answer),
                    Err(fault) => return Some(Err(fault.into())),
                },
                Poll::Ready(Some(Err(status))) => return Some(Err(status)),
                Poll::Ready(None) => return Some(Ok(())),
                Poll::Pending => return None,
            }
        }
        None
    }

    async fn settle(&self, answers: Vec<Answer>) -> Result<(), Status> {
        let seat = Arc::clone(&self.seat);
        waiting(move || answers.into_iter().try_for_each(|answer| settle(&seat, answer))).await
    }

    fn answer(&self, message: ReadReq) -> Result<Answer, Fault> {
        match message.content {
            Some(Content::Ack(ack)) => Ok(Answer::Ack(self.in_hand(&ack.ids)?)),
            Some(Content::Nack(nack)) => {
                let action = nack::Action::try_from(nack.action)
                    .map_err(|_| Fault::Invalid(format!("no such action, found={}", nack.action)))?;
                let what = match action {
                    nack::Action::Unknown | nack::Action::Retry => Nack::Retry { after: Duration::ZERO },
                    nack::Action::Park => Nack::Park,
                    nack::Action::Skip => Nack::Skip,
                    nack::Action::Stop => Nack::Stop,
                };
                Ok(Answer::Nack(self.in_hand(&nack.ids)?, what, cut(&nack.reason, GROUP_REASON_BYTES_MAX)))
            }
            Some(Content::Options(_)) => Err(Fault::Invalid("a consumer has options once".to_owned())),
            None => Err(Fault::Invalid("message is empty".to_owned())),
        }
    }

    fn in_hand(&self, ids: &[crate::proto::event_store::client::Uuid]) -> Result<Vec<MessageId>, Fault> {
        let ids = ids.iter().map(|id| id::from_wire(Some(id), "event id")).collect::<Result<Vec<_>, _>>()?;
        let mut in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(ids.into_iter().filter_map(|id| in_hand.answer(id)).collect())
    }
}
