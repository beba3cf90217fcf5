//! Reads in both directions, by time, within bounds.

use proptest::prelude::*;

use super::*;

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let event = (0..4_u8, prop_oneof![4 => 0..300_usize, 1 => 0..9000_usize], 0..3_u8);
    prop::collection::vec(prop::collection::vec(event, 1..6), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever the sizes, the cache, and what of it is durable: a read is a slice of what was written.
    #[test]
    fn reads_are_slices_of_what_was_written(
        shapes in shapes(),
        tail_cache_bytes in prop_oneof![Just(0), Just(3000), Just(1 << 20)],
        group_of in 1..9_usize,
        durable in 0.0..1.0_f64,
        bounds in (0.0..1.0_f64, 0.0..1.0_f64),
        (events_max, bytes_max) in (1..50_usize, 1..20_000_usize),
    ) {
        let (dir, mut author) = (temporary(), Author::default());
        let options = LogOptions { tail_cache_bytes, ..small() };
        let mut fixture = Fixture::open(&dir, options).expect("open");
        let last_durable = (shapes.len() as f64 * durable) as usize;
        for (at, shape) in shapes.iter().enumerate() {
            fixture.writer.append(&author.commit(shape));
            if at % group_of == 0 && at <= last_durable {
                fixture.flush();
            }
        }
        let head = author.head().0;
        let place = |share: f64| (head as f64 * share) as u64;
        let (low, high) = (place(bounds.0.min(bounds.1)), place(bounds.0.max(bounds.1)));
        let expected = &author.recorded[low as usize..high as usize];

        let forward = fixture.log.read_forward(Position(low), Position(high), events_max, bytes_max).expect("forward");
        let found = forward.to_recorded();
        prop_assert!(expected.starts_with(&found));
        prop_assert!(found.len() <= events_max && (found.len() <= 1 || forward.bytes() <= bytes_max));
        prop_assert!(found.len() == expected.len() || !found.is_empty());

        let backward = fixture.log.read_backward(Position(high), Position(low), events_max, bytes_max).expect("backward");
        let mut found = backward.to_recorded();
        prop_assert!(found.len() <= events_max && (found.len() == expected.len() || !found.is_empty()));
        found.reverse();
        prop_assert!(expected.ends_with(&found));

        let unbounded = fixture.log.read_backward(Position(high), Position(low), usize::MAX, usize::MAX).expect("backward");
        prop_assert_eq!(unbounded.len(), expected.len());
        let unbounded = fixture.log.read_forward(Position(low), Position(high), usize::MAX, usize::MAX).expect("forward");
        prop_assert_eq!(unbounded.len(), expected.len());
        fixture.check(&author);
    }
}

#[test]
fn time_finds_the_first_event_recorded_then_or_later() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::new(&dir);
    for n in 0..150_u8 {
        fixture.writer.append(&author.commit(&[(n % 3, 150, 0), (n % 2, 10, 0)]));
        if n % 4 == 0 {
            fixture.flush();
        }
    }
    for to in [0, 1, 149, 299, 300] {
        for time in (-500..52_000).step_by(250) {
            let expected = author.recorded[..to].iter().position(|event| event.recorded_at.0 >= time).unwrap_or(to);
            let found = fixture.log.position_at(Timestamp(time), Position(to as u64)).expect("position");
            assert_eq!(found, Position(expected as u64), "time {time} to {to}");
        }
    }
}

/// Whole frames once named the start of the commit where a read named the event: two places for one bad byte.
#[test]
fn every_way_of_reading_names_the_same_bad_byte() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::new(&dir);
    for _ in 0..20 {
        fixture.write(&mut author, &[(0, 90, 1), (1, 200, 0), (2, 40, 1)]);
    }
    let (head, files) = (author.head(), contents(&dir));
    let first = files.keys().find(|name| name.ends_with(".seg")).expect("a segment").clone();
    assert!(fixture.log.segments()[0].sealed());
    let path = Path::new("log").join(&first);
    let place = |error: Error| error.to_string().split_once(" offset=").expect("an offset").1.to_owned();
    for at in (4096..6000).step_by(3) {
        let byte = files[&first][at];
        file(&dir, &path).write_at(&[byte ^ 0x10], at as u64).expect("damage");
        let fixture = Fixture::open(&dir, small()).expect("sealed segments are not read at opening");
        let framed = fixture.log.frames(Position::START, head).find_map(Result::err).map(place);
        let framed = framed.expect("every byte of a frame is checked");
        if let Err(error) = fixture.read_all(head) {
            assert_eq!(place(error), framed, "byte {at}, one after the other");
        }
        if let Some(error) = (0..head.0).find_map(|at| fixture.log.event(Position(at)).err()) {
            assert_eq!(place(error), framed, "byte {at}, one by one");
        }
        file(&dir, &path).write_at(&[byte], at as u64).expect("mend");
    }
}

#[test]
fn a_batch_can_be_built_from_single_events() {
    let (dir, mut author) = (temporary(), Author::default());
    let mut fixture = Fixture::new(&dir);
    fixture.write_until(&mut author, 50);
    let mut batch = super::super::Batch::default();
    for position in [49, 3, 17] {
        batch.push_event(&fixture.log.event(Position(position)).expect("event"));
    }
    let positions: Vec<u64> = batch.iter().map(|event| event.position.0).collect();
    assert_eq!(positions, [49, 3, 17]);
    assert_eq!(batch.to_recorded()[1], author.recorded[3]);
    assert_eq!((batch.first_position(), batch.last_position()), (Some(Position(49)), Some(Position(17))));
    assert_eq!(batch.get(2).map(|event| event.revision), Some(author.recorded[17].revision));
    assert!(batch.get(3).is_none());
}

#[test]
fn readers_follow_while_segments_are_sealed_on_real_files() {
    let (dir, mut author) = (tempfile::tempdir().expect("temporary directory"), Author::default());
    let disk = FileDisk::new(dir.path());
    let (log, writer, flusher, recovered) = Log::open(Arc::new(disk), small()).expect("open");
    let mut fixture = Fixture { options: small(), log, writer, flusher, recovered };
    let commits: Vec<_> = (0..300_u16).map(|n| author.commit(&[((n % 5) as u8, 120, 1)])).collect();
    let published = std::sync::atomic::AtomicU64::new(0);
    let log = Arc::clone(&fixture.log);
    #[allow(clippy::disallowed_methods)] // a reader beside the writer is what is tested
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut next = Position::START;
                    while next.0 < 300 {
                        let head = Position(published.load(std::sync::atomic::Ordering::Acquire));
                        let batch = log.read_forward(next, head, 10, 5000).expect("forward");
                        for event in batch.iter() {
                            assert_eq!(event.position, next);
                            next = next.next();
                        }
                        let back = log.read_backward(head, Position::START, 5, 5000).expect("backward");
                        assert_eq!(back.first_position().map(Position::next), (head.0 > 0).then_some(head));
                    }
                })
            })
            .collect();
        for commit in &commits {
            fixture.log.prepare_spare(&|| true).expect("spare");
            fixture.writer.append(commit);
            let group = fixture.writer.take_group();
            let flushed = fixture.flusher.flush(group).expect("flush");
            published.store(flushed.end.0, std::sync::atomic::Ordering::Release);
        }
        for reader in readers {
            reader.join().expect("reader");
        }
    });
    fixture.check(&author);
    fixture.flusher.close().expect("close");
    let (log, writer, flusher, recovered) =
        Log::open(Arc::new(FileDisk::new(dir.path())), small()).expect("open again");
    assert!(recovered.opened_clean);
    Fixture { options: small(), log, writer, flusher, recovered }.check(&author);
}
