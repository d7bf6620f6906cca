//! What a fetch leaves to the prepare that follows it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actors::ports::{Assignment, LOST_SOURCES, Staged, TaskHost as _, Transferred};
use axum::routing::get;
use cluster::command::Granted;
use cluster::model::{
    Epoch, Failure, Generation, JobId, ObjectRef, RunNumber, TaskKind, TaskOutput, TaskRef,
};
use serde_json::json;

use super::transfers::{World, picture};
use crate::plan::RequestObject;
use crate::store::{digest, keys};
use crate::worker::order::{self, Order};

const JOB: JobId = JobId(9);
const EPOCH: Epoch = Epoch(3);

/// A server of one picture, until the task is aborted; and the picture's URL.
async fn server() -> (tokio::task::JoinHandle<()>, String) {
    let app = axum::Router::new().route("/a.png", get(|| async { picture() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a.png", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (serving, url)
}

fn assignment(request: &ObjectRef, kind: TaskKind, fetched: Option<Epoch>) -> Assignment {
    Assignment {
        granted: Granted {
            task: TaskRef { job: JOB, kind },
            epoch: EPOCH,
            run: RunNumber(1),
            attempt: 1,
            generation: Generation(0),
            frames: None,
        },
        request: request.clone(),
        plan: None,
        findings: None,
        inputs: Vec::new(),
        has_audio: false,
        no_cache: false,
        assets: Vec::new(),
        fetched,
        ingest: None,
        deliver: None,
    }
}

async fn request(world: &World, url: &str) -> ObjectRef {
    let request = RequestObject {
        version: RequestObject::VERSION,
        composition: json!({
            "width": 64, "height": 64, "duration": 1,
            "elements": [{"type": "image", "id": "a", "source_url": url, "duration": 1}],
        }),
        warnings: Vec::new(),
        public_url: String::new(),
    };
    world.put(keys::composition(JOB), &request.to_bytes()).await
}

async fn transfer(world: &World, request: &ObjectRef) -> Result<Transferred, Failure> {
    let fetch = assignment(request, TaskKind::Fetch, None);
    world
        .host
        .transfer(fetch, Arc::new(AtomicU64::new(0)))
        .await
}

async fn stage(world: &World, request: &ObjectRef, fetched: Epoch) -> Result<Staged, Failure> {
    let prepare = assignment(request, TaskKind::Prepare, Some(fetched));
    let progress = Arc::new(AtomicU64::new(0));
    world.host.stage(0, vec![prepare], None, progress).await
}

#[tokio::test]
async fn a_render_is_prepared_from_what_was_fetched_and_nothing_is_asked_for_again() {
    let world = World::new(BTreeMap::new());
    let (serving, url) = server().await;
    let request = request(&world, &url).await;
    let done = transfer(&world, &request).await;
    assert_eq!(done, Ok(Transferred::Done(Box::new(TaskOutput::Fetched))));
    serving.abort();

    let staged = stage(&world, &request, EPOCH).await.unwrap();
    let Order::Prepare(order) = order::decode(&staged.order).unwrap() else {
        panic!("another order");
    };
    let sources: Vec<_> = order.sources.iter().map(|one| one.object.sha256).collect();
    assert_eq!(sources, [digest(&picture())]);

    // Another attempt's fetch is not here; then the source itself is gone.
    let failure = stage(&world, &request, Epoch(99)).await.unwrap_err();
    assert_eq!(failure.path.as_deref(), Some(LOST_SOURCES));
    let key = keys::source(digest(&picture()));
    world.store.delete(&key).await.unwrap();
    let failure = stage(&world, &request, EPOCH).await.unwrap_err();
    assert_eq!(failure.path.as_deref(), Some(LOST_SOURCES));
    assert!(!failure.permanent);
}

#[tokio::test]
async fn a_source_that_cannot_be_fetched_is_named_by_its_element() {
    let world = World::new(BTreeMap::new());
    let (_serving, url) = server().await;
    let missing = url.replace("a.png", "b.png");
    let request = request(&world, &missing).await;
    let failure = transfer(&world, &request).await.unwrap_err();
    assert_eq!(failure.code, "source_not_found");
    assert_eq!(failure.path.as_deref(), Some("elements[0].source_url"));
}
