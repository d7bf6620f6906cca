//! What workers do to us, and what we do to workers.

use std::process::Command as Process;
use std::time::{Duration, Instant};

use actors::testkit::{FakeCoordinator, FakeHost};
use cluster::command::Command;
use cluster::model::{JobStatus, TaskKind};

use crate::support::Tree;

/// How often each segment was given to a child.
fn tries(tree: &Tree) -> [usize; 4] {
    let staged = tree.host.staged();
    [0, 1, 2, 3].map(|index| {
        staged
            .iter()
            .flatten()
            .filter(|(kind, _)| *kind == TaskKind::Segment(index))
            .count()
    })
}

/// The failure reported of a task. From the log: an ended job forgets its attempts.
fn failure(tree: &Tree, kind: TaskKind) -> Option<String> {
    tree.coordinator
        .log()
        .into_iter()
        .find_map(|command| match command {
            Command::Round(round) => round
                .reports
                .into_iter()
                .find(|report| report.task.kind == kind && report.result.is_err())
                .and_then(|report| report.result.err())
                .map(|failure| failure.message),
            _ => None,
        })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_mid_segment_has_only_that_segment_rendered_again() {
    let tree = Tree::start(1, 4, 100, false).await;
    let job = tree.submit(1);
    tree.until("the second segment is being rendered", |tree| {
        tree.committed(job) == 1
    })
    .await;
    let pid = tree.worker_pids().await[0];
    assert!(
        Process::new("kill")
            .args(["-9", &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
    let message = |tree: &Tree| failure(tree, TaskKind::Segment(1));
    tree.until("the failure is recorded", |tree| message(tree).is_some())
        .await;
    assert_eq!(message(&tree).as_deref(), Some("worker exited: signal 9"));
    assert_eq!(tree.ended(job).await.status, JobStatus::Completed);
    let mut published = tree.host.published();
    published.retain(|kind| matches!(kind, TaskKind::Segment(_)));
    published.sort_unstable();
    assert_eq!(
        published,
        [0, 1, 2, 3].map(TaskKind::Segment),
        "each is made once"
    );
    assert_eq!(
        tries(&tree)[0],
        1,
        "what was committed is not rendered again"
    );
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_or_stalls_is_replaced_and_the_job_completes() {
    let cases = [
        ("die", "worker exited: signal 6"),
        ("hang", "worker stood still for 0 s"),
    ];
    for (trick, want) in cases {
        let tree = Tree::start(2, 4, 10, false).await;
        tree.host.trick(TaskKind::Segment(2), trick);
        let job = tree.submit(1);
        let message = |tree: &Tree| failure(tree, TaskKind::Segment(2));
        tree.until("the failure is recorded", |tree| message(tree).is_some())
            .await;
        assert_eq!(message(&tree).as_deref(), Some(want), "{trick}");
        assert_eq!(
            tree.ended(job).await.status,
            JobStatus::Completed,
            "{trick}"
        );
        tree.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_failure_of_the_child_fails_the_job_with_its_code() {
    let tree = Tree::start(2, 4, 10, false).await;
    tree.host.trick(TaskKind::Segment(1), "fail");
    let job = tree.submit(1);
    let ended = tree.ended(job).await;
    assert_eq!(ended.status, JobStatus::Failed);
    assert_eq!(ended.error.as_ref().unwrap().code, "invalid_source");
    tree.until("everything else is stopped", |tree| {
        tree.host.scratch() == 0
    })
    .await;
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_leaves_no_work_and_no_scratch_within_two_seconds() {
    let tree = Tree::start(2, 4, 2000, false).await;
    let job = tree.submit(1);
    tree.until("two runs are held", |tree| {
        tree.handle.nodes()[0].attempts == 4
    })
    .await;
    let cancelled = Instant::now();
    tree.coordinator.apply(Command::CancelJob {
        job,
        workspace: "w".to_owned(),
    });
    tree.until("scratch is gone", |tree| tree.host.scratch() == 0)
        .await;
    tree.until("every slot has an idle worker", Tree::is_all_free)
        .await;
    assert!(
        cancelled.elapsed() < Duration::from_secs(2),
        "took {:?}",
        cancelled.elapsed()
    );
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_slot_takes_the_tail_of_the_longest_run() {
    let tree = Tree::start(2, 4, 60, false).await;
    tree.host.trick(TaskKind::Segment(0), "slow");
    tree.until("both slots are free", Tree::is_all_free).await;
    let job = tree.submit(1);
    let ended = tree.ended(job).await;
    assert_eq!(ended.status, JobStatus::Completed);
    let stolen = tree
        .host
        .staged()
        .contains(&vec![(TaskKind::Segment(1), 2)]);
    assert!(
        stolen,
        "segment 1 waited behind a slow one: {:?}",
        tree.host.staged()
    );
    assert_eq!(tree.host.published().len(), 6, "nothing was made twice");
    tree.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_do_not_come_up_are_started_again_and_offer_no_slots() {
    for argument in ["crash", "version"] {
        let host = FakeHost::new(1, 1, false);
        let tree = Tree::with(FakeCoordinator::new(), host, 1, 1, argument).await;
        tree.until_tree("the worker was restarted twice", |root| {
            let node = root.children.iter().find(|child| child.kind == "NodeActor");
            node.is_some_and(|node| node.children[0].restarts >= 2)
        })
        .await;
        assert_eq!(tree.handle.nodes()[0].slots_free, 0, "{argument}");
        tree.stop().await;
    }
}
