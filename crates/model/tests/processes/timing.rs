//! Times that come: durable, cancelled, in their order.

use gesta_model::process::InstanceState;

use super::*;

/// Somebody who must answer within a day.
#[derive(Event, Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Question {
    #[event("asked", at = "question-{question}")]
    Asked { question: u32 },
    #[event("answered", at = "question-{question}")]
    Answered { question: u32 },
    #[event("reminded", at = "question-{question}")]
    Reminded { question: u32 },
    #[event("given-up", at = "question-{question}")]
    GivenUp { question: u32 },
}

#[derive(Clone, Debug, Default)]
struct Answering;

impl Model for Answering {
    type Event = Question;
    type Key = u32;
    const AT: &'static str = "question-*";
    fn apply(&mut self, _: &Question, _: &Place<'_>) {}
}

const HOUR: Duration = Duration::from_secs(3600);

impl Process for Answering {
    const NAME: &'static str = "answering";
    type Sends = ();
    fn react(&self, event: &Question, _: &Hearing<'_>) -> Vec<Effect<Self>> {
        match *event {
            Question::Asked { question } => vec![
                Effect::append(Question::GivenUp { question }).after(24 * HOUR).named("wait"),
                Effect::append(Question::Reminded { question }).after(12 * HOUR).named("wait"),
            ],
            Question::Answered { .. } => vec![Effect::cancel("wait")],
            Question::GivenUp { .. } => vec![Effect::complete()],
            Question::Reminded { .. } => vec![],
        }
    }
}

fn kinds(world: &World, question: u32) -> Vec<String> {
    let log = world.log();
    log[&format!("question-{question}")].iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn timers_fire_in_their_order_at_their_time_and_not_when_cancelled() {
    let mut world = World::new();
    world.process::<Answering>();
    world.records([Question::Asked { question: 1 }, Question::Asked { question: 2 }]);
    let instances = world.domain().instances::<Answering>().unwrap();
    let status = instances.get("1").unwrap().unwrap();
    assert_eq!((status.state, status.open.len()), (InstanceState::Running, 2));
    assert_eq!(status.open[0].what, "append given-up to question-1");
    world.advance(11 * HOUR);
    assert_eq!(kinds(&world, 1), ["asked"]);
    world.advance(2 * HOUR);
    assert_eq!(kinds(&world, 1), ["asked", "reminded"]);
    world.records([Question::Answered { question: 2 }]);
    world.advance(12 * HOUR);
    assert_eq!(kinds(&world, 1), ["asked", "reminded", "given-up"]);
    assert_eq!(kinds(&world, 2), ["asked", "reminded", "answered"]);
}

#[test]
fn timers_outlive_the_program_and_fire_when_it_is_back_though_nothing_is_recorded() {
    let mut world = World::new();
    world.process::<Answering>();
    world.records([Question::Asked { question: 1 }]);
    world.crash();
    world.clock().advance(30 * HOUR);
    world.settle();
    assert_eq!(kinds(&world, 1), ["asked", "reminded", "given-up"]);
}

#[test]
fn what_was_due_before_an_event_was_recorded_comes_first_however_late_the_process_is() {
    // Late, as a process that was down: the answer came an hour after the time was over.
    let mut world = World::new();
    world.records([Question::Asked { question: 1 }]);
    world.clock().advance(25 * HOUR);
    world.records([Question::Answered { question: 1 }]);
    world.process::<Answering>();
    world.settle();
    assert_eq!(kinds(&world, 1), ["asked", "answered", "reminded", "given-up"]);
    // In time, and heard late.
    world.restart();
    let mut world = World::new();
    world.records([Question::Asked { question: 1 }]);
    world.clock().advance(13 * HOUR);
    world.records([Question::Answered { question: 1 }]);
    world.clock().advance(30 * HOUR);
    world.process::<Answering>();
    world.settle();
    assert_eq!(kinds(&world, 1), ["asked", "answered", "reminded"]);
}

#[test]
fn a_completed_instance_hears_nothing_more() {
    let mut world = World::new();
    world.process::<Answering>();
    world.records([Question::GivenUp { question: 1 }]);
    world.records([Question::Asked { question: 1 }]);
    world.advance(48 * HOUR);
    assert_eq!(kinds(&world, 1), ["given-up", "asked"]);
    let status = world.domain().instances::<Answering>().unwrap().get("1").unwrap().unwrap();
    assert_eq!(status.state, InstanceState::Completed);
}

#[test]
fn who_waits_is_known_after_a_restart_that_does_not_read_how_it_began() {
    let mut world = World::new();
    world.process_with::<Answering>(|setup| {
        setup.options(ProcessOptions { roster_records: 2, ..ProcessOptions::default() })
    });
    world.records([Question::Asked { question: 1 }]);
    // Others come and go, and rosters are written.
    for question in 2..9 {
        world.records([Question::GivenUp { question }]);
    }
    let roster = world.domain().store().stream_status(&"$process:answering:roster".try_into().unwrap()).unwrap();
    assert_ne!(roster, gesta_store::StreamStatus::Missing);
    world.crash();
    world.clock().advance(30 * HOUR);
    world.settle();
    assert_eq!(kinds(&world, 1), ["asked", "reminded", "given-up"]);
}
