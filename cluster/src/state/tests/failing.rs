//! When failures and losses end a job, and when they do not.

use super::world::*;
use crate::command::Command;
use crate::model::*;

#[test]
fn a_permanent_failure_ends_the_job_at_once() {
    let mut world = World::submitted();
    let granted = world.grant(TaskKind::Prepare).unwrap();
    world.report(&granted, Err(failure(true))).unwrap();
    assert_eq!(world.job().status, JobStatus::Failed);
    let error = world.job().error.as_ref().unwrap();
    assert_eq!(error.code, "invalid_source");
    assert_eq!(error.path.as_deref(), Some("elements[0].source_url"));
    assert_eq!(world.events().last(), Some(&JobStatus::Failed));
}

#[test]
fn the_third_failure_of_a_task_ends_the_job() {
    let kind = TaskKind::Segment(0);
    let mut world = World::planned();
    for count in 1..=3 {
        assert_eq!(world.job().status, JobStatus::Processing);
        let granted = world.grant(kind).unwrap();
        let mut failed = report(&granted, Err(failure(false)));
        failed.retry_at = LogTime(world.time + 500);
        world.try_report(failed).unwrap();
        if count < 3 {
            let task = world.task(kind);
            assert_eq!(task.failures, count);
            assert!(!task.is_grantable(LogTime(world.time + 499)));
            assert!(task.is_grantable(LogTime(world.time + 500)));
        }
    }
    assert_eq!(world.job().status, JobStatus::Failed);
    assert_eq!(world.job().error.as_ref().unwrap().code, "invalid_source");
}

#[test]
fn the_third_loss_of_a_task_ends_the_job() {
    type Lose = fn(&mut World, u128);
    let ways: [(&str, Lose); 2] = [
        ("leases that ran out", |world, _| {
            let live = world.task(TaskKind::Audio).live[0].clone();
            let granted = crate::command::Granted {
                task: TaskRef {
                    job: JOB,
                    kind: TaskKind::Audio,
                },
                epoch: live.epoch,
                attempt: live.number,
                generation: live.generation,
                frames: None,
            };
            world.release(&granted, true);
        }),
        ("nodes that restarted", |world, round| {
            world.apply(Command::RegisterNode(node(NODE, round + 2)));
        }),
    ];
    for (what, lose) in ways {
        let mut world = World::planned();
        for round in 0..3 {
            assert_eq!(world.job().status, JobStatus::Processing, "{what}");
            let incarnation = world.state.nodes[&NODE].incarnation;
            let grant = crate::command::Grant {
                incarnation,
                ..grant(TaskKind::Audio)
            };
            world.try_grant(grant).unwrap();
            lose(&mut world, round);
        }
        assert_eq!(world.job().status, JobStatus::Failed, "{what}");
        let error = world.job().error.as_ref().unwrap();
        assert_eq!(error.code, "engine_error", "{what}");
        assert!(
            error.message.contains("mixing the sound"),
            "{what}: {}",
            error.message
        );
    }
}

#[test]
fn a_node_that_held_two_tasks_of_a_doomed_job_restarts() {
    let mut world = World::planned();
    for round in 0..3u128 {
        for kind in [TaskKind::Audio, TaskKind::Segment(0), TaskKind::Segment(1)] {
            let incarnation = world.state.nodes[&NODE].incarnation;
            world
                .try_grant(crate::command::Grant {
                    incarnation,
                    ..grant(kind)
                })
                .unwrap();
        }
        world.apply(Command::RegisterNode(node(NODE, round + 2)));
    }
    assert_eq!(world.job().status, JobStatus::Failed);
}

#[test]
fn the_history_of_a_task_is_short() {
    let kind = TaskKind::Segment(0);
    let mut world = World::planned();
    for _ in 0..20 {
        let granted = world.grant(kind).unwrap();
        world.release(&granted, false);
    }
    let task = world.task(kind);
    assert_eq!(task.history.len(), crate::state::HISTORY_LEN);
    assert_eq!(task.attempts, 20);
    assert_eq!(task.history.last().unwrap().0.number, 20);
}
