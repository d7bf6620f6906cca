//! Transfers that never end do not delay other jobs.

use std::time::Duration;

use cluster::command::{Command, Outcome};
use cluster::model::{
    Admission, AssetId, AssetKind, JobId, JobStatus, NewAsset, NewRender, TaskKind,
};

use actors::ports::Coordinator as _;
use actors::testkit::submission;

use crate::support::Tree;

fn fetched_render(tree: &Tree, id: u128, workspace: &str) -> JobId {
    let job = JobId(id);
    let mut submission = submission(job);
    submission.workspace = workspace.to_owned();
    let outcome = tree.coordinator.apply(Command::AdmitRender(NewRender {
        admission: Admission {
            submission,
            assets: Vec::new(),
            webhook_url: None,
            has_destination: false,
        },
        has_remote_sources: true,
    }));
    assert_eq!(outcome, Outcome::Submitted(job));
    job
}

/// Begins an import; its job has the import's number.
fn import(tree: &Tree, ulid: u128, workspace: &str) -> AssetId {
    let asset = AssetId {
        kind: AssetKind::Import,
        ulid,
    };
    tree.coordinator.apply(Command::CreateAsset(NewAsset {
        asset,
        workspace: workspace.to_owned(),
        content_type: None,
        filename: None,
        size: None,
        parts: None,
        url: Some("http://slow.example/clip.mp4".to_owned()),
        base: String::new(),
        valid_for_millis: 60_000,
        idempotency: None,
    }));
    asset
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_sources_hold_up_no_slot_and_no_other_workspace() {
    let tree = Tree::start(1, 2, 5, false).await;
    tree.until("the slot is free", Tree::is_all_free).await;
    for id in [1, 2, 3] {
        tree.host.hang(JobId(id));
    }
    let slow = fetched_render(&tree, 1, "slow");
    import(&tree, 2, "slow");
    import(&tree, 3, "slow");
    // Of the node's room for four, half is the most that one workspace has.
    tree.until("its share goes on", |tree| tree.host.transferring() == 2)
        .await;
    tree.until("the render has begun", |tree| {
        tree.job(slow).status == JobStatus::Processing
    })
    .await;
    let asset = import(&tree, 4, "other");
    let render = fetched_render(&tree, 5, "other");
    assert_eq!(tree.ended(render).await.status, JobStatus::Completed);
    tree.until("the other's import is ready", |tree| {
        tree.coordinator.state().assets[&asset].ingested.is_some()
    })
    .await;
    assert_eq!(
        tree.ended(tree.submit(6)).await.status,
        JobStatus::Completed
    );
    assert_eq!(tree.host.transferring(), 2, "the slow ones go on");

    // A cancelled one ends at once.
    tree.coordinator.apply(Command::CancelJob {
        job: slow,
        workspace: "slow".to_owned(),
    });
    tree.until("the next has its place", |tree| {
        let state = tree.coordinator.state();
        let import = state.jobs.get(&JobId(3));
        import.is_some_and(|job| !job.tasks[&TaskKind::Ingest].live.is_empty())
    })
    .await;
    tree.handle.drain(Duration::from_millis(50)).await;
    tree.until("nothing goes on", |tree| tree.host.transferring() == 0)
        .await;
    tree.stop().await;
}
