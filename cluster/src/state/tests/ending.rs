//! Terminal states, what they keep, and retention.

use super::world::*;
use crate::codec;
use crate::command::{Command, Outcome, Rejection};
use crate::model::*;

fn cancel(workspace: &str) -> Command {
    Command::CancelJob {
        job: JOB,
        workspace: workspace.to_owned(),
    }
}

fn fail() -> Command {
    Command::FailJob {
        job: JOB,
        error: JobError {
            code: "render_timeout".to_owned(),
            message: "the render took longer than it may".to_owned(),
            path: None,
        },
    }
}

fn ended(how: JobStatus) -> World {
    let mut world = World::rendered();
    match how {
        JobStatus::Completed => drop(world.do_task(TaskKind::Join)),
        JobStatus::Failed => drop(world.apply(fail())),
        JobStatus::Cancelled => drop(world.apply(cancel("acme"))),
        JobStatus::Queued | JobStatus::Processing => {}
    }
    assert_eq!(world.job().status, how);
    world
}

#[test]
fn the_first_end_in_the_log_stands() {
    let rejected = || Outcome::Rejected(Rejection::JobEnded);
    let unknown = || Outcome::Rejected(Rejection::UnknownJob);
    let cases = [
        (JobStatus::Processing, cancel("acme"), Outcome::Accepted),
        (JobStatus::Processing, cancel("other"), unknown()),
        (JobStatus::Cancelled, cancel("acme"), Outcome::Accepted),
        (JobStatus::Cancelled, cancel("other"), unknown()),
        (JobStatus::Cancelled, fail(), rejected()),
        (JobStatus::Failed, cancel("acme"), rejected()),
        (JobStatus::Failed, fail(), rejected()),
        (JobStatus::Completed, cancel("acme"), rejected()),
        (JobStatus::Completed, fail(), rejected()),
    ];
    for (before, command, want) in cases {
        let mut world = ended(before);
        let kept = world.job().clone();
        let what = format!("{before:?}, then {command:?}");
        assert_eq!(world.apply(command), want, "{what}");
        if before.is_terminal() {
            assert_eq!(*world.job(), kept, "{what}");
        }
    }
}

#[test]
fn a_cancel_before_the_artifact_wins_over_it() {
    let mut world = World::rendered();
    let join = world.grant(TaskKind::Join).unwrap();
    world.apply(cancel("acme"));
    let late = world.report(&join, Ok(output(TaskKind::Join)));
    assert_eq!(late, Err(Rejection::JobEnded));
    assert_eq!(world.job().status, JobStatus::Cancelled);
    assert_eq!(world.grant(TaskKind::Join), Err(Rejection::JobEnded));
}

#[test]
fn an_ended_job_is_small() {
    for how in [
        JobStatus::Completed,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ] {
        let world = ended(how);
        let size = codec::encode(world.job()).unwrap().len();
        assert!(size <= 512, "{how:?} takes {size} bytes");
    }
    let mut world = World::submitted();
    let granted = world.grant(TaskKind::Prepare).unwrap();
    let talkative = Failure {
        message: "é".repeat(10_000),
        path: Some("elements[1]".repeat(100)),
        ..failure(true)
    };
    world.report(&granted, Err(talkative)).unwrap();
    let size = codec::encode(world.job()).unwrap().len();
    assert!(size <= 512, "a long error takes {size} bytes");
}

#[test]
fn retention_drops_what_is_old_and_ended() {
    let row = IdempotencyRow {
        key: "k".to_owned(),
        scope: "POST /v1/renders".to_owned(),
        body: Digest([1; 32]),
    };
    // Before, and jobs and keys left.
    let cases = [
        ("nothing is old", 0, 0, 2, 1),
        ("keys are old", 20_000, 0, 2, 0),
        ("jobs are old, and their keys with them", 0, 20_000, 1, 0),
    ];
    for (what, idempotency_before, jobs_before, jobs, keys) in cases {
        let mut world = World::new();
        world.apply(Command::SubmitJob(Submission {
            idempotency: Some(row.clone()),
            ..submission(JOB)
        }));
        world.apply(Command::SubmitJob(submission(JobId(2))));
        world.time = 10_000;
        world.apply(cancel("acme"));
        world.apply(Command::Sweep {
            idempotency_before: LogTime(idempotency_before),
            jobs_before: LogTime(jobs_before),
        });
        assert_eq!(world.state.jobs.len(), jobs, "{what}");
        assert_eq!(world.state.idempotency.len(), keys, "{what}");
        assert!(
            world.state.jobs.contains_key(&JobId(2)),
            "{what}: it goes on"
        );
    }
}
