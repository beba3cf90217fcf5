//! Original times of imported events.
//!
//! The store records an event at its `recordedAt` as long as that keeps its own clock monotone: not before the event in front of
//! it, and not in the future. Exported into a fresh store, every event therefore keeps its time. Where the store cannot, the
//! time is kept as `$originalRecordedAt` in the metadata.

use gesta::Timestamp;

use crate::{metadata::with_members, ndjson::ImportedEvent, time};

/// Metadata key of a time the store could not record.
const ORIGINAL_RECORDED_AT: &str = "$originalRecordedAt";

/// What the store's clock will show.
#[derive(Debug)]
pub(super) struct Times {
    last: Timestamp,
}

impl Times {
    /// Times in a store whose last event was recorded at `last`.
    pub(super) fn after(last: Option<Timestamp>) -> Self {
        Self { last: last.unwrap_or(Timestamp::MIN) }
    }

    /// Notes in the metadata of `event` its time, if the store will record another one. Metadata that is no JSON object, or
    /// has such a note already, stays as it is.
    pub(super) fn note(&mut self, event: &mut ImportedEvent, now: Timestamp) {
        let asked = event.recorded_at.unwrap_or(now);
        let recorded = asked.min(now).max(self.last);
        self.last = recorded;
        if event.recorded_at.is_none() || recorded == asked {
            return;
        }
        let original = time::rfc3339(asked);
        if let Some(metadata) = with_members(&event.event.metadata, &[(ORIGINAL_RECORDED_AT, &original)]) {
            event.event.metadata = metadata.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use gesta::{EventData, EventType, StreamName};

    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn noted(times: &mut Times, recorded_at: Option<i64>, metadata: &str) -> String {
        let event = EventData::json(EventType::new("T").unwrap(), "{}").with_metadata(metadata.as_bytes().to_vec());
        let recorded_at = recorded_at.map(Timestamp);
        let mut event = ImportedEvent { stream: StreamName::new("s").unwrap(), event, recorded_at };
        times.note(&mut event, NOW);
        String::from_utf8(event.event.metadata.to_vec()).unwrap()
    }

    #[test]
    fn times_that_can_be_recorded_leave_no_note() {
        let mut times = Times::after(None);
        for time in [Some(-5), Some(7), Some(7), Some(1_000), None] {
            assert_eq!(noted(&mut times, time, "{\"a\":1}"), "{\"a\":1}");
        }
    }

    #[test]
    fn times_before_the_last_or_in_the_future_are_noted() {
        let mut times = Times::after(Some(Timestamp(500)));
        let early = "{\"$originalRecordedAt\":\"1970-01-01T00:00:00.000000007Z\"}";
        assert_eq!(noted(&mut times, Some(7), ""), early);
        assert_eq!(noted(&mut times, Some(7), early), early);
        assert_eq!(noted(&mut times, Some(7), "[1]"), "[1]");
        assert!(noted(&mut times, Some(2_000), "{}").contains("0.000002000Z"));
        // The clock stands at `now` from there on.
        assert!(noted(&mut times, Some(999), "{}").contains("000000999Z"));
    }
}
