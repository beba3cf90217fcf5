//! Which commands a process sends: by their names on the wire they are found again when a recorded effect is carried out.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    command::{Along, Decide, Lane, SendError, send_along},
    error::{Error, Result},
    state::Reader,
};

/// The commands a process sends: `()` for none, else a tuple. They are recorded before they are sent, so serde must write and read them.
pub trait Sends: 'static {
    /// Their names.
    const NAMES: &'static [&'static str];

    /// Sends the command under a name.
    #[doc(hidden)]
    fn send(reader: &Reader, sending: PlannedSend<'_>) -> impl Future<Output = Result<Verdict>>;
}

/// A command that was decided to be sent.
#[doc(hidden)]
#[derive(Debug)]
pub struct PlannedSend<'s> {
    pub(crate) command: &'s str,
    pub(crate) body: &'s RawValue,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) along: Along,
    /// Where it goes on if it is overtaken.
    pub(crate) lane: &'s Lane,
}

/// What the domain said to it.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its events, if it decided for any, are recorded, and with them the outcome.
    Done,
    /// Nothing is recorded.
    Refused(String),
}

/// Whether a name is among names.
pub(super) const fn lists(names: &[&str], name: &str) -> bool {
    let mut index = 0;
    while index < names.len() {
        if equal(names[index].as_bytes(), name.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

async fn send<C>(reader: &Reader, sending: PlannedSend<'_>) -> Result<Verdict>
where
    C: Decide + DeserializeOwned,
    C::Refusal: Debug,
{
    let command: C = serde_json::from_str(sending.body.get()).map_err(|error| {
        Error::Unanswerable(format!("recorded command cannot be read: {error}, command={}", sending.command))
    })?;
    match send_along(reader, command, sending.metadata, sending.along, sending.lane).await {
        Ok(_) => Ok(Verdict::Done),
        Err(SendError::Refused(refusal)) => Ok(Verdict::Refused(format!("{refusal:?}"))),
        Err(SendError::Failed(error)) => Err(error),
    }
}

fn unknown(sending: &PlannedSend<'_>) -> Error {
    Error::Unanswerable(format!("the process sends no such command, command={}", sending.command))
}

impl Sends for () {
    const NAMES: &'static [&'static str] = &[];

    async fn send(_: &Reader, sending: PlannedSend<'_>) -> Result<Verdict> {
        Err(unknown(&sending))
    }
}

macro_rules! tuples {
    ($($command:ident),+) => {
        impl<$($command),+> Sends for ($($command,)+)
        where
            $($command: Decide<Refusal: Debug> + Serialize + DeserializeOwned + 'static),+
        {
            const NAMES: &'static [&'static str] = &[$($command::NAME),+];

            async fn send(reader: &Reader, sending: PlannedSend<'_>) -> Result<Verdict> {
                $(
                    if sending.command == $command::NAME {
                        return send::<$command>(reader, sending).await;
                    }
                )+
                Err(unknown(&sending))
            }
        }
    };
}
tuples!(A);
tuples!(A, B);
tuples!(A, B, C);
tuples!(A, B, C, D);
tuples!(A, B, C, D, E);
tuples!(A, B, C, D, E, F);
tuples!(A, B, C, D, E, F, G);
tuples!(A, B, C, D, E, F, G, H);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whole() {
        assert!(lists(&["a", "bc"], "bc"));
        assert!(!lists(&["a", "bcd", ""], "bc") && !lists(&[], "a") && !lists(&["b"], "bc"));
    }
}
