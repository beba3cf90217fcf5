//! One append: its options, then its events, each a message; recorded when the client has said all.

use gesta_store::{Append, AppendError, Appended, Position};
use tonic::{Status, Streaming};

use crate::{
    admission::Admission,
    convert::{
        expected,
        proposed::{self, ProposedEvents},
        stream,
    },
    fault::{Fault, Operation},
    proto::event_store::client::{
        Empty,
        streams::{
            AppendReq, AppendResp,
            append_req::Content,
            append_resp::{
                self, Success,
                success::{CurrentRevisionOption, PositionOption},
            },
        },
    },
    security::{Action, Rights},
};

/// Records an append. That a stream is not as expected is an answer, not a failure.
///
/// # Errors
/// The status of every other failure.
pub(super) async fn append(
    admission: &Admission,
    rights: &Rights,
    mut messages: Streaming<AppendReq>,
) -> Result<AppendResp, Status> {
    let options = match messages.message().await?.and_then(|message| message.content) {
        Some(Content::Options(options)) => options,
        Some(Content::ProposedMessage(_)) | None => {
            return Err(Fault::Invalid("an append begins with its options".to_owned()).into());
        }
    };
    let name = stream::from_wire(options.stream_identifier.as_ref())?;
    let expected = expected::from_wire(options.expected_stream_revision.as_ref())?;
    rights.check(Action::write(&name)).await?;
    let mut proposed = ProposedEvents::default();
    while let Some(message) = messages.message().await? {
        match message.content {
            Some(Content::ProposedMessage(message)) => proposed.push(proposed::from_append(message)?)?,
            Some(Content::Options(_)) => return Err(Fault::Invalid("an append has options once".to_owned()).into()),
            None => return Err(Fault::Invalid("message is empty".to_owned()).into()),
        }
    }
    let outcome = admission.commit(Append::to(name, expected, proposed.events)).await;
    let result = match outcome {
        Ok(appended) => append_resp::Result::Success(success(&appended)),
        Err(AppendError::Failed(error)) => return Err(Fault::Store(error).into()),
        Err(AppendError::Rejected(rejection)) => {
            let fault = Fault::refused(Operation::Append, expected, rejection);
            let Fault::WrongExpectedVersion { expected, actual, .. } = fault else { return Err(fault.into()) };
            append_resp::Result::WrongExpectedVersion(expected::wrong(expected, actual))
        }
    };
    Ok(AppendResp { result: Some(result) })
}

fn success(appended: &Appended) -> Success {
    let revision = appended.next_revisions.first().and_then(gesta_store::NextRevision::current);
    let current = match revision {
        Some(revision) => CurrentRevisionOption::CurrentRevision(revision.0),
        None => CurrentRevisionOption::NoStream(Empty {}),
    };
    let position = match appended.last_position {
        Some(Position(position)) => {
            PositionOption::Position(append_resp::Position { commit_position: position, prepare_position: position })
        }
        None => PositionOption::NoPosition(Empty {}),
    };
    Success { current_revision_option: Some(current), position_option: Some(position) }
}
