//! What the database knows of builds: how far each is, which is live, what is parked. Two tables beside those of the projectors, changed in the same
//! transactions; whatever is remembered elsewhere is a copy.
//!
//! Every transaction of a build counts its `epoch` up from the value it was read at. So of two processes that work at one build each
//! transaction is one's or the other's, and whoever was overtaken reads anew.

use crate::{
    build::Build,
    connection::{Connection, SqlError},
    value::Value,
};

const SCHEMA: [&str; 2] = [
    "create table if not exists gesta_builds (name text not null, version bigint not null, generation bigint not null, \
     store text not null, state text not null, tables text not null, position bigint not null, epoch bigint not null, \
     primary key (name, version, generation))",
    "create table if not exists gesta_parked (name text not null, version bigint not null, generation bigint not null, \
     position bigint not null, key text not null, attempts bigint not null, reason text, \
     primary key (name, version, generation, position))",
];

const THIS: &str = "name = $1 and version = $2 and generation = $3";

/// What a build is to its readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// It has not caught up yet, or was not told to show itself.
    Building,
    /// The views show its tables.
    Live,
    /// Another one took its place.
    Retired,
}

impl BuildState {
    fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Live => "live",
            Self::Retired => "retired",
        }
    }

    fn parse(name: &str) -> Result<Self, SqlError> {
        let all = [Self::Building, Self::Live, Self::Retired];
        let found = all.into_iter().find(|state| state.name() == name);
        found.ok_or_else(|| SqlError::refused(format!("table gesta_builds knows no such state, state={name}")))
    }
}

/// A build as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildInfo {
    /// Which.
    pub build: Build,
    /// The id of the store it is made from.
    pub store: String,
    /// What it is to its readers.
    pub state: BuildState,
    /// Its tables, by their plain names.
    pub tables: Vec<String>,
    /// Every event below is in its tables, or parked, or not its own.
    pub position: u64,
    /// Counts its transactions.
    pub(crate) epoch: i64,
}

/// An event that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedEvent {
    /// Where it is.
    pub position: u64,
    /// What it is about.
    pub key: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed; `None` if it only waits for an earlier one of its key.
    pub reason: Option<String>,
}

/// Makes the tables, unless they are there.
pub(crate) fn prepare(connection: &mut dyn Connection) -> Result<(), SqlError> {
    SCHEMA.iter().try_for_each(|sql| connection.execute(sql, &[]).map(drop))
}

/// The builds of a projector, oldest first.
///
/// # Errors
/// What the database says, such as that no projector ever ran on it.
pub fn builds(connection: &mut dyn Connection, name: &str) -> Result<Vec<BuildInfo>, SqlError> {
    let sql = "select version, generation, store, state, tables, position, epoch from gesta_builds where name = $1 \
               order by version, generation";
    let rows = connection.query(sql, &[name.into()])?;
    rows.iter().map(|row| info(name, row)).collect()
}

fn info(name: &str, row: &[Value]) -> Result<BuildInfo, SqlError> {
    let wrong = |index: usize| SqlError::refused(format!("table gesta_builds has another shape, column={index}"));
    let int = |index: usize| row.get(index).and_then(Value::as_int).ok_or_else(|| wrong(index));
    let small = |index: usize| int(index).and_then(|value| u32::try_from(value).map_err(|_| wrong(index)));
    let text = |index: usize| row.get(index).and_then(Value::as_text).ok_or_else(|| wrong(index));
    Ok(BuildInfo {
        build: Build { name: name.to_owned(), version: small(0)?, generation: small(1)? },
        store: text(2)?.to_owned(),
        state: BuildState::parse(text(3)?)?,
        tables: text(4)?.split_whitespace().map(str::to_owned).collect(),
        position: u64::try_from(int(5)?).map_err(|_| wrong(5))?,
        epoch: int(6)?,
    })
}

/// Takes note of a new build.
pub(crate) fn begin(
    connection: &mut dyn Connection,
    build: &Build,
    store: &str,
    tables: &[&str],
) -> Result<(), SqlError> {
    let sql = "insert into gesta_builds (name, version, generation, store, state, tables, position, epoch) \
               values ($1, $2, $3, $4, $5, $6, 0, 0)";
    let [name, version, generation] = id(build);
    let state = BuildState::Building.name();
    connection.execute(sql, &[name, version, generation, store.into(), state.into(), tables.join(" ").into()])?;
    Ok(())
}

/// Moves a build from `epoch` to the next, and its position with it; `false` if it is not at `epoch` any more.
pub(crate) fn advance(
    connection: &mut dyn Connection,
    build: &Build,
    epoch: i64,
    position: u64,
) -> Result<bool, SqlError> {
    let sql = format!("update gesta_builds set position = $4, epoch = epoch + 1 where {THIS} and epoch = $5");
    let [name, version, generation] = id(build);
    let position = gesta_store::Position(position).into();
    Ok(connection.execute(&sql, &[name, version, generation, position, epoch.into()])? == 1)
}

/// Keeps an event aside. `reason`: `None` if it only waits for another one.
pub(crate) fn park(connection: &mut dyn Connection, build: &Build, event: &ParkedEvent) -> Result<(), SqlError> {
    let sql = "insert into gesta_parked (name, version, generation, position, key, attempts, reason) \
               values ($1, $2, $3, $4, $5, $6, $7)";
    let [name, version, generation] = id(build);
    let ParkedEvent { position, key, attempts, reason } = event;
    let position = gesta_store::Position(*position).into();
    let values = [name, version, generation, position, key.into(), (*attempts).into(), reason.clone().into()];
    connection.execute(sql, &values)?;
    Ok(())
}

/// Forgets that an event waits.
pub(crate) fn unpark(connection: &mut dyn Connection, build: &Build, position: u64) -> Result<(), SqlError> {
    let [name, version, generation] = id(build);
    let position = gesta_store::Position(position).into();
    let sql = format!("delete from gesta_parked where {THIS} and position = $4");
    connection.execute(&sql, &[name, version, generation, position])?;
    Ok(())
}

/// The events that wait in a build, oldest first.
///
/// # Errors
/// What the database says.
pub fn parked(connection: &mut dyn Connection, build: &Build) -> Result<Vec<ParkedEvent>, SqlError> {
    let [name, version, generation] = id(build);
    let sql = format!("select position, key, attempts, reason from gesta_parked where {THIS} order by position");
    let rows = connection.query(&sql, &[name, version, generation])?;
    rows.iter().map(|row| parked_event(row)).collect()
}

/// The first events that wait under a key.
pub(crate) fn parked_under(
    connection: &mut dyn Connection,
    build: &Build,
    key: &str,
    limit: usize,
) -> Result<Vec<ParkedEvent>, SqlError> {
    let [name, version, generation] = id(build);
    let sql = format!(
        "select position, key, attempts, reason from gesta_parked where {THIS} and key = $4 order by position limit {limit}"
    );
    let rows = connection.query(&sql, &[name, version, generation, key.into()])?;
    rows.iter().map(|row| parked_event(row)).collect()
}

fn parked_event(row: &[Value]) -> Result<ParkedEvent, SqlError> {
    let number = |index: usize| row.get(index).and_then(Value::as_int).and_then(|value| u64::try_from(value).ok());
    let shown = || {
        Some(ParkedEvent {
            position: number(0)?,
            key: row.get(1)?.as_text()?.to_owned(),
            attempts: u32::try_from(number(2)?).ok()?,
            reason: row.get(3)?.as_text().map(str::to_owned),
        })
    };
    shown().ok_or_else(|| SqlError::refused("table gesta_parked has another shape"))
}

/// What happens to the build whose place is taken.
pub(crate) enum Predecessor {
    Retire,
    Drop,
}

/// Lets the views show the tables of a build, which is told to `epoch`'s owner by the next one.
pub(crate) fn promote(
    connection: &mut dyn Connection,
    build: &Build,
    tables: &[&str],
    predecessor: &Predecessor,
) -> Result<(), SqlError> {
    for before in builds(connection, &build.name)? {
        if before.state == BuildState::Live && before.build != *build {
            for table in &before.tables {
                connection.execute(&format!("drop view if exists {table}"), &[])?;
            }
            match predecessor {
                Predecessor::Retire => set_state(connection, &before.build, BuildState::Retired)?,
                Predecessor::Drop => drop_build(connection, &before)?,
            }
        }
    }
    for table in tables {
        connection.execute(&format!("drop view if exists {table}"), &[])?;
        connection.execute(&format!("create view {table} as select * from {}", build.table(table)), &[])?;
    }
    set_state(connection, build, BuildState::Live)
}

fn set_state(connection: &mut dyn Connection, build: &Build, state: BuildState) -> Result<(), SqlError> {
    let [name, version, generation] = id(build);
    let sql = format!("update gesta_builds set state = $4, epoch = epoch + 1 where {THIS}");
    connection.execute(&sql, &[name, version, generation, state.name().into()])?;
    Ok(())
}

fn drop_build(connection: &mut dyn Connection, info: &BuildInfo) -> Result<(), SqlError> {
    for table in &info.tables {
        connection.execute(&format!("drop table if exists {}", info.build.table(table)), &[])?;
    }
    for table in ["gesta_parked", "gesta_builds"] {
        let [name, version, generation] = id(&info.build);
        connection.execute(&format!("delete from {table} where {THIS}"), &[name, version, generation])?;
    }
    Ok(())
}

/// Drops a build that is not live, tables and all.
///
/// # Errors
/// `Refused` if it is live, or there is none; what the database says.
pub fn discard(connection: &mut dyn Connection, build: &Build) -> Result<(), SqlError> {
    connection.begin()?;
    let outcome = builds(connection, &build.name).and_then(|all| match all.iter().find(|info| info.build == *build) {
        None => Err(SqlError::refused(format!("there is no such build, build={build}"))),
        Some(info) if info.state == BuildState::Live => {
            Err(SqlError::refused(format!("a build that is live cannot be dropped, build={build}")))
        }
        Some(info) => drop_build(connection, info),
    });
    match outcome {
        Ok(()) => connection.commit(),
        Err(error) => connection.rollback().and(Err(error)),
    }
}

fn id(build: &Build) -> [Value; 3] {
    [(&build.name).into(), build.version.into(), build.generation.into()]
}
