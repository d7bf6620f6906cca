//! From the plan to the join, and the ways back.

use super::world::*;
use crate::command::{Command, Outcome, Rejection};
use crate::model::*;
use crate::state::TaskPhase;

#[test]
fn an_accepted_plan_makes_the_tasks() {
    let world = World::planned();
    let kinds: Vec<TaskKind> = world.job().tasks.keys().copied().collect();
    let want = [
        TaskKind::Prepare,
        TaskKind::Audio,
        TaskKind::Segment(0),
        TaskKind::Segment(1),
        TaskKind::Segment(2),
        TaskKind::Join,
    ];
    assert_eq!(kinds, want);
    assert_eq!(world.job().generation, Generation(1));
    assert_eq!(world.job().frames, Some(180));
    assert_eq!(world.job().plan.as_ref().unwrap().prepared_by, NODE);
    assert_eq!(world.task(TaskKind::Join).phase, TaskPhase::Blocked);
}

#[test]
fn a_plan_must_cover_the_output_without_gaps() {
    let range = |start, end| FrameRange { start, end };
    let cases = [
        ("nothing", vec![], 0),
        ("a late start", vec![range(1, 60)], 60),
        ("a gap", vec![range(0, 60), range(61, 120)], 120),
        ("an overlap", vec![range(0, 60), range(59, 120)], 120),
        ("an empty cut", vec![range(0, 60), range(60, 60)], 60),
        ("an early end", vec![range(0, 60)], 61),
    ];
    for (what, segments, frames) in cases {
        let mut world = World::submitted();
        let granted = world.grant(TaskKind::Prepare).unwrap();
        let TaskOutput::Plan { object, mut facts } = plan(1, false) else {
            unreachable!("plan() makes a plan");
        };
        facts.segments = segments;
        facts.frames = frames;
        let unsound = TaskOutput::Plan { object, facts };
        world.report(&granted, Ok(unsound)).unwrap();
        assert!(world.job().plan.is_none(), "{what}");
        assert_eq!(world.task(TaskKind::Prepare).failures, 1, "{what}");
    }
}

#[test]
fn the_join_opens_when_the_last_input_is_there() {
    let order = [
        TaskKind::Segment(2),
        TaskKind::Audio,
        TaskKind::Segment(0),
        TaskKind::Segment(1),
    ];
    let mut world = World::planned();
    for (done, kind) in order.into_iter().enumerate() {
        assert_eq!(
            world.task(TaskKind::Join).phase,
            TaskPhase::Blocked,
            "{done}"
        );
        assert_eq!(world.job().join_inputs(), None);
        world.do_task(kind);
    }
    assert_eq!(world.task(TaskKind::Join).phase, TaskPhase::Open);
    assert_eq!(world.job().frames_done, 180);
    let inputs = world.job().join_inputs().unwrap();
    let keys: Vec<&str> = inputs.iter().map(|input| input.key.0.as_str()).collect();
    let want = [
        "jobs/1/segment/0",
        "jobs/1/segment/1",
        "jobs/1/segment/2",
        "jobs/1/audio",
    ];
    assert_eq!(keys, want);
}

#[test]
fn every_visible_change_raises_the_sequence() {
    let mut world = World::planned();
    let mut last = world.job().sequence;
    for segment in 0..3 {
        world.do_task(TaskKind::Segment(segment));
        assert!(world.job().sequence > last);
        assert_eq!(world.job().changed_at, world.state.applied);
        last = world.job().sequence;
    }
}

#[test]
fn cached_segments_are_counted() {
    let mut world = World::planned();
    let granted = world.grant(TaskKind::Segment(0)).unwrap();
    let cached = TaskOutput::Segment {
        object: object("s"),
        from_cache: true,
    };
    world.report(&granted, Ok(cached)).unwrap();
    world.do_task(TaskKind::Segment(1));
    assert_eq!(world.job().segments_from_cache, 1);
}

#[test]
fn the_artifact_completes_the_job() {
    let mut world = World::rendered();
    world.time = 77_000;
    world.do_task(TaskKind::Join);
    let job = world.job();
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(job.artifact, Some(artifact()));
    assert_eq!(job.finished_at, Some(LogTime(77_000)));
    assert_eq!(
        (job.segment_count, job.frames, job.frames_done),
        (3, Some(180), 180)
    );
    assert!(job.tasks.is_empty() && job.plan.is_none());
    assert!(!world.state.active.contains_key(&JOB));
    assert_eq!(world.events().last(), Some(&JobStatus::Completed));
}

#[test]
fn a_damaged_input_is_made_again_without_the_cache() {
    let mut world = World::rendered();
    let join = world.grant(TaskKind::Join).unwrap();
    let reopen = |generation, tasks| Command::ReopenTasks {
        job: JOB,
        generation,
        tasks,
    };
    assert_eq!(
        world.apply(reopen(Generation(2), vec![TaskKind::Segment(1)])),
        Outcome::Rejected(Rejection::StaleGeneration)
    );
    let bad = vec![
        TaskKind::Segment(1),
        TaskKind::Segment(9),
        TaskKind::Prepare,
    ];
    assert_eq!(world.apply(reopen(Generation(1), bad)), Outcome::Accepted);
    let segment = world.task(TaskKind::Segment(1));
    assert_eq!(segment.phase, TaskPhase::Open);
    assert!(segment.no_cache);
    assert_eq!(segment.failures, 0);
    assert!(world.task(TaskKind::Prepare).is_done());
    assert_eq!(world.task(TaskKind::Join).phase, TaskPhase::Blocked);
    assert_eq!(world.job().frames_done, 180, "progress never decreases");
    assert_eq!(
        world.report(&join, Ok(output(TaskKind::Join))),
        Err(Rejection::TaskNotOpen)
    );
    world.do_task(TaskKind::Segment(1));
    world.do_task(TaskKind::Join);
    assert_eq!(world.job().status, JobStatus::Completed);
}

#[test]
fn a_replan_renders_everything_again_under_any_fingerprint() {
    let mut world = World::rendered();
    let join = world.grant(TaskKind::Join).unwrap();
    let replan = |generation| Command::Replan {
        job: JOB,
        generation,
    };
    assert_eq!(world.apply(replan(Generation(1))), Outcome::Accepted);
    assert_eq!(
        world.apply(replan(Generation(1))),
        Outcome::Rejected(Rejection::StaleGeneration),
        "the same replan again must not start over once more"
    );
    assert_eq!(world.job().generation, Generation(2));
    assert_eq!(world.job().fingerprint, None);
    assert!(world.task(TaskKind::Prepare).is_done());
    assert_eq!(world.task(TaskKind::Segment(0)).phase, TaskPhase::Open);
    assert_eq!(world.task(TaskKind::Audio).phase, TaskPhase::Open);
    assert_eq!(
        world.report(&join, Ok(output(TaskKind::Join))),
        Err(Rejection::StaleGeneration)
    );
    let granted = world.grant(TaskKind::Segment(0)).unwrap();
    assert_eq!(granted.generation, Generation(2));
    world
        .report(&granted, Ok(output(TaskKind::Segment(0))))
        .unwrap();
}

#[test]
fn there_is_nothing_to_replan_before_the_plan() {
    let mut world = World::submitted();
    let replan = Command::Replan {
        job: JOB,
        generation: Generation(0),
    };
    assert_eq!(
        world.apply(replan),
        Outcome::Rejected(Rejection::TaskNotOpen)
    );
}
