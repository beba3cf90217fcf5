//! The models of an application, as its program asks them: by a name, with keys that are text, and states that are JSON.

use std::{fmt, marker::PhantomData, ops::ControlFlow};

use gesta::{Algebraic, AsOf, Domain, EventRef, EventStore, Explain, Key, Laws, Model, Moment, Position, State, model};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use crate::exit::{Exit, Failure, Outcome};

/// What can be asked of a model, whatever its type.
pub(crate) trait Registered {
    /// The state of one instance.
    fn state(&self, store: &EventStore, key: &[String], at: Option<AsOf>) -> Outcome<Shown>;

    /// The states of one instance, one after each event.
    fn history(&self, store: &EventStore, asked: &Asked<'_>, see: See<'_>) -> Outcome<()>;

    /// Tries its laws on what is recorded of one instance, or of all; `None` if none are declared.
    fn check(&self, store: &EventStore, key: &[String]) -> Option<Outcome<model::LawReport>>;
}

/// Which history.
pub(crate) struct Asked<'a> {
    pub(crate) key: &'a [String],
    pub(crate) at: Option<AsOf>,
    pub(crate) limit: Option<u64>,
}

/// Sees an event and the state after it. A failure, such as a pipe that was closed, ends the history.
pub(crate) type See<'s> = &'s mut dyn FnMut(&EventRef<'_>, &RawValue) -> Outcome<()>;

/// A state, and how it came about.
pub(crate) struct Shown {
    pub(crate) state: Box<RawValue>,
    /// The same on several lines, for people.
    pub(crate) pretty: String,
    pub(crate) head: Position,
    pub(crate) explain: Explain,
    /// The events it is without, each with why.
    pub(crate) parked: Vec<Value>,
}

/// The models of a program, by name.
#[derive(Default)]
pub(crate) struct Models(Vec<(String, Box<dyn Registered>)>);

impl Models {
    /// Adds one; the last one of a name is the one that is asked.
    pub(crate) fn add(&mut self, name: String, model: impl Registered + 'static) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, Box::new(model)));
    }

    /// The model of a name.
    pub(crate) fn get(&self, name: &str) -> Outcome<&dyn Registered> {
        if let Some((_, model)) = self.0.iter().find(|(known, _)| known == name) {
            return Ok(&**model);
        }
        let failure = Failure::usage(format!("this program knows no such model, model={name}"));
        Err(failure.with_remedy(if self.0.is_empty() {
            "models are known to the program of the application that has them: docs/tutorial/program.md says how it is made".to_owned()
        } else {
            format!("it knows {}", self.0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "))
        }))
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &dyn Registered)> {
        self.0.iter().map(|(name, model)| (name.as_str(), &**model))
    }
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// A model of which nothing more is known.
pub(crate) struct Plain<M>(PhantomData<fn() -> M>);

/// A model with laws.
pub(crate) struct Lawful<M: Algebraic> {
    plain: Plain<M>,
    laws: Laws<M>,
}

impl<M: Model + Serialize> Plain<M> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<M: Algebraic> Lawful<M> {
    pub(crate) fn new(laws: Laws<M>) -> Self {
        Self { plain: Plain(PhantomData), laws }
    }
}

impl<M: Model + Serialize> Registered for Plain<M> {
    fn state(&self, store: &EventStore, key: &[String], at: Option<AsOf>) -> Outcome<Shown> {
        let domain = Domain::new(store.clone());
        let asked = domain.get::<M>(key_of::<M>(key)?);
        let asked = match at {
            Some(at) => asked.as_of(moment(at)?),
            None => asked,
        };
        let (state, explain) = asked.explain()?;
        let pretty = serde_json::to_string_pretty(&*state.value).map_err(unwritten)?;
        Ok(Shown { state: written(&*state.value)?, pretty, head: state.head, explain, parked: parked(&state) })
    }

    fn history(&self, store: &EventStore, asked: &Asked<'_>, see: See<'_>) -> Outcome<()> {
        let domain = Domain::new(store.clone());
        let mut history = domain.history::<M>(key_of::<M>(asked.key)?);
        if let Some(at) = asked.at {
            history = history.until(moment(at)?);
        }
        if let Some(limit) = asked.limit {
            history = history.limit(limit);
        }
        let told = history.try_each(|event, state| match written(state).and_then(|state| see(event, &state)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => ControlFlow::Break(failure),
        })?;
        match told {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(failure) => Err(failure),
        }
    }

    fn check(&self, _: &EventStore, _: &[String]) -> Option<Outcome<model::LawReport>> {
        None
    }
}

impl<M: Algebraic<Event: Clone> + Serialize> Registered for Lawful<M> {
    fn state(&self, store: &EventStore, key: &[String], at: Option<AsOf>) -> Outcome<Shown> {
        self.plain.state(store, key, at)
    }

    fn history(&self, store: &EventStore, asked: &Asked<'_>, see: See<'_>) -> Outcome<()> {
        self.plain.history(store, asked, see)
    }

    fn check(&self, store: &EventStore, key: &[String]) -> Option<Outcome<model::LawReport>> {
        let domain = Domain::new(store.clone());
        Some(if key.is_empty() && M::Key::PARTS > 0 {
            domain.check_laws_of_all(&self.laws).map_err(Failure::from)
        } else {
            key_of::<M>(key).and_then(|key| Ok(domain.check_laws(&self.laws, key)?))
        })
    }
}

/// The key that was typed.
fn key_of<M: Model>(words: &[String]) -> Outcome<M::Key> {
    let parts: Vec<&str> = words.iter().map(String::as_str).collect();
    M::Key::parse(&parts).ok_or_else(|| {
        let (wanted, path) = (M::Key::PARTS, M::AT);
        Failure::usage(format!("no key of the model, key={} parts={wanted} path={path}", parts.join(" ")))
            .with_remedy("a key is one word for each * of the path")
    })
}

fn moment(at: AsOf) -> Outcome<Moment> {
    match at {
        AsOf::Position(position) => Ok(Moment::Position(position)),
        AsOf::Time(time) => Ok(Moment::Time(time)),
        #[allow(clippy::wildcard_enum_match_arm, unreachable_patterns, reason = "the store's enum, which grows")]
        _ => Err(Failure::usage("models know no such moment")),
    }
}

/// As serde writes it, fields in their order.
fn written(state: &impl Serialize) -> Outcome<Box<RawValue>> {
    serde_json::value::to_raw_value(state).map_err(unwritten)
}

#[allow(clippy::needless_pass_by_value, reason = "it is what became of the error")]
fn unwritten(error: serde_json::Error) -> Failure {
    Failure::new(Exit::Other, format!("the state cannot be written as JSON: {error}"))
}

fn parked<M>(state: &State<M>) -> Vec<Value> {
    let line = |event: &model::ParkedEvent| json!({ "position": event.position.to_string(), "stream": event.stream, "reason": event.reason.to_string() });
    state.parked().iter().map(line).collect()
}

impl From<model::Error> for Failure {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "errors may be added; one this program does not know is an other error"
    )]
    fn from(error: model::Error) -> Self {
        match error {
            model::Error::Store(error) => error.into(),
            model::Error::Unanswerable(words) => Self::usage(words),
            other => Self::new(Exit::Other, other.to_string()),
        }
    }
}
