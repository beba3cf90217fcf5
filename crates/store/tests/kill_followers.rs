//! A real process, killed with SIGKILL while groups and handlers work on threads of their own, again and again on the same directory: every acked event is
//! handled at least once, or is parked and stays so; what the log says is settled is not handled again, so duplicates are no more than what had been
//! handled and was not written down.
//!
//! The child is this test binary itself, started for the test `child` with the directory in its environment. `GESTA_KILLS` says how often (default 10; the nightly
//! command asks for more). What the child says, it says before it answers the group, so nothing is handled that its parent has not heard of.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use gesta_store::{
    AfterPark, Consumer, ConsumerOptions, Direction, EventData, EventStore, ExpectedRevision, GroupError, GroupName,
    GroupSettings, HandlerFailure, HandlerOptions, HandlingOrder, KeyOf, Message, MessageId, Nack, Position, Reaction,
    ReadOptions, Source, Strategy, StreamName, subscribe::handler::group_of,
};

const DIR: &str = "GESTA_KILL_DIR";
const WRITERS: usize = 3;
const STREAMS: u64 = 20;
/// One event in so many is parked by whoever gets it.
const POISON: u64 = 97;
const CONSUMERS: usize = 3;
/// The child says nothing else.
type Said = Mutex<std::io::Stdout>;

/// The followers, by the number the child says them by.
fn followers() -> [(GroupName, Source); 4] {
    let category = || Source::Stream(name("$ce-work"));
    [
        (GroupName::on_all("turns").unwrap(), Source::All),
        (GroupName::on_stream(name("$ce-work"), "keys").unwrap(), category()),
        (group_of("by-key", &category()).unwrap(), category()),
        (group_of("whole", &Source::All).unwrap(), Source::All),
    ]
}

fn name(stream: &str) -> StreamName {
    StreamName::new(stream).unwrap()
}

fn is_poison(message: &Message) -> bool {
    message.event.stream.starts_with("work-") && message.id.0.0.is_multiple_of(POISON)
}

/// Says something at once. The parent may be gone already; so are we then.
fn say(said: &Said, line: &str) {
    let mut out = said.lock().unwrap();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

fn say_handled(said: &Said, follower: usize, messages: &[Message]) {
    let line = |message: &Message| {
        let what = if is_poison(message) { 'P' } else { 'H' };
        format!("{what} {follower} {} {}\n", message.id, message.event.stream)
    };
    say(said, &messages.iter().map(line).collect::<String>());
}

#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR) else {
        return; // not started by the test below
    };
    let store = EventStore::open(dir).unwrap();
    let said: &'static Said = Box::leak(Box::new(Mutex::new(std::io::stdout())));
    create(&store);
    // What is said before is not listened to.
    say(said, "ready\n");
    let _handlers = [start(&store, 2, said), start(&store, 3, said)];
    std::thread::scope(|scope| {
        for follower in 0..2 {
            for _ in 0..CONSUMERS {
                let consumer = connect(&store, follower);
                scope.spawn(move || {
                    loop {
                        work(&consumer, follower, &consumer.next(20, None).unwrap(), said);
                    }
                });
            }
        }
        for writer in 0..WRITERS as u64 {
            let store = &store;
            scope.spawn(move || {
                for number in 0_u64.. {
                    let events = (0..1 + number % 3).map(|_| EventData::json("Worked".try_into().unwrap(), "{}"));
                    let stream = name(&format!("work-{}", (number * 7 + writer) % STREAMS));
                    let appended = store.append(stream, ExpectedRevision::Any, events).wait().unwrap();
                    let (first, last) = (appended.first_position.unwrap(), appended.last_position.unwrap());
                    say(said, &format!("A {first} {last}\n"));
                }
            });
        }
    });
}

fn create(store: &EventStore) {
    let keyed = Strategy::KeyOrdered { key: KeyOf::Stream, after_park: AfterPark::Flow };
    for ((group, source), strategy) in followers().into_iter().zip([Strategy::RoundRobin, keyed]) {
        let settings =
            GroupSettings { strategy, max_checkpoint_count: 100, min_checkpoint_count: 1, ..GroupSettings::default() };
        match store.groups().create(&group, source, settings) {
            Ok(()) | Err(GroupError::GroupExists { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn connect(store: &EventStore, follower: usize) -> Consumer {
    let options = ConsumerOptions { slots: 40, ..ConsumerOptions::default() };
    store.groups().connect(&followers()[follower].0, &options).unwrap()
}

fn work(consumer: &Consumer, follower: usize, messages: &[Message], said: &Said) {
    say_handled(said, follower, messages);
    let (poison, well): (Vec<_>, Vec<_>) = messages.iter().partition(|message| is_poison(message));
    let ids = |messages: Vec<&Message>| messages.iter().map(|message| message.id).collect::<Vec<MessageId>>();
    consumer.ack(&ids(well)).unwrap();
    consumer.nack(&ids(poison), Nack::Park, "poison").unwrap();
}

fn start(store: &EventStore, follower: usize, said: &'static Said) -> gesta_store::RunningHandler {
    let (name, order) = match follower {
        2 => ("by-key", HandlingOrder::ByKey { key: KeyOf::Stream, after_park: AfterPark::Flow }),
        _ => ("whole", HandlingOrder::Whole),
    };
    let options = HandlerOptions { order, checkpoint_count: 100, ..HandlerOptions::default() };
    let handler = move |messages: &[Message]| -> Result<(), HandlerFailure> {
        let poison = messages.iter().position(is_poison);
        say_handled(said, follower, &messages[..poison.map_or(messages.len(), |at| at + 1)]);
        match poison {
            None => Ok(()),
            Some(at) => Err(HandlerFailure::new("poison").at(at).reaction(Reaction::Park)),
        }
    };
    store.handlers().start(name, &followers()[follower].1, options, handler).unwrap()
}

/// What the parent knows.
#[derive(Default)]
struct Known {
    acked: BTreeSet<u64>,
    followers: [Follower; 4],
}

#[derive(Default)]
struct Follower {
    /// Handled, or failed and to be parked.
    handled: BTreeSet<u64>,
    /// What the log said was settled when the process was last killed.
    settled: Vec<(u64, u64)>,
    parked: BTreeSet<u64>,
    again: usize,
    again_max: usize,
}

#[test]
fn a_killed_process_handles_everything_at_least_once() {
    let kills: u64 = std::env::var("GESTA_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut known = Known::default();
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = kill_after(&mut child, 20 + (round * 61) % 300);
        known.hear(&said);
        let store = EventStore::open(dir.path()).unwrap();
        known.look(&store);
        store.close().unwrap();
    }
    let store = EventStore::open(dir.path()).unwrap();
    known.finish(&store);
    for (follower, (group, _)) in known.followers.iter().zip(followers()) {
        let (handled, parked) = (follower.handled.len(), follower.parked.len());
        println!(
            "{group}: {handled} handled, {parked} parked, {} of them again, at most {}",
            follower.again, follower.again_max
        );
        assert!(parked > 0, "{group} met no poison in {kills} rounds");
    }
    assert!(known.acked.len() as u64 > 10 * kills, "the children hardly appended");
}

/// Kills the child some milliseconds after it began; the whole lines it said.
fn kill_after(child: &mut Child, millis: u64) -> Vec<String> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    // A last line may be cut short: then nobody was answered for it.
    let mut line = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line.strip_suffix('\n').map(str::to_owned)
    };
    while !line().expect("the child is ready before it ends").ends_with("ready") {}
    let began = Instant::now();
    let mut said = Vec::new();
    while began.elapsed() < Duration::from_millis(millis) {
        said.push(line().expect("the child works until it is killed"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What was in the pipe when it died was said, too.
    said.extend(std::iter::from_fn(line));
    said
}

impl Known {
    /// Takes what a child said in its life.
    fn hear(&mut self, said: &[String]) {
        let mut orders: BTreeMap<(usize, String), u64> = BTreeMap::new();
        let mut lives: [BTreeSet<u64>; 4] = Default::default();
        for line in said {
            let fields: Vec<&str> = line.split(' ').collect();
            match fields[..] {
                ["A", first, last] => self.acked.extend(number(first)..=number(last)),
                ["H" | "P", follower, id, stream] => {
                    let (place, id) = (number(follower) as usize, number(id));
                    let key = if place == 3 { "everything" } else { stream };
                    let before = orders.insert((place, key.to_owned()), id);
                    if place > 0 {
                        assert!(before.is_none_or(|before| before < id), "{line}: {before:?} came before it");
                    }
                    assert!(lives[place].insert(id), "{line}: twice in one life");
                    self.followers[place].handle(id, line);
                }
                _ => {}
            }
        }
        self.followers.iter_mut().zip(&lives).for_each(|(follower, life)| follower.handled.extend(life));
    }

    /// Looks at what a killed process left.
    fn look(&mut self, store: &EventStore) {
        for (follower, (group, _)) in self.followers.iter_mut().zip(followers()) {
            let parked = parked(store, &group);
            let lost: Vec<_> = follower.parked.difference(&parked).collect();
            assert!(lost.is_empty(), "{group}: parked messages are gone: {lost:?}");
            let never: Vec<_> = parked.difference(&follower.handled).collect();
            assert!(never.is_empty(), "{group}: parked, and nobody failed: {never:?}");
            follower.parked = parked;
            follower.settled = settled(store, &group);
            let passed: Vec<u64> = self.acked.iter().copied().filter(|id| follower.is_settled(*id)).collect();
            let skipped: Vec<_> = passed.iter().filter(|id| !follower.handled.contains(id)).collect();
            assert!(skipped.is_empty(), "{group}: settled, and nobody handled it: {skipped:?}");
            follower.again_max += follower.handled.iter().filter(|id| !follower.is_settled(**id)).count();
        }
    }

    /// Lets everybody work off the rest, in this process.
    fn finish(&mut self, store: &EventStore) {
        for (place, (group, _)) in followers().into_iter().enumerate() {
            let consumer =
                store.groups().connect(&group, &ConsumerOptions { slots: 1000, ..ConsumerOptions::default() }).unwrap();
            let follower = &mut self.followers[place];
            loop {
                let messages = consumer.next(500, Some(Duration::from_millis(300))).unwrap();
                let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
                if ids.is_empty() && store.groups().info(&group).unwrap().lag_events == 0 {
                    break;
                }
                for id in &ids {
                    follower.handle(id.0.0, "at the end");
                    follower.handled.insert(id.0.0);
                }
                consumer.ack(&ids).unwrap();
            }
            let missing: Vec<_> = self.acked.difference(&follower.handled).collect();
            assert!(missing.is_empty(), "{group}: acked events were never handled: {missing:?}");
            assert_eq!(parked(store, &group), follower.parked, "{group}: what was parked is parked");
            assert!(follower.again <= follower.again_max, "{group}: {} times again", follower.again);
        }
    }
}

impl Follower {
    /// A message is handled now.
    fn handle(&mut self, id: u64, context: &str) {
        assert!(!self.is_settled(id), "{context}: settled, and handled again, id={id}");
        assert!(!self.parked.contains(&id), "{context}: parked, and handled again, id={id}");
        self.again += usize::from(self.handled.contains(&id));
    }

    fn is_settled(&self, id: u64) -> bool {
        self.settled.iter().any(|(first, last)| (*first..=*last).contains(&id))
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap()
}

/// What a group has parked, as it says.
fn parked(store: &EventStore, group: &GroupName) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    let mut from = Position::START;
    loop {
        match store.groups().parked(group, from, 1000) {
            Err(GroupError::NoSuchGroup { .. }) => return all,
            page => {
                let page = page.unwrap();
                let Some(last) = page.last() else { return all };
                from = last.id.0.next();
                all.extend(page.iter().map(|message| message.id.0.0));
            }
        }
    }
}

/// What its newest progress document says is settled.
fn settled(store: &EventStore, group: &GroupName) -> Vec<(u64, u64)> {
    let newest = ReadOptions { direction: Direction::Backward, limit: Some(1), ..ReadOptions::default() };
    let Ok(mut read) = store.read_stream(group.checkpoint_stream(), newest) else { return Vec::new() };
    let Some(event) = read.next() else { return Vec::new() };
    let progress: serde_json::Value = serde_json::from_slice(&event.unwrap().data).unwrap();
    let mut settled: Vec<(u64, u64)> = serde_json::from_value(progress["settled"].clone()).unwrap_or_default();
    settled.extend(progress["checkpoint"].as_u64().unwrap().checked_sub(1).map(|last| (0, last)));
    settled
}
