//! Facts about a store, as they are told.

use gesta_store::StoreInfo;

use super::{events::id_to_wire, messages as wire};

/// The facts about the store in `dir`, in the form in which they go over the wire.
#[must_use]
pub fn describe(info: &StoreInfo, dir: String) -> wire::InfoResp {
    let recovery = &info.recovery;
    let cut = recovery.cut.as_ref().map(|cut| wire::Cut {
        bytes: cut.bytes,
        kept_in: cut.kept_in.as_ref().map(|path| path.display().to_string()),
    });
    wire::InfoResp {
        store_id: id_to_wire(info.store_id),
        created: info.created.0,
        format: info.format.into(),
        head: info.head.0,
        last_recorded_at: info.last_recorded_at.map(|time| time.0),
        segments: info.segments,
        log_bytes: info.log_bytes,
        index_runs: info.index_runs,
        index_bytes: info.index_bytes,
        streams: info.streams,
        opened_clean: recovery.clean,
        cut,
        index_dropped: recovery.index_dropped.clone(),
        events_reindexed: recovery.events_reindexed,
        dir,
    }
}
