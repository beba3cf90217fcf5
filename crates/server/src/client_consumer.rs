//! A consumer of a group on a server, for programs that have no runtime of their own: as a [`Consumer`](gesta_store::Consumer) of a store in this process.

use std::{sync::Arc, time::Duration};

use gesta_store::{ConsumerOptions, GroupName, MessageId, Position, RecordedEvent};
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::{
    client::Client,
    native::{
        self, ClientError, GroupRefusal,
        messages::{
            ConsumeReq, ConsumeResp,
            consume_req::{Ack, Content, Join, Next},
            consume_resp::{self, Message},
        },
    },
};

/// How long the server may take to take back what a consumer has that leaves.
const LEAVE_TIME: Duration = Duration::from_secs(10);

/// A consumer. Dropping it gives what it has not acked back to the group, and so does an end of the connection.
#[derive(Debug)]
pub struct RemoteConsumer {
    runtime: Arc<Runtime>,
    requests: mpsc::Sender<ConsumeReq>,
    answers: Streaming<ConsumeResp>,
    /// Whether messages were asked for that have not come.
    asked: bool,
}

impl Client {
    /// Connects a consumer to a group.
    ///
    /// # Errors
    /// As `info`; `Group`.
    pub fn consume(&self, group: &GroupName, options: &ConsumerOptions) -> Result<RemoteConsumer, ClientError> {
        let (requests, said) = mpsc::channel(1);
        let slots = u32::try_from(options.slots).unwrap_or(u32::MAX);
        let join = Join { group: group.to_string(), name: options.name.clone(), slots };
        let mut store = self.store.clone();
        let answers = self.runtime.block_on(async {
            say(&requests, Content::Join(join)).await;
            Ok::<_, ClientError>(store.consume(self.request(ReceiverStream::new(said))).await?.into_inner())
        })?;
        let mut consumer = RemoteConsumer { runtime: Arc::clone(&self.runtime), requests, answers, asked: false };
        match consumer.answer()? {
            consume_resp::Content::Joined(_) => Ok(consumer),
            other @ (consume_resp::Content::Messages(_) | consume_resp::Content::Acked(_)) => Err(unasked(&other)),
        }
    }
}

impl RemoteConsumer {
    /// The next messages, at most `max`, each with what it is acked by; the first is waited for at most `patience`, and then there are none. `None`: the
    /// server has not answered within `turn`, and is to be asked again with the same words.
    ///
    /// # Errors
    /// What the store says (`Dropped`: connect again), or that the server went away.
    pub fn next(
        &mut self,
        max: usize,
        patience: Duration,
        turn: Duration,
    ) -> Result<Option<Vec<(MessageId, RecordedEvent)>>, ClientError> {
        if !self.asked {
            let patience_ns = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
            let next = Next { max: u32::try_from(max).unwrap_or(u32::MAX), patience_ns };
            self.runtime.block_on(say(&self.requests, Content::Next(next)));
            self.asked = true;
        }
        let answers = &mut self.answers;
        // Giving up loses nothing: what has come in part stays with the call.
        let came = self.runtime.block_on(async { tokio::time::timeout(turn, answers.message()).await });
        let Ok(came) = came else { return Ok(None) };
        self.asked = false;
        match content(came?)? {
            consume_resp::Content::Messages(messages) => {
                messages.messages.into_iter().map(message).collect::<Result<_, _>>().map(Some)
            }
            other @ (consume_resp::Content::Joined(_) | consume_resp::Content::Acked(_)) => Err(unasked(&other)),
        }
    }

    /// These messages have been worked off. It must not be asked for messages meanwhile.
    ///
    /// # Errors
    /// As `next`; `NotInFlight` with those the consumer does not have any more, the others are settled.
    pub fn ack(&mut self, ids: &[MessageId]) -> Result<(), ClientError> {
        let positions = ids.iter().map(|MessageId(Position(position))| *position).collect();
        self.runtime.block_on(say(&self.requests, Content::Ack(Ack { positions })));
        match self.answer()? {
            consume_resp::Content::Acked(acked) => match acked.not_in_flight {
                Some(what) => Err(ClientError::Group(GroupRefusal::NotInFlight, what)),
                None => Ok(()),
            },
            other @ (consume_resp::Content::Joined(_) | consume_resp::Content::Messages(_)) => Err(unasked(&other)),
        }
    }

    /// Gives what it has not acked back; what it has acked is durable then.
    ///
    /// # Errors
    /// What the store says, or that the server went away.
    pub fn leave(self) -> Result<(), ClientError> {
        let Self { runtime, requests, mut answers, .. } = self;
        drop(requests);
        // Messages that come now are among those that go back.
        let ended = async {
            while answers.message().await?.is_some() {}
            Ok::<_, ClientError>(())
        };
        let ended = runtime.block_on(async { tokio::time::timeout(LEAVE_TIME, ended).await });
        ended.unwrap_or_else(|_| Err(ClientError::Unreachable("the server does not answer".to_owned())))
    }

    fn answer(&mut self) -> Result<consume_resp::Content, ClientError> {
        content(self.runtime.block_on(self.answers.message())?)
    }
}

/// Says something to the server. If nobody takes it the call has ended, and its last answer says why.
async fn say(requests: &mpsc::Sender<ConsumeReq>, what: Content) {
    let _ = requests.send(ConsumeReq { content: Some(what) }).await;
}

fn content(answer: Option<ConsumeResp>) -> Result<consume_resp::Content, ClientError> {
    let answer = answer.ok_or_else(|| ClientError::Unreachable("the server ended the call".to_owned()))?;
    answer.content.ok_or_else(|| ClientError::Other("the server answered without a word".to_owned()))
}

fn unasked(answer: &consume_resp::Content) -> ClientError {
    let what = match answer {
        consume_resp::Content::Joined(_) => "joined",
        consume_resp::Content::Messages(_) => "messages",
        consume_resp::Content::Acked(_) => "acked",
    };
    ClientError::Other(format!("the server answered what it was not asked, answer={what}"))
}

fn message(message: Message) -> Result<(MessageId, RecordedEvent), ClientError> {
    let event =
        message.event.ok_or_else(|| ClientError::Other("the server sent a message without its event".to_owned()))?;
    let event = native::recorded_from_wire(event).map_err(ClientError::Store)?;
    Ok((MessageId(Position(message.position)), event))
}
