//! Reads: drawn, done, and compared with the model.

use gesta_store::{
    AsOf, Direction, EventStore, From, Link, Position, Query, ReadOptions, RecordedEvent, Revision, Source, StreamName,
    Timestamp,
};
use rand::RngExt;
use rand_chacha::ChaCha12Rng;

use crate::{
    Violation,
    model::{Model, Via},
    workload::{self, PLAIN, STREAMS, Sight},
};

/// Any read.
pub fn draw(random: &mut ChaCha12Rng, sight: Sight<'_>) -> (Source, ReadOptions) {
    let source = draw_source(random);
    let head = sight.model.head().0;
    let time = |random: &mut ChaCha12Rng| {
        let position = Position(random.random_range(0..=head));
        let near = sight.model.event(position).map_or(sight.now, |event| event.recorded_at);
        Timestamp(near.0 + random.random_range(-1..2))
    };
    let direction = if random.random_bool(0.6) { Direction::Forward } else { Direction::Backward };
    let from = match random.random_range(0..10) {
        0..4 => From::Beginning,
        4 => From::Now,
        5..7 if matches!(source, Source::Stream(_)) => From::Revision(Revision(random.random_range(0..20))),
        5..8 => From::Position(Position(random.random_range(0..=head + 1))),
        _ => From::Time(time(random)),
    };
    let as_of = match random.random_range(0..8) {
        0 if head > 0 => Some(AsOf::Position(Position(random.random_range(0..head)))),
        1 => Some(AsOf::Time(time(random))),
        _ => None,
    };
    let options = ReadOptions {
        direction,
        from,
        as_of,
        limit: random.random_bool(0.3).then(|| random.random_range(0..10)),
        resolve_links: random.random_bool(0.3),
        batch_events: random.random_range(1..40),
        batch_bytes: random.random_range(1..30_000),
    };
    (source, options)
}

fn draw_source(random: &mut ChaCha12Rng) -> Source {
    let stream = |stream: &str| Source::Stream(workload::name(stream));
    match random.random_range(0..10) {
        0..2 => Source::All,
        2..6 => stream(STREAMS[random.random_range(0..STREAMS.len())]),
        6 => {
            let name = STREAMS[random.random_range(0..STREAMS.len())];
            stream(&format!("$${name}"))
        }
        7 => {
            let virtual_streams = ["$ce-order", "$ce-user", "$et-Paid", "$et-$metadata", "$bc-c1", "$streams"];
            stream(virtual_streams[random.random_range(0..virtual_streams.len())])
        }
        _ => Source::Query(workload::draw_query(random)),
    }
}

/// Reads and compares.
///
/// # Errors
/// A violation, when store and model differ.
pub fn check(
    store: &EventStore,
    model: &Model,
    source: &Source,
    options: &ReadOptions,
    now: Timestamp,
) -> Result<(), Violation> {
    let doing = || format!("reading {source:?} with {options:?}");
    let expected = model.read(source, options, now);
    let found = match (store.read(source.clone(), options.clone()), &expected) {
        (Ok(read), Ok(_)) => read.collect::<Result<Vec<_>, _>>(),
        (Err(error), Err(kind)) if error.kind() == *kind => return Ok(()),
        (Ok(_), Err(kind)) => return Err(Violation::reads(format!("{}: served, expected {kind}", doing()))),
        (Err(error), _) => Err(error),
    };
    let found = found.map_err(|error| Violation::reads(format!("{}: {error}", doing())))?;
    let expected = expected.unwrap_or_default();
    if let Some(what) = difference(model, &expected, &found) {
        return Err(Violation::reads(format!("{}: {what}", doing())));
    }
    Ok(())
}

fn difference(model: &Model, expected: &[crate::model::Entry], found: &[RecordedEvent]) -> Option<String> {
    let positions: Vec<u64> = expected.iter().map(|entry| entry.position.0).collect();
    let found_positions: Vec<u64> = found.iter().map(|event| event.position.0).collect();
    if positions != found_positions {
        return Some(format!("expected positions {positions:?}, found {found_positions:?}"));
    }
    expected.iter().zip(found).find_map(|(entry, event)| {
        let found = event.link.as_deref();
        let via = |link: &Link| Via { stream: link.stream.clone(), revision: link.revision, position: link.position };
        let linked_at = |via: &Via| model.event(via.position).map(|event| event.recorded_at);
        if found.map(via) != entry.via || found.map(|link| link.recorded_at) != entry.via.as_ref().and_then(linked_at) {
            return Some(format!("expected to come by {:?}, found {found:?}, position={}", entry.via, event.position));
        }
        model.event(entry.position)?.difference(event)
    })
}

/// Everything, from every side: the whole log both ways, every stream, every virtual stream, some queries, the listing.
///
/// # Errors
/// A violation, when store and model differ.
pub fn check_everything(store: &EventStore, model: &Model, now: Timestamp) -> Result<(), Violation> {
    if store.head().position() != model.head() {
        let (found, expected) = (store.head().position(), model.head());
        return Err(Violation::reads(format!("head differs, expected={expected} found={found}")));
    }
    let both = [Direction::Forward, Direction::Backward];
    let written = STREAMS.iter().copied().chain([PLAIN]);
    let names = written.flat_map(|stream| [stream.to_owned(), format!("$${stream}")]);
    let virtual_streams = ["$ce-order", "$ce-a", "$et-Placed", "$et-$metadata", "$bc-c0", "$streams"];
    let streams = names.chain(virtual_streams.map(str::to_owned)).map(|stream| Source::Stream(workload::name(&stream)));
    let mut random: ChaCha12Rng = rand::SeedableRng::seed_from_u64(model.head().0);
    let queries: Vec<Source> = (0..4).map(|_| Source::Query(workload::draw_query(&mut random))).collect();
    for source in [Source::All].into_iter().chain(streams).chain(queries) {
        for direction in both {
            let options = ReadOptions { direction, batch_events: 7, ..ReadOptions::default() };
            check(store, model, &source, &options, now)?;
        }
    }
    for stream in STREAMS {
        check_stream(store, model, &workload::name(stream), now)?;
        check_stream(store, model, &workload::name(&format!("$${stream}")), now)?;
    }
    check_list(store, model, "", None, usize::MAX)?;
    check_info(store, model)
}

/// Compares what a stream is, and its metadata.
fn check_stream(store: &EventStore, model: &Model, stream: &StreamName, now: Timestamp) -> Result<(), Violation> {
    let failed = |error: gesta_store::Error| Violation::reads(error.to_string());
    let found = store.stream_metadata(stream).map_err(failed)?;
    let expected = model.metadata_revision(stream).zip(model.metadata_document(stream));
    if found.as_ref().map(|(revision, document)| (*revision, document.as_bytes()))
        != expected.as_ref().map(|(revision, document)| (*revision, &document[..]))
    {
        let what = format!("metadata differs, stream={stream} expected={expected:?} found={found:?}");
        return Err(Violation::reads(what));
    }
    let (found, expected) = (store.stream_status(stream).map_err(failed)?, model.status(stream, now));
    if found != expected {
        return Err(Violation::reads(format!("status differs, stream={stream} expected={expected:?} found={found:?}")));
    }
    Ok(())
}

/// Lists streams and compares.
///
/// # Errors
/// A violation, when store and model differ.
pub fn check_list(
    store: &EventStore,
    model: &Model,
    prefix: &str,
    after: Option<&StreamName>,
    limit: usize,
) -> Result<(), Violation> {
    let found = store.streams(prefix, after, limit).map_err(|error| Violation::reads(error.to_string()))?;
    let found: Vec<_> = found.into_iter().map(|info| (info.name, info.last_revision, info.last_position)).collect();
    let expected = model.streams(prefix, after, limit);
    if found != expected {
        let what = format!("listing differs, prefix={prefix} after={after:?} expected={expected:?} found={found:?}");
        return Err(Violation::reads(what));
    }
    Ok(())
}

fn check_info(store: &EventStore, model: &Model) -> Result<(), Violation> {
    let info = store.info().map_err(|error| Violation::reads(error.to_string()))?;
    let found = (info.head, info.last_recorded_at, info.streams);
    let expected = (model.head(), model.last_recorded_at(), model.stream_count());
    if found != expected {
        return Err(Violation::reads(format!("facts about the store differ, expected={expected:?} found={found:?}")));
    }
    Ok(())
}

/// Asks for the plan of a query: it must be about the range that is read, and promise no fewer matches than there are.
///
/// # Errors
/// A violation, when store and model differ.
pub fn check_plan(store: &EventStore, model: &Model, query: &Query, options: &ReadOptions) -> Result<(), Violation> {
    let differs = |what: String| Violation::reads(format!("explaining {query:?} with {options:?}: {what}"));
    let range = model.range_of(options).filter(|_| !matches!(options.from, From::Revision(_)));
    let (plan, range) = match (store.explain(query, options), range) {
        (Ok(plan), Some(range)) => (plan, range),
        (Err(_), None) => return Ok(()),
        (Ok(plan), None) => return Err(differs(format!("planned a read that is refused: {plan:?}"))),
        (Err(error), Some(_)) => return Err(differs(error.to_string())),
    };
    if plan.events_in_range != range.len() as u64 {
        return Err(differs(format!("expected a range of {} events, planned {plan:?}", range.len())));
    }
    let matches = range.filter(|index| model.event(Position(*index as u64)).is_some_and(|event| event.matches(query)));
    let matches = matches.count() as u64;
    if plan.matches_at_most.is_some_and(|most| most < matches) {
        return Err(differs(format!("{matches} events match, planned {plan:?}")));
    }
    Ok(())
}
