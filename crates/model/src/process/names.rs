//! Names: of the instances an event belongs to, and of the streams they are written down in.

use gesta_store::{Category, Query, QueryItem, StreamFilter, StreamName, TypeFilter};

use super::{Process, record::RESUMED};
use crate::{
    error::{Error, Result},
    key::Key,
    model::Model,
    scope::{Scope, path_of, paths_of},
};

/// The instance of a process whose model has no key: there is one.
const ONLY: &str = "only";

/// The instance of a process under a key: what stands for the `*`s in its path.
///
/// # Errors
/// `Unanswerable` for a key that names nothing.
pub fn instance_of<P: Process>(key: &P::Key) -> Result<String> {
    if <P::Key as Key>::PARTS == 0 {
        return Ok(ONLY.to_owned());
    }
    path_of::<P>(key).map(|path| between_ends::<P>(&path).to_owned())
}

/// The instances an event belongs to, each once.
pub(crate) fn instances_of<'e, P: Process>(stream: &'e str, tags: impl Iterator<Item = &'e str>) -> Vec<&'e str> {
    if <P::Key as Key>::PARTS == 0 {
        return vec![ONLY];
    }
    paths_of::<P>(stream, tags).map(|path| between_ends::<P>(path)).collect()
}

/// What of a path stands for the first `*`, the last, and what is between them.
fn between_ends<M: Model>(path: &str) -> &str {
    let (before, after) = ends::<M>();
    path.get(before.len()..path.len().saturating_sub(after.len())).unwrap_or(path)
}

fn ends<M: Model>() -> (&'static str, &'static str) {
    let before = M::AT.split('*').next().unwrap_or_default();
    (before, M::AT.rsplit('*').next().unwrap_or_default())
}

/// The scope of an instance.
pub(crate) fn scope_of<P: Process>(instance: &str) -> Result<Scope> {
    if <P::Key as Key>::PARTS == 0 {
        return Scope::only::<P>();
    }
    let (before, after) = ends::<P>();
    Scope::at_path::<P>(&format!("{before}{instance}{after}"))
}

/// The names a process is written down under.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
    category: Category,
}

impl Names {
    /// Those of `P`.
    pub(crate) fn of<P: Process>() -> Result<Self> {
        let name = P::NAME;
        if name.is_empty() || name.contains('-') {
            return Err(Error::Unanswerable(format!(
                "the name of a process must have no - and not be empty, name={name:?}"
            )));
        }
        let category = Category::new(format!("$process:{name}"))?;
        Ok(Self { prefix: format!("{category}-"), category })
    }

    /// The stream of the process itself: where it began.
    pub(crate) fn process(&self) -> Result<StreamName> {
        Ok(StreamName::new(self.category.as_str())?)
    }

    /// The stream of rosters.
    pub(crate) fn roster(&self) -> Result<StreamName> {
        Ok(StreamName::new(format!("{}:roster", self.category))?)
    }

    /// The stream of an instance.
    pub(crate) fn stream(&self, instance: &str) -> Result<StreamName> {
        Ok(StreamName::new(format!("{}{instance}", self.prefix))?)
    }

    /// The instance a stream is of.
    pub(crate) fn instance_at<'s>(&self, stream: &'s str) -> Option<&'s str> {
        stream.strip_prefix(self.prefix.as_str())
    }

    /// The records of all instances.
    pub(crate) fn records(&self) -> QueryItem {
        QueryItem::default().stream(StreamFilter::Category(self.category.clone()))
    }

    /// What the process has to be told of: events on its path, and that somebody has looked after a parked instance.
    pub(crate) fn heard<P: Process>(&self) -> Result<Query> {
        let events = if <P::Key as Key>::PARTS == 0 { Scope::only::<P>()? } else { Scope::pattern::<P>()? };
        let resumed =
            QueryItem { types: vec![TypeFilter::Exact(gesta_store::EventType::new(RESUMED)?)], ..self.records() };
        Ok(events.condition().into_owned().or(resumed))
    }
}
