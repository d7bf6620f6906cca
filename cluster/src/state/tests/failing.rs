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
        failed.retry_after_millis = 500;
        world.try_report(failed).unwrap();
        if count < 3 {
            let task = world.task(kind);
            assert_eq!(task.failures, count);
            assert!(!task.is_grantable(RanTime(world.time + 499)));
            assert!(task.is_grantable(RanTime(world.time + 500)));
        }
    }
    assert_eq!(world.job().status, JobStatus::Failed);
    assert_eq!(world.job().error.as_ref().unwrap().code, "invalid_source");
}

#[test]
fn the_third_loss_of_a_task_ends_the_job() {
    let kind = TaskKind::Audio;
    let mut world = World::planned();
    for _ in 0..3 {
        assert_eq!(world.job().status, JobStatus::Processing);
        let granted = world.grant(kind).unwrap();
        world.release(&granted, LOST);
    }
    assert_eq!(world.job().status, JobStatus::Failed);
    let error = world.job().error.as_ref().unwrap();
    assert_eq!(error.code, "engine_error");
    assert!(
        error.message.contains("mixing the sound"),
        "{}",
        error.message
    );
}

#[test]
fn at_level_0_a_node_that_held_two_tasks_of_a_doomed_job_restarts() {
    let mut world = World::planned();
    // As if it had never been raised: rounds still work, registrations count.
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
        let level = std::mem::take(&mut world.state.level);
        world.apply(Command::RegisterNode(node(NODE, round + 2)));
        world.state.level = level;
    }
    assert_eq!(world.job().status, JobStatus::Failed);
}

#[test]
fn the_history_of_a_task_is_short() {
    let kind = TaskKind::Segment(0);
    let mut world = World::planned();
    for _ in 0..20 {
        let granted = world.grant(kind).unwrap();
        world.release(&granted, HANDED_BACK);
    }
    let task = world.task(kind);
    assert_eq!(task.history.len(), crate::state::HISTORY_LEN);
    assert_eq!(task.attempts, 20);
    assert_eq!(task.history.last().unwrap().0.number, 20);
}

#[test]
fn want_of_space_counts_against_no_render() {
    let kind = TaskKind::Segment(0);
    let mut world = World::planned();
    let no_space = || Failure {
        code: "storage_unavailable".to_owned(),
        message: "storage is full".to_owned(),
        path: Some(Failure::NO_SPACE.to_owned()),
        permanent: false,
    };
    for _ in 0..10 {
        let granted = world.grant(kind).unwrap();
        let mut failed = report(&granted, Err(no_space()));
        failed.retry_after_millis = 500;
        world.try_report(failed).unwrap();
        let task = world.task(kind);
        assert_eq!(task.failures, 0);
        assert!(!task.is_grantable(RanTime(world.time + 499)));
        world.time += 500;
    }
    assert_eq!(world.job().status, JobStatus::Processing);
}
