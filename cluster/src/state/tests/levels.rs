//! What a level changes beside single commands: the clocks, which commands there are, and
//! how the state is written.

use super::world::*;
use crate::command::{Batch, Command, Outcome, Rejection, Retention, Round, Stamped};
use crate::model::*;
use crate::state::{State, decode, encode};

fn at(now: u64, ran: Option<u64>, command: Command) -> Stamped {
    Stamped {
        at: LogTime(now),
        ran: ran.map(RanTime),
        command,
    }
}

#[test]
fn a_level_is_raised_and_never_lowered() {
    let mut world = World::of_level(Level(0));
    assert_eq!(world.state.level, Level(0));
    let unknown = Command::RaiseLevel(Level(Level::NEWEST.0 + 1));
    assert_eq!(
        world.apply(unknown),
        Outcome::Rejected(Rejection::WrongLevel)
    );
    world.apply(Command::RaiseLevel(Level::NEWEST));
    world.apply(Command::RaiseLevel(Level(0)));
    assert_eq!(world.state.level, Level::NEWEST);
}

#[test]
fn a_command_of_another_level_is_rejected() {
    let wrong = || Outcome::Rejected(Rejection::WrongLevel);
    let mut old = World::of_level(Level(0));
    assert_eq!(old.apply(Command::Round(Round::default())), wrong());
    assert_eq!(old.apply(Command::Retain(Retention::NONE)), wrong());
    let mut first = World::of_level(Level(1));
    let forget = Command::ForgetDeliveries(vec![DeliveryId(1)]);
    assert_eq!(first.apply(forget.clone()), wrong());
    let mut new = World::new();
    assert_eq!(new.apply(forget), Outcome::Accepted);
    assert_eq!(new.apply(Command::Batch(Batch::default())), wrong());
}

#[test]
fn running_time_is_log_time_until_the_level_is_raised_and_goes_on_from_there() {
    let mut state = State::default();
    let cases = [
        // Log time, running time in the command, its kind; both clocks after it.
        (1_000, None, 0, (1_000, 1_000)),
        (5_000, Some(9), 0, (5_000, 5_000)),
        (6_000, None, 1, (6_000, 6_000)),
        // From here on the two part: wall clocks jump, running time does not.
        (90_000_000, Some(6_010), 0, (90_000_000, 6_010)),
        (7_000, Some(6_020), 0, (90_000_000, 6_020)),
        (7_000, Some(5_000), 0, (90_000_000, 6_020)),
        (7_000, None, 0, (90_000_000, 6_020)),
    ];
    for (index, (now, ran, level, want)) in (1..).zip(cases) {
        let command = match level {
            0 => Command::ExpireUploads,
            level => Command::RaiseLevel(Level(level)),
        };
        state.apply(LogIndex(index), at(now, ran, command));
        assert_eq!((state.now.0, state.ran.0), want, "entry {index}");
    }
}

#[test]
fn a_jump_of_log_time_keeps_no_task_waiting_and_makes_no_job_older() {
    let mut world = World::submitted();
    let granted = world.grant(TaskKind::Prepare).unwrap();
    let mut failed = report(&granted, Err(failure(false)));
    failed.retry_after_millis = 1_000;
    world.try_report(failed).unwrap();
    let waits_until = world.task(TaskKind::Prepare).not_before;
    assert_eq!(waits_until, RanTime(2_000));
    let index = LogIndex(world.state.applied.0 + 1);
    let jump = at(400 * 86_400_000, Some(1_500), Command::ExpireUploads);
    world.state.apply(index, jump);
    let task = world.task(TaskKind::Prepare);
    assert!(!task.is_grantable(world.state.ran));
    assert!(task.is_grantable(RanTime(2_000)));
    let age = world.state.ran.millis_since(world.job().submitted_ran);
    assert_eq!(age, 500);
}

#[test]
fn a_state_is_written_in_the_shape_of_its_level() {
    let mut old = World::of_level(Level(0));
    old.apply(Command::SubmitJob(submission(JOB)));
    let new = World::rendered();
    for (state, version) in [(&old.state, 2), (&new.state, 3)] {
        let bytes = encode(state).unwrap();
        assert_eq!(bytes[1], version);
        assert_eq!(decode(&bytes).unwrap(), *state);
    }
}

#[test]
fn retention_goes_by_age() {
    let mut world = World::submitted();
    world.time = 10_000;
    world.apply(Command::CancelJob {
        job: JOB,
        workspace: "acme".to_owned(),
    });
    world.time = 15_000;
    let keep = |jobs| {
        Command::Retain(Retention {
            jobs,
            ..Retention::NONE
        })
    };
    world.apply(keep(5_000));
    assert_eq!(world.state.jobs.len(), 1, "it is 5 s old, not older");
    world.apply(keep(4_999));
    assert_eq!(world.state.jobs.len(), 0);
}
