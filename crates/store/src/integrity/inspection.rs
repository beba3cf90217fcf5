//! A report on a store that cannot be opened: what is wrong with its files, and what is intact in them. Changes nothing.

use std::{io, ops::ControlFlow, path::Path};

use sha2::{Digest, Sha256};

use super::verify::{VerifyReport, finding, hexadecimal};
use crate::{
    disk::Disk,
    error::{Error, ErrorKind, Result},
    event::EventRef,
    identity::Identity,
    log::{Inspection, Sight},
};

/// Inspects the store on `disk`, and shows `see` every event that is intact, until it has seen enough.
pub(crate) fn inspect(disk: &dyn Disk, see: &mut dyn FnMut(&EventRef<'_>) -> ControlFlow<()>) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    // Held until the end: a log that is being written to would look damaged. Where the file is missing nobody has it, and it is not made.
    let lock = Path::new("LOCK");
    let _lock = match disk.exists(lock).and_then(|there| there.then(|| disk.lock(lock)).transpose()) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let message = format!("store is open in another process, close it there or wait, dir={}", disk.describe());
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            report.problem(Error::io("cannot lock the store, file=LOCK", error).to_string());
            None
        }
        // Where nothing may be written, nobody writes.
        lock => lock.ok().flatten(),
    };
    let store_id = match Identity::read(disk) {
        Ok(Some(identity)) => Some(identity.id),
        Ok(None) => {
            report.problem(Error::corrupted("what makes a directory a store is missing", "store.toml", 0).to_string());
            None
        }
        Err(error) => {
            report.problem(finding(error)?);
            None
        }
    };
    let mut leaves = Sha256::new();
    'log: for sight in Inspection::of(disk, store_id) {
        match sight? {
            Sight::Segment => report.segments += 1,
            Sight::Damage(error) => report.problem(finding(error)?),
            Sight::Frame(frame) => {
                report.commits += 1;
                report.log_bytes += frame.bytes().len() as u64;
                for event in frame.events() {
                    let view = event.view();
                    report.events += 1;
                    report.streams += u64::from(view.revision.0 == 0);
                    report.head = view.position.next();
                    leaves.update(event.leaf());
                    if see(&view).is_break() {
                        break 'log;
                    }
                }
            }
        }
    }
    report.digest = hexadecimal(leaves);
    Ok(report)
}
