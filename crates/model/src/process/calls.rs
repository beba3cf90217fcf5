//! Code outside the log that a process calls: mail, payment, another system.

use std::{collections::HashMap, fmt};

use gesta_store::{EventData, StreamName};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    error::{Error, Result, guarded},
    event::{Event, to_recordable},
};

/// A call of code outside the log.
#[derive(Clone, Copy, Debug)]
pub struct Call<'c> {
    /// The same whenever the same effect is carried out: what an outside system is given so that it does nothing twice.
    pub id: Uuid,
    /// The instance that asks.
    pub instance: &'c str,
    body: &'c RawValue,
}

impl<'c> Call<'c> {
    pub(crate) fn new(id: Uuid, instance: &'c str, body: &'c RawValue) -> Self {
        Self { id, instance, body }
    }

    /// What it is called with.
    ///
    /// # Errors
    /// `Refused` when it is something else: trying again would not help.
    pub fn body<B: DeserializeOwned>(&self) -> Result<B, CallFailure> {
        serde_json::from_str(self.body.get())
            .map_err(|error| CallFailure::Refused(format!("body cannot be read: {error}")))
    }
}

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// It may work later: it is called again after a while.
    Retry(String),
    /// It will not: what stands under [`Effect::or`](super::Effect::or) is done instead, or the instance parked.
    Refused(String),
}

/// Events to be recorded, ready.
pub(crate) type Facts = Vec<(StreamName, EventData)>;

type Callee = Box<dyn FnMut(&Call<'_>) -> Result<Facts, CallFailure> + Send>;

/// What a process can call, by name.
#[derive(Default)]
pub(crate) struct Calls(HashMap<String, Callee>);

impl Calls {
    pub(crate) fn add<E: Event>(
        &mut self,
        name: String,
        mut callee: impl FnMut(&Call<'_>) -> Result<Vec<E>, CallFailure> + Send + 'static,
    ) {
        let recordable = |event: E| to_recordable(&event).map_err(|error| CallFailure::Refused(error.to_string()));
        let callee = move |call: &Call<'_>| callee(call)?.into_iter().map(recordable).collect();
        self.0.insert(name, Box::new(callee));
    }

    /// Calls. A panic is an error.
    pub(crate) fn call(&mut self, name: &str, call: &Call<'_>) -> Result<Result<Facts, CallFailure>> {
        let callee = self.0.get_mut(name).ok_or_else(|| {
            Error::Unanswerable(format!("the process was started without what it calls, call={name}"))
        })?;
        guarded(|| format!("call of {name}"), || callee(call))
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
