//! A guard against changing the wire by accident: samples of every kind as they are recorded, compared with a file that is committed.
//!
//! ```
//! # use gesta_model::Event;
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
//! # enum Bank { #[event("account-opened", at = "account-{account}")] Opened { account: String } }
//! let samples = [Bank::Opened { account: "7".into() }];
//! # let golden = "account-7\taccount-opened\t[]\t{\"account\":\"7\"}\n";
//! // In a test: let golden = include_str!("bank.golden");
//! gesta_model::event::golden::check(&samples, golden).expect("the wire is what it was");
//! ```

use std::fmt::Debug;

use super::{Event, to_recordable, wire};

/// The samples as they are recorded, a line for each: stream, type, tags and data, with tabs between them. What the file is to hold.
///
/// # Errors
/// A sample that cannot be recorded, or is not text.
pub fn lines<E: Event>(samples: &[E]) -> Result<String, String> {
    samples.iter().map(line).collect()
}

fn line<E: Event>(sample: &E) -> Result<String, String> {
    let (stream, event) = to_recordable(sample).map_err(|error| error.to_string())?;
    let data = std::str::from_utf8(&event.data).map_err(|_| "a golden file is for formats that are text".to_owned())?;
    Ok(format!("{stream}\t{}\t{:?}\t{data}\n", event.event_type, event.tags))
}

/// Checks that every kind has a sample, that each sample is still recorded as `golden` says, and that every line of `golden`, older versions
/// too, can still be read.
///
/// Lines of older versions stay in the file when a kind gets a new version: above the samples' own.
///
/// # Errors
/// What differs, and the line as it is now.
pub fn check<E: Event + PartialEq + Debug>(samples: &[E], golden: &str) -> Result<(), String> {
    for (index, kind) in E::KINDS.iter().enumerate() {
        if !samples.iter().any(|sample| sample.kind_index() == index) {
            return Err(format!("no sample of a kind, kind={}", kind.name));
        }
    }
    for sample in samples {
        let line = line(sample)?;
        if !golden.lines().any(|known| known == line.trim_end()) {
            return Err(format!("what is recorded has changed or is new, now:\n{line}"));
        }
    }
    for (number, line) in golden.lines().enumerate() {
        let wrong = |what: &str| format!("golden line {}: {what}:\n{line}", number + 1);
        let mut parts = line.splitn(4, '\t');
        let (Some(event_type), Some(data)) = (parts.nth(1), parts.nth(1)) else {
            return Err(wrong("needs stream, type, tags and data"));
        };
        let found = E::find(event_type).ok_or_else(|| wrong("is of a kind that is not known any more"))?;
        wire::decode::<E>(found, data.as_bytes()).map_err(|reason| wrong(&reason))?;
    }
    Ok(())
}
