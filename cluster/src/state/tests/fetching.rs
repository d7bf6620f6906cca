//! The task that fetches a render's remote sources, and tasks that are opened again.

use super::world::*;
use crate::command::{Command, Outcome};
use crate::model::*;
use crate::state::TaskPhase;

fn with_sources(assets: Vec<AssetUse>) -> World {
    let mut world = World::new();
    let admission = Admission {
        submission: submission(JOB),
        assets,
        webhook_url: None,
        has_destination: false,
    };
    let new = NewRender {
        admission,
        has_remote_sources: true,
    };
    let outcome = world.apply(Command::AdmitRender(new));
    assert_eq!(outcome, Outcome::Submitted(JOB));
    world
}

fn phase(world: &World, kind: TaskKind) -> TaskPhase {
    world.task(kind).phase.clone()
}

fn reopen(world: &mut World, generation: u32, tasks: &[TaskKind]) {
    world.apply(Command::ReopenTasks {
        job: JOB,
        generation: Generation(generation),
        tasks: tasks.to_vec(),
    });
}

#[test]
fn sources_are_fetched_before_the_render_is_prepared() {
    let mut world = with_sources(vec![]);
    assert_eq!(phase(&world, TaskKind::Fetch), TaskPhase::Open);
    assert_eq!(phase(&world, TaskKind::Prepare), TaskPhase::Blocked);
    let granted = world.grant(TaskKind::Fetch).unwrap();
    assert_eq!(world.job().status, JobStatus::Processing);
    world.report(&granted, Ok(TaskOutput::Fetched)).unwrap();
    let again = world.report(&granted, Ok(TaskOutput::Fetched));
    assert_eq!(again, Ok(()), "a repeated report is accepted");
    assert_eq!(phase(&world, TaskKind::Prepare), TaskPhase::Open);
    world.do_task(TaskKind::Prepare);
    assert!(world.job().plan.is_some());
}

#[test]
fn a_render_that_waits_for_an_upload_fetches_when_it_is_there() {
    let upload = upload(7);
    let used = AssetUse {
        asset: upload.asset,
        path: "elements[0].source_url".to_owned(),
    };
    let mut world = World::new();
    world.apply(Command::CreateAsset(upload.clone()));
    let new = NewRender {
        admission: Admission {
            submission: submission(JOB),
            assets: vec![used],
            webhook_url: None,
            has_destination: false,
        },
        has_remote_sources: true,
    };
    world.apply(Command::AdmitRender(new));
    assert_eq!(phase(&world, TaskKind::Fetch), TaskPhase::Blocked);
    world.apply(Command::AssetArrived {
        asset: upload.asset,
        arrival: Arrival::Parts { size: 5 },
    });
    let is_ingest = |kind| matches!(kind, JobKind::Ingest(_));
    world.do_transfer(is_ingest, TaskKind::Ingest, Ok(output(TaskKind::Ingest)));
    assert_eq!(phase(&world, TaskKind::Fetch), TaskPhase::Open);
    assert_eq!(phase(&world, TaskKind::Prepare), TaskPhase::Blocked);
}

#[test]
fn sources_lost_with_their_node_are_fetched_again() {
    let mut world = with_sources(vec![]);
    world.do_task(TaskKind::Fetch);
    let preparing = world.grant(TaskKind::Prepare).unwrap();
    reopen(&mut world, 0, &[TaskKind::Fetch]);
    assert_eq!(phase(&world, TaskKind::Fetch), TaskPhase::Open);
    assert_eq!(phase(&world, TaskKind::Prepare), TaskPhase::Blocked);
    assert!(world.report(&preparing, Ok(plan(3, true))).is_err());
    world.do_task(TaskKind::Fetch);
    world.do_task(TaskKind::Prepare);
    reopen(&mut world, 1, &[TaskKind::Fetch]);
    let fetch = phase(&world, TaskKind::Fetch);
    assert_eq!(fetch, TaskPhase::Done(None), "the plan is there already");
}

#[test]
fn a_failed_fetch_is_tried_again_and_the_third_ends_the_job() {
    let mut world = with_sources(vec![]);
    for _ in 0..3 {
        let granted = world.grant(TaskKind::Fetch).unwrap();
        world.report(&granted, Err(failure(false))).unwrap();
    }
    assert_eq!(world.job().status, JobStatus::Failed);
}

#[test]
fn inputs_that_are_done_again_take_back_what_was_charged_to_the_join() {
    let mut world = World::rendered();
    for _ in 0..2 {
        let join = world.grant(TaskKind::Join).unwrap();
        world.report(&join, Err(failure(false))).unwrap();
    }
    let damaged = [TaskKind::Segment(0), TaskKind::Segment(2), TaskKind::Audio];
    reopen(&mut world, 1, &damaged);
    assert_eq!(world.task(TaskKind::Join).failures, 0);
    for kind in damaged {
        world.do_task(kind);
    }
    world.do_task(TaskKind::Join);
    assert_eq!(world.job().status, JobStatus::Completed);
}

#[test]
fn a_store_that_keeps_losing_a_file_fails_the_job() {
    let kind = TaskKind::Segment(1);
    let mut world = World::rendered();
    for _ in 0..3 {
        reopen(&mut world, 1, &[kind]);
        assert_eq!(world.job().status, JobStatus::Processing);
        world.do_task(kind);
    }
    reopen(&mut world, 1, &[kind]);
    assert_eq!(world.job().status, JobStatus::Failed);
    let error = world.job().error.clone().unwrap();
    assert_eq!(error.code, "storage_unavailable");
    assert_eq!(
        error.message,
        "what came of rendering segment 1 was found damaged 4 times"
    );
}
