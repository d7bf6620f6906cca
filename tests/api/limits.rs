//! What one client may take, and what ends with its key: none of it at the cost of others.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cluster::command::Command;
use cluster::model::KeyId;
use futures::future::join_all;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::world::{World, composition, id_of, post};

/// Nothing a test waits for takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// A body of some megabytes in which everything is wrong.
fn all_wrong() -> String {
    let fields: serde_json::Map<_, _> = (0..100_000)
        .map(|n| (format!("unknown_field_{n}"), json!(1)))
        .collect();
    Value::Object(fields).to_string()
}

fn with_large_bodies() -> World {
    World::with(|config| config.limits.body_bytes = 8 << 20)
}

#[tokio::test]
async fn a_large_body_holds_up_nobody() {
    let world = with_large_bodies();
    for uri in ["/v1/renders", "/v1/preview", "/v1/uploads", "/v1/imports"] {
        let body = format!("{}}}", all_wrong().trim_end_matches('}')).replacen(
            '{',
            "{\"dry_run\":true,",
            1,
        );
        let large = post(uri).body(Body::from(body)).unwrap();
        let mut large = Box::pin(world.send(large));
        // One thread serves both: were the body judged there, its answer would come first.
        tokio::select! {
            biased;
            answer = &mut large => panic!("{uri}: the large body came first: {}", answer.status),
            answer = world.get("/healthz") => assert_eq!(answer.status, StatusCode::OK),
        }
        let answer = large.await;
        if uri == "/v1/preview" {
            assert_eq!(answer.json()["violations"].as_array().unwrap().len(), 1001);
        } else {
            assert_eq!(answer.code(), "validation_failed", "{uri}");
            assert_eq!(
                answer.json()["error"]["details"].as_array().unwrap().len(),
                1001
            );
        }
    }
}

#[tokio::test]
async fn metadata_beyond_its_limits_is_refused_by_path() {
    let world = World::new();
    let mut body = composition();
    body["metadata"] = json!({"k".repeat(41): "v", "note": "x".repeat(501)});
    let answer = world.post("/v1/renders", &body).await;
    assert_eq!(answer.code(), "validation_failed");
    let details = answer.json()["error"]["details"].clone();
    let paths: Vec<_> = details
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["path"])
        .collect();
    let long = format!("metadata.{}", "k".repeat(41));
    assert_eq!(paths, [&json!(long), &json!("metadata.note")]);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_only() {
    let world = World::new();
    for _ in 0..2 {
        world.submit().await;
        let body = json!({"url": "https://a.example/v.mp4"});
        assert_eq!(
            world.post("/v1/imports", &body).await.status,
            StatusCode::ACCEPTED
        );
    }
    let page = async |uri: &str| world.get(uri).await;
    let cursor = async |uri: &str| {
        let body = page(&format!(
            "{uri}{}limit=1",
            if uri.contains('?') { '&' } else { '?' }
        ))
        .await;
        body.json()["next_cursor"]
            .as_str()
            .expect("another page")
            .to_owned()
    };
    let lists = [
        "/v1/renders",
        "/v1/renders?status=queued",
        "/v1/imports",
        "/admin/v1/jobs",
    ];
    for of in lists {
        let cursor = cursor(of).await;
        for to in lists {
            let join = if to.contains('?') { '&' } else { '?' };
            let answer = page(&format!("{to}{join}cursor={cursor}")).await;
            if of == to {
                assert!(
                    !answer.json()["data"].as_array().unwrap().is_empty(),
                    "{of}"
                );
            } else {
                assert_eq!(answer.code(), "invalid_cursor", "{of} to {to}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_no_more_are_admitted_than_the_queue_takes() {
    let world = World::with(|config| config.limits.queued_per_workspace = 5);
    let racing = (0..60).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.post("/v1/renders", &composition()).await.status })
    });
    let statuses: Vec<_> = join_all(racing)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let accepted = statuses
        .iter()
        .filter(|status| **status == StatusCode::ACCEPTED);
    assert_eq!(accepted.count(), 5);
    let refused = |status: &&StatusCode| **status == StatusCode::TOO_MANY_REQUESTS;
    assert_eq!(statuses.iter().filter(refused).count(), 55);
    assert_eq!(
        world.store.keys().len(),
        5,
        "what was refused was never stored"
    );
}

#[tokio::test]
async fn a_quota_counts_what_was_admitted_and_nothing_that_was_refused() {
    let world = World::with(|config| config.quota.render_minutes = 1);
    // Of no account: refused ones, and a fault of the store.
    for _ in 0..10 {
        let answer = world
            .post("/v1/renders", &json!({"duration": 60, "unknown_field": 1}))
            .await;
        assert_eq!(answer.code(), "validation_failed");
    }
    world
        .store
        .is_full
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let mut minute = composition();
    minute["duration"] = json!(60);
    assert_eq!(
        world.post("/v1/renders", &minute).await.code(),
        "storage_full"
    );
    world
        .store
        .is_full
        .store(false, std::sync::atomic::Ordering::SeqCst);
    // Five of ten seconds leave room, and the one that crosses the line is still taken.
    for _ in 0..5 {
        world.submit().await;
    }
    let crossing = world.post("/v1/renders", &minute).await;
    assert_eq!(crossing.status, StatusCode::ACCEPTED);
    let refused = world.post("/v1/renders", &composition()).await;
    assert_eq!(refused.code(), "quota_exceeded");
    // What ends without a file is of no account either.
    world
        .delete(&format!("/v1/renders/{}", id_of(&crossing.json())))
        .await;
    assert_eq!(
        world.post("/v1/renders", &composition()).await.status,
        StatusCode::ACCEPTED
    );
}

/// A key of `workspace`, and its id.
fn key(world: &World, workspace: &str) -> (String, KeyId) {
    let text = world.key(Some(workspace));
    let state = actors::ports::Coordinator::state(world.coordinator.as_ref());
    let id = state
        .keys
        .values()
        .find(|key| key.workspace == workspace)
        .unwrap()
        .id;
    (text, id)
}

fn get_with(uri: &str, key: &str) -> Request<Body> {
    let authorization = format!("Bearer {key}");
    let request = Request::get(uri).header("host", "localhost");
    request
        .header("authorization", authorization)
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn what_a_revoked_key_has_open_ends() {
    let world = World::new();
    let (ours, id) = key(&world, "ours");
    let (theirs, _) = key(&world, "theirs");
    let submit = async |key: &str| {
        let request = post("/v1/renders").header("authorization", format!("Bearer {key}"));
        let body = Body::from(composition().to_string());
        id_of(&world.send(request.body(body).unwrap()).await.json())
    };
    let (our, their) = (submit(&ours).await, submit(&theirs).await);
    let poll = get_with(&format!("/v1/renders/{our}?wait=60"), &ours);
    let poll = tokio::spawn({
        let world = world.clone();
        async move { world.send(poll).await }
    });
    let follow = async |job, key: &str| {
        let request = get_with(&format!("/v1/renders/{job}/events"), key);
        let response = world.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body()
    };
    let our = follow(our, &ours).await;
    let their = follow(their, &theirs).await;
    let our = tokio::spawn(axum::body::to_bytes(our, usize::MAX));
    let their = tokio::spawn(axum::body::to_bytes(their, usize::MAX));
    tokio::task::yield_now().await;
    assert!(!poll.is_finished());

    world.coordinator.apply(Command::RevokeKey { key: id });
    let poll = tokio::time::timeout(LIMIT, poll)
        .await
        .expect("the wait ends")
        .unwrap();
    assert_eq!(poll.code(), "unauthorized");
    let events = tokio::time::timeout(LIMIT, our)
        .await
        .expect("the stream ends")
        .unwrap();
    assert!(events.unwrap().starts_with(b"event: status"));
    assert!(!their.is_finished(), "another key's goes on");
}

#[tokio::test]
async fn what_was_open_to_all_ends_with_the_first_key() {
    let world = World::new();
    let id = world.submit().await;
    let waiting = tokio::spawn({
        let world = world.clone();
        async move { world.get(&format!("/v1/renders/{id}?wait=60")).await }
    });
    tokio::task::yield_now().await;
    world.key(Some("films"));
    let answer = tokio::time::timeout(LIMIT, waiting)
        .await
        .expect("the wait ends")
        .unwrap();
    assert_eq!(answer.code(), "unauthorized");
}

#[tokio::test]
async fn a_list_breaks_off_once_its_key_is_revoked() {
    let world = World::new();
    let (ours, id) = key(&world, "ours");
    let _other = world.key(Some("others"));
    for _ in 0..40 {
        let request = post("/v1/renders").header("authorization", format!("Bearer {ours}"));
        world
            .send(request.body(Body::from(composition().to_string())).unwrap())
            .await;
    }
    let request = get_with("/v1/renders?limit=40", &ours);
    let response = world.router.clone().oneshot(request).await.unwrap();
    world.coordinator.apply(Command::RevokeKey { key: id });
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    assert!(body.is_err(), "the list is whole: {body:?}");
}

#[tokio::test]
async fn a_server_whose_data_directory_is_gone_is_not_ready() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let world = World::with(|config| config.data_dir = Some(path));
    let id = world.submit().await;
    world.begin(id).await;
    drop(directory);
    let answer = world.get("/readyz").await;
    assert_eq!(answer.code(), "not_ready");
    assert_eq!(answer.json()["error"]["details"][0]["path"], "data_dir");
}
