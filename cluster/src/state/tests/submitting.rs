//! Admission and its idempotency.

use super::world::*;
use crate::command::{Command, Outcome, Rejection};
use crate::model::*;
use crate::state::{IDEMPOTENCY_WINDOW_MILLIS, TaskPhase};

fn with_key(job: u128, key: &str, body: u8) -> Command {
    Command::SubmitJob(Submission {
        idempotency: Some(IdempotencyRow {
            key: key.to_owned(),
            scope: "POST /v1/renders".to_owned(),
            body: Digest([body; 32]),
        }),
        ..submission(JobId(job))
    })
}

#[test]
fn a_new_job_is_queued_and_announced() {
    let world = World::submitted();
    let job = world.job();
    assert_eq!(job.status, JobStatus::Queued);
    assert_eq!(job.sequence, Seq(1));
    assert_eq!(job.changed_at, world.state.applied);
    assert_eq!(world.task(TaskKind::Prepare).phase, TaskPhase::Open);
    assert_eq!(world.events(), [JobStatus::Queued]);
    assert!(world.state.active.contains_key(&JOB));
}

#[test]
fn a_key_admits_one_job_for_a_day() {
    let day = IDEMPOTENCY_WINDOW_MILLIS;
    let conflict = Outcome::Rejected(Rejection::IdempotencyConflict);
    let cases = [
        (
            "the same body",
            with_key(2, "k", 1),
            0,
            Outcome::Replayed(JOB),
        ),
        ("another body", with_key(2, "k", 2), 0, conflict),
        (
            "another key",
            with_key(2, "l", 1),
            0,
            Outcome::Submitted(JobId(2)),
        ),
        (
            "just within a day",
            with_key(2, "k", 1),
            day - 1,
            Outcome::Replayed(JOB),
        ),
        (
            "a day later",
            with_key(2, "k", 1),
            day,
            Outcome::Submitted(JobId(2)),
        ),
        (
            "another body a day later",
            with_key(2, "k", 2),
            day,
            Outcome::Submitted(JobId(2)),
        ),
    ];
    for (what, command, later, want) in cases {
        let mut world = World::new();
        world.apply(with_key(1, "k", 1));
        world.time += later;
        assert_eq!(world.apply(command), want, "{what}");
    }
}

#[test]
fn a_replay_finds_the_job_whatever_became_of_it() {
    let mut world = World::new();
    world.apply(with_key(1, "k", 1));
    world.apply(Command::CancelJob {
        job: JOB,
        workspace: "acme".to_owned(),
    });
    let before = world.state.clone();
    assert_eq!(world.apply(with_key(2, "k", 1)), Outcome::Replayed(JOB));
    assert_eq!(world.state.jobs, before.jobs);
    assert_eq!(world.state.deliveries, before.deliveries);
}

#[test]
fn another_workspace_has_keys_of_its_own() {
    let mut world = World::new();
    world.apply(with_key(1, "k", 1));
    let Command::SubmitJob(mut theirs) = with_key(2, "k", 1) else {
        unreachable!("with_key submits");
    };
    theirs.workspace = "other".to_owned();
    let outcome = world.apply(Command::SubmitJob(theirs));
    assert_eq!(outcome, Outcome::Submitted(JobId(2)));
}

#[test]
fn the_same_proposal_again_has_no_second_effect() {
    let mut world = World::new();
    world.apply(with_key(1, "k", 1));
    world.grant(TaskKind::Prepare).unwrap();
    let before = world.state.clone();
    assert_eq!(world.apply(with_key(1, "k", 1)), Outcome::Submitted(JOB));
    assert_eq!(world.state.jobs, before.jobs);
    assert_eq!(world.state.deliveries, before.deliveries);
    assert_eq!(world.state.idempotency, before.idempotency);
}

#[test]
fn log_time_never_goes_back() {
    let mut world = World::submitted();
    let before = world.state.now;
    world.time = 0;
    world.apply(Command::SubmitJob(submission(JobId(2))));
    assert_eq!(world.state.now, before);
    assert_eq!(world.state.jobs[&JobId(2)].submitted_at, before);
}

#[test]
fn priorities_stay_in_their_range() {
    let mut world = World::submitted();
    for (asked, kept) in [(3, 3), (-128, -10), (127, 10)] {
        let outcome = world.apply(Command::SetPriority {
            job: JOB,
            priority: asked,
        });
        assert_eq!(outcome, Outcome::Accepted);
        assert_eq!(world.job().priority, kept);
    }
}
