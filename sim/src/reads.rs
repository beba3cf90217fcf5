//! Reads: drawn, done, and compared with the model.

use gesta_store::{
    AsOf, Direction, ErrorKind, EventStore, From, Position, ReadOptions, RecordedEvent, Revision, Source, Timestamp,
};
use rand::RngExt;
use rand_chacha::ChaCha12Rng;

use crate::{
    Violation,
    model::Model,
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
        batch_events: random.random_range(1..40),
        batch_bytes: random.random_range(1..30_000),
        ..ReadOptions::default()
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
        (Ok(read), Some(_)) => read.collect::<Result<Vec<_>, _>>(),
        (Err(error), None) if error.kind() == ErrorKind::NotFound => return Ok(()),
        (Ok(_), None) => return Err(Violation::reads(format!("{}: found what is not there", doing()))),
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
        let link = event.link.as_ref().map(|link| link.revision);
        if link != entry.link {
            return Some(format!("expected link {:?}, found {link:?}, position={}", entry.link, event.position));
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
        let stream = workload::name(stream);
        let found = store.stream_metadata(&stream).map_err(|error| Violation::reads(error.to_string()))?;
        let expected = model.metadata_document(&stream);
        if found.as_ref().map(|(_, document)| document.as_bytes()) != expected.as_deref() {
            let what = format!("metadata differs, stream={stream} expected={expected:?} found={found:?}");
            return Err(Violation::reads(what));
        }
    }
    Ok(())
}
