//! Deleting a stream, until somebody appends again or for ever.

use gesta_store::{Append, AppendError, ExpectedRevision, Position};

use crate::{
    admission::Admission,
    convert::{expected, stream},
    fault::{Fault, Operation},
    proto::event_store::client::{
        Empty,
        streams::{
            DeleteReq, DeleteResp, TombstoneReq, TombstoneResp,
            delete_resp::{self, PositionOption},
            tombstone_resp,
        },
    },
    security::{Action, Rights},
};

/// Soft-deletes a stream.
///
/// # Errors
/// `WrongExpectedVersion`, `StreamDeleted` and what else appends fail with.
pub(super) async fn delete(admission: &Admission, rights: &Rights, request: DeleteReq) -> Result<DeleteResp, Fault> {
    let options = request.options.ok_or_else(|| Fault::Invalid("options are missing".to_owned()))?;
    let name = stream::from_wire(options.stream_identifier.as_ref())?;
    let expected = expected::from_wire(options.expected_stream_revision.as_ref())?;
    rights.check(Action::delete(&name)).await?;
    let position = end(admission, Append::new().delete(name, expected), expected).await?;
    let position = match position {
        Some(Position(position)) => {
            PositionOption::Position(delete_resp::Position { commit_position: position, prepare_position: position })
        }
        None => PositionOption::NoPosition(Empty {}),
    };
    Ok(DeleteResp { position_option: Some(position) })
}

/// Ends a stream for ever.
///
/// # Errors
/// As `delete`.
pub(super) async fn tombstone(
    admission: &Admission,
    rights: &Rights,
    request: TombstoneReq,
) -> Result<TombstoneResp, Fault> {
    let options = request.options.ok_or_else(|| Fault::Invalid("options are missing".to_owned()))?;
    let name = stream::from_wire(options.stream_identifier.as_ref())?;
    let expected = expected::from_wire(options.expected_stream_revision.as_ref())?;
    rights.check(Action::delete(&name)).await?;
    let position = end(admission, Append::new().tombstone(name, expected), expected).await?;
    let position = match position {
        Some(Position(position)) => tombstone_resp::PositionOption::Position(tombstone_resp::Position {
            commit_position: position,
            prepare_position: position,
        }),
        None => tombstone_resp::PositionOption::NoPosition(Empty {}),
    };
    Ok(TombstoneResp { position_option: Some(position) })
}

async fn end(admission: &Admission, append: Append, expected: ExpectedRevision) -> Result<Option<Position>, Fault> {
    match admission.commit(append).await {
        Ok(appended) => Ok(appended.last_position),
        Err(AppendError::Rejected(rejection)) => Err(Fault::refused(Operation::Delete, expected, rejection)),
        Err(AppendError::Failed(error)) => Err(Fault::Store(error)),
    }
}
