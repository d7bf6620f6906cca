//! The whole tree in one process: real actors, real slots, real child processes; only the
//! coordinator's log, the host and what the children render are fakes.

mod faults;
mod support;
mod transfers;

use std::collections::BTreeMap;
use std::time::Duration;

use actors::ports::{Coordinator as _, Leadership};
use actors::testkit::node;
use cluster::command::{Command, Outcome};
use cluster::model::{Boot, JobStatus, Registration, TaskKind};

use support::Tree;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_from_queued_to_completed() {
    let tree = Tree::start(2, 4, 5, true).await;
    let job = tree.submit(1);
    let ended = tree.ended(job).await;
    assert_eq!(ended.status, JobStatus::Completed, "{:?}", ended.error);
    assert!(ended.artifact.is_some());

    let mut published = BTreeMap::new();
    for kind in tree.host.published() {
        *published.entry(kind).or_insert(0) += 1;
    }
    let once = [TaskKind::Prepare, TaskKind::Audio, TaskKind::Join]
        .into_iter()
        .chain((0..4).map(TaskKind::Segment))
        .map(|kind| (kind, 1))
        .collect();
    assert_eq!(published, once, "every task is done exactly once");
    tree.until("scratch is gone", |tree| tree.host.scratch() == 0)
        .await;
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_handed_out_in_balanced_runs() {
    let tree = Tree::start(2, 4, 5, false).await;
    tree.until("both slots are free", Tree::is_all_free).await;
    let job = tree.submit(1);
    assert_eq!(tree.ended(job).await.status, JobStatus::Completed);
    let runs: Vec<usize> = tree
        .host
        .staged()
        .iter()
        .filter(|run| matches!(run[0].0, TaskKind::Segment(_)))
        .map(Vec::len)
        .collect();
    assert_eq!(runs, [2, 2]);
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_rises_to_the_last_frame_and_never_falls() {
    let tree = Tree::start(1, 4, 40, false).await;
    let board = tree.handle.progress();
    let mut changes = board.subscribe();
    let job = tree.submit(1);
    let mut seen = Vec::new();
    let watching = async {
        while let Ok(changed) = changes.recv().await {
            seen.extend(
                board
                    .get(changed)
                    .map(|progress| (progress.frames_done, progress.fraction)),
            );
        }
    };
    tokio::select! {
        () = watching => {}
        ended = tree.ended(job) => assert_eq!(ended.status, JobStatus::Completed),
    }
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1)
    );
    assert!(seen.iter().all(|&(_, fraction)| fraction < 1.0));
    assert!(seen.iter().any(|&(frames, _)| frames > 0), "{seen:?}");
    tree.until("an ended job leaves the board", |_| {
        board.get(job).is_none()
    })
    .await;
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_when_leadership_is_lost_and_regained() {
    let tree = Tree::start(1, 3, 40, false).await;
    let job = tree.submit(1);
    tree.until("a segment is committed", |tree| tree.committed(job) >= 1)
        .await;
    tree.coordinator.set_leadership(Leadership::Other);
    tree.until_tree("the leader's actors are gone", |root| {
        root.children
            .iter()
            .all(|child| child.kind != "SchedulerActor")
    })
    .await;
    tree.coordinator
        .set_leadership(Leadership::Leader { term: 2 });
    assert_eq!(tree.ended(job).await.status, JobStatus::Completed);
    let attempts: Vec<u32> = tree
        .host
        .staged()
        .iter()
        .flatten()
        .map(|&(_, attempt)| attempt)
        .collect();
    assert!(
        attempts.iter().all(|&attempt| attempt == 1),
        "nothing is done twice: {attempts:?}"
    );
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_restarts_begins_anew_and_the_job_completes() {
    let tree = Tree::start(1, 3, 60, false).await;
    let job = tree.submit(1);
    tree.until("a segment is committed", |tree| tree.committed(job) >= 1)
        .await;
    let tree = tree.restart(2).await;
    let ended = tree.ended(job).await;
    assert_eq!(ended.status, JobStatus::Completed, "{:?}", ended.error);
    let done: Vec<_> = tree.host.published();
    assert!(
        !done.contains(&TaskKind::Prepare),
        "committed work is not done again: {done:?}"
    );
    assert!(
        !done.contains(&TaskKind::Segment(0)),
        "committed work is not done again: {done:?}"
    );
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_finishes_what_is_held_and_takes_nothing_new() {
    let tree = Tree::start(1, 2, 40, false).await;
    let job = tree.submit(1);
    tree.until("a segment is committed", |tree| tree.committed(job) >= 1)
        .await;
    tree.handle.drain(Duration::from_millis(50)).await;
    let state = tree.coordinator.state();
    let live = state.jobs[&job]
        .tasks
        .values()
        .map(|task| task.live.len())
        .sum::<usize>();
    assert_eq!(live, 0, "nothing is left leased");
    assert!(
        state.jobs[&job]
            .tasks
            .values()
            .all(|task| task.failures + task.losses == 0)
    );
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_incarnation_stops_working() {
    let tree = Tree::start(1, 2, 400, false).await;
    let job = tree.submit(1);
    tree.until("work is held", |tree| tree.committed(job) > 0)
        .await;
    let outcome = tree.coordinator.apply(Command::Register(Registration {
        info: node(1, 99, 1),
        boot: Boot(2),
    }));
    assert_eq!(outcome, Outcome::Accepted);
    tree.until("its scratch is gone", |tree| tree.host.scratch() == 0)
        .await;
    assert!(!tree.coordinator.state().jobs[&job].status.is_terminal());
    tree.stop().await;
}
