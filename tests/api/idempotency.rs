//! API.md §3: one key, one render.

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::json;

use super::world::{World, composition, id_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_racing_posts_with_one_key_make_one_render() {
    let world = World::new();
    let racing = (0..100).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { world.submit_keyed("race", composition().to_string()).await })
    });
    let answers = join_all(racing).await;
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("no panic"))
        .collect();
    let count = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!(
        (count(StatusCode::ACCEPTED), count(StatusCode::OK)),
        (1, 99)
    );
    let id = answers[0].json()["id"].clone();
    for answer in &answers {
        assert_eq!(answer.json()["id"], id);
        let is_replay = answer.status == StatusCode::OK;
        assert_eq!(
            answer.header("idempotent-replayed"),
            is_replay.then_some("true")
        );
    }
    // The losers' requests are not left behind.
    assert_eq!(world.store.keys().len(), 1);
}

#[tokio::test]
async fn the_same_body_is_the_same_whatever_its_spelling() {
    let world = World::new();
    let first = world
        .submit_keyed(
            "k",
            r#"{"duration":10,"elements":[{"type":"text","text":"a","duration":5}]}"#,
        )
        .await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    let spelled = "{ \"elements\" : [ {\"duration\":5.0,\"text\":\"\\u0061\",\"type\":\"text\"} ], \"duration\":1e1 }";
    let second = world.submit_keyed("k", spelled).await;
    assert_eq!(second.status, StatusCode::OK);
    assert_eq!(second.json()["id"], first.json()["id"]);
    assert_eq!(second.json()["idempotency_key"], "k");
    let mut other = composition();
    other["duration"] = json!(11);
    let conflict = world.submit_keyed("k", other.to_string()).await;
    assert_eq!(
        (conflict.status, conflict.code()),
        (StatusCode::CONFLICT, "idempotency_conflict".to_owned())
    );
    // Even a body that is invalid is another body first.
    let conflict = world.submit_keyed("k", "{}").await;
    assert_eq!(conflict.code(), "idempotency_conflict");
}

#[tokio::test]
async fn a_rejected_request_leaves_its_key_free() {
    let world = World::new();
    let rejected = world
        .submit_keyed("k", r#"{"elements":[{"type":"text"}]}"#)
        .await;
    assert_eq!(rejected.status, StatusCode::UNPROCESSABLE_ENTITY);
    let accepted = world.submit_keyed("k", composition().to_string()).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_replay_finds_the_render_whatever_its_state_and_however_full_the_queue() {
    let world = World::with(|config| config.limits.queued_per_workspace = 1);
    let first = world.submit_keyed("k", composition().to_string()).await;
    let replay = world.submit_keyed("k", composition().to_string()).await;
    assert_eq!(replay.status, StatusCode::OK);
    let full = world.post("/v1/renders", &composition()).await;
    assert_eq!(
        (full.status, full.code()),
        (StatusCode::TOO_MANY_REQUESTS, "queue_full".to_owned())
    );
    for header in ["retry-after", "ratelimit", "ratelimit-policy"] {
        assert!(full.header(header).is_some(), "{header}");
    }
    world.complete(id_of(&first.json()), b"film").await;
    let replay = world.submit_keyed("k", composition().to_string()).await;
    assert_eq!(replay.status, StatusCode::OK);
    assert_eq!(replay.json()["status"], "completed");
}
