//! API.md §2 and §6: reading, waiting for and cancelling a render.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use cluster::model::JobId;
use framelane::edge::ObservedProgress;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::world::{Answer, World, composition, id_of};

#[tokio::test]
async fn a_new_render_is_queued_and_shows_its_request() {
    let world = World::new();
    let answer = world.post("/v1/renders", &composition()).await;
    let render = answer.json();
    assert_eq!(render["object"], "render");
    assert_eq!(render["status"], "queued");
    assert_eq!(render["created_at"], "2026-01-01T00:00:00.000Z");
    assert_eq!(render["progress"], 0.0);
    assert_eq!(render["frames"], json!({"total": null, "done": 0}));
    assert_eq!(render["metadata"], json!({"order": "42"}));
    assert_eq!(
        render["composition"],
        json!({"width": 1280, "height": 720, "duration": 10.0, "frame_rate": 30,
               "output_format": "mp4", "element_count": 1})
    );
    for absent in [
        "started_at",
        "finished_at",
        "output",
        "error",
        "eta_seconds",
        "idempotency_key",
    ] {
        assert_eq!(render.get(absent), Some(&Value::Null), "{absent}");
    }
    let read = world.get(&format!("/v1/renders/{}", id_of(&render))).await;
    assert_eq!(read.json(), render);
}

#[tokio::test]
async fn progress_never_goes_back_and_is_1_only_when_completed() {
    let world = World::new();
    let id = world.submit().await;
    world.begin(id).await;
    let uri = format!("/v1/renders/{id}");
    let mut last = 0.0;
    for fraction in [0.2, 0.5, 0.1, 7.0] {
        let progress = ObservedProgress {
            frames_done: 3,
            fraction,
            eta_seconds: Some(2.0),
            ..ObservedProgress::default()
        };
        world.observer.show(id, progress);
        let render = world.get(&uri).await.json();
        let reported = render["progress"].as_f64().expect("a number");
        assert!(
            reported >= last && reported < 1.0,
            "{reported} after {last}"
        );
        assert_eq!(render["status"], "processing");
        last = reported;
    }
}

#[tokio::test]
async fn a_completed_render_has_its_file_described() {
    let world = World::new();
    let id = world.submit().await;
    world.complete(id, b"film").await;
    let render = world.get(&format!("/v1/renders/{id}")).await.json();
    assert_eq!(render["status"], "completed");
    assert_eq!(render["progress"], 1.0);
    assert_eq!(render["frames"], json!({"total": 300, "done": 300}));
    let output = &render["output"];
    assert_eq!(output["format"], "mp4");
    assert_eq!(output["duration"], 10.0);
    assert_eq!(output["frame_rate"], 30);
    assert_eq!(output["size_bytes"], 4);
    assert_eq!(output["expires_at"], "2026-01-01T01:00:00.000Z");
    let cancel = world.delete(&format!("/v1/renders/{id}")).await;
    assert_eq!(
        (cancel.status, cancel.code().as_str()),
        (StatusCode::CONFLICT, "invalid_state")
    );
}

#[tokio::test]
async fn cancelling_holds_and_can_be_repeated() {
    let world = World::new();
    let id = world.submit().await;
    world.begin(id).await;
    for _ in 0..2 {
        let answer = world.delete(&format!("/v1/renders/{id}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.json()["status"], "cancelled");
    }
}

#[tokio::test]
async fn a_wait_ends_with_the_render_or_the_time() {
    let world = World::new();
    let id = world.submit().await;
    let begun = Instant::now();
    let answer = world.get(&format!("/v1/renders/{id}?wait=1")).await;
    assert_eq!(answer.json()["status"], "queued");
    assert!(begun.elapsed() >= Duration::from_secs(1));

    let begun = Instant::now();
    let wait = waiting(&world, id);
    // A change that is not the end ends no wait: the answer is of the end.
    world.begin(id).await;
    world.delete(&format!("/v1/renders/{id}")).await;
    assert_eq!(wait.await.json()["status"], "cancelled");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_wait_is_released_when_the_server_drains() {
    let world = World::new();
    let id = world.submit().await;
    let begun = Instant::now();
    let wait = waiting(&world, id);
    world.draining.cancel();
    assert_eq!(wait.await.json()["status"], "queued");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

/// A request that has begun to wait for the render.
fn waiting(world: &World, id: JobId) -> BoxFuture<'static, Answer> {
    let asking = world.clone();
    let mut wait = async move { asking.get(&format!("/v1/renders/{id}?wait=60")).await }.boxed();
    // Nothing on the way to the wait waits for anything else.
    assert!((&mut wait).now_or_never().is_none(), "it does not wait");
    wait
}

#[tokio::test]
async fn a_dry_run_says_everything_and_admits_nothing() {
    let world = World::new();
    let mut good = composition();
    good["dry_run"] = json!(true);
    assert_eq!(world.post("/v1/preview", &good).await.json()["valid"], true);
    let bad = json!({"dry_run": true, "elements": [{"type": "text", "duration": 5}]});
    let answer = world.post("/v1/preview", &bad).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["valid"], false);
    assert_eq!(answer.json()["violations"][0]["severity"], "error");
    assert_eq!(answer.json()["violations"][0]["path"], "elements[0].text");
    let frame = world.post("/v1/preview", &composition()).await;
    assert_eq!(frame.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        frame.json()["error"]["details"][0]["code"],
        "unsupported_feature"
    );
    assert!(world.store.keys().is_empty());
}
