//! API.md §4: 402 and 429, and that a replay is neither charged nor refused.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::world::{World, composition};

fn left(answer: &super::world::Answer) -> u64 {
    let text = answer.header("ratelimit").expect("a level");
    let left = text.strip_prefix("\"requests\";r=").expect("a level");
    let (left, _) = left.split_once(';').expect("a level");
    left.parse().expect("a number")
}

#[tokio::test]
async fn each_key_has_its_rate_and_is_told_where_it_stands() {
    let world = World::with(|config| {
        config.limits.requests_per_minute = 2;
        config.limits.burst = 3;
    });
    let (one, other) = (world.as_workspace("films"), world.as_workspace("films"));
    for expected in [2, 1, 0] {
        let answer = one.get("/v1/renders").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some("\"requests\";q=3;w=90")
        );
        assert_eq!(left(&answer), expected);
    }
    let refused = one.get("/v1/renders").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.code(), "rate_limited");
    assert_eq!(left(&refused), 0);
    let wait: u64 = refused
        .header("retry-after")
        .and_then(|wait| wait.parse().ok())
        .expect("seconds");
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(
        refused.header("ratelimit-policy"),
        Some("\"requests\";q=3;w=90")
    );
    // Not so another key, and what needs no key.
    assert_eq!(other.get("/v1/renders").await.status, StatusCode::OK);
    let free = one.get("/v1/capabilities").await;
    assert_eq!(
        (free.status, free.header("ratelimit")),
        (StatusCode::OK, None)
    );
}

#[tokio::test]
async fn errors_count_and_say_so_and_open_mode_shares_one_bucket() {
    let world = World::with(|config| config.limits.requests_per_minute = 3);
    let missing = world.get("/v1/renders/nonsense").await;
    assert_eq!((missing.status, left(&missing)), (StatusCode::NOT_FOUND, 2));
    assert_eq!(left(&world.get("/v1/renders").await), 1);
}

#[tokio::test]
async fn a_replay_is_neither_charged_nor_refused() {
    let world = World::with(|config| config.limits.requests_per_minute = 3);
    let body = composition().to_string();
    let first = world.submit_keyed("k", body.clone()).await;
    assert_eq!((first.status, left(&first)), (StatusCode::ACCEPTED, 2));
    for _ in 0..3 {
        let replay = world.submit_keyed("k", body.clone()).await;
        assert_eq!((replay.status, left(&replay)), (StatusCode::OK, 2));
    }
    // The same key with another body is no replay.
    let conflict = world.submit_keyed("k", "{}").await;
    assert_eq!(
        (conflict.status, left(&conflict)),
        (StatusCode::CONFLICT, 1)
    );
    assert_eq!(left(&world.get("/v1/renders").await), 0);
    assert_eq!(world.get("/v1/renders").await.code(), "rate_limited");
    let replay = world.submit_keyed("k", body.clone()).await;
    assert_eq!((replay.status, left(&replay)), (StatusCode::OK, 0));
    assert_eq!(world.submit_keyed("k", "{}").await.code(), "rate_limited");
    assert_eq!(world.submit_keyed("new", body).await.code(), "rate_limited");
}

#[tokio::test]
async fn racing_replays_are_paid_once() {
    let world = World::with(|config| config.limits.requests_per_minute = 10);
    let body = composition().to_string();
    let answers = futures::future::join_all((0..5).map(|_| world.submit_keyed("k", body.clone())));
    let answers = answers.await;
    let accepted = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::ACCEPTED)
        .count();
    assert_eq!(accepted, 1);
    assert_eq!(left(&world.get("/v1/renders").await), 8);
}

#[tokio::test]
async fn a_workspace_that_had_its_minutes_gets_no_more_but_replays() {
    let world = World::with(|config| {
        config.quota.render_minutes = 1;
        config.quota.workspaces.insert("big".to_owned(), 2);
    });
    let (films, big) = (world.as_workspace("films"), world.as_workspace("big"));
    let body = composition().to_string();
    let kept = films.submit_keyed("kept", body.clone()).await;
    assert_eq!(kept.status, StatusCode::ACCEPTED);
    // Ten seconds each: the sixth fills the minute.
    for world in [&films, &big] {
        for _ in 0..6 {
            let id = world.submit().await;
            world.complete(id, b"film").await;
        }
    }
    let refused = films.post("/v1/renders", &composition()).await;
    assert_eq!(refused.status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(refused.code(), "quota_exceeded");
    // Validation comes first, replays before it.
    assert_eq!(
        films
            .post("/v1/renders", &json!({"colour": 1}))
            .await
            .code(),
        "validation_failed"
    );
    assert_eq!(
        films.submit_keyed("kept", body).await.status,
        StatusCode::OK
    );
    big.submit().await;
    world.as_workspace("third").submit().await;

    let usage = films.get("/v1/workspace/usage").await.json();
    assert_eq!(usage["workspace"], "films");
    assert_eq!(usage["period"], "30d");
    assert_eq!(usage["renders"], 6);
    assert_eq!(usage["render_minutes"], 1.0);
    assert_eq!(usage["bytes_out"], 24);
    assert_eq!(usage["quota"], json!({"render_minutes": 1}));
    assert_eq!(usage["from"], "2025-12-03T00:00:00.000Z");
    assert_eq!(usage["to"], "2026-01-01T00:00:00.000Z");
    let other = world
        .as_workspace("fourth")
        .get("/v1/workspace/usage?period=1d")
        .await
        .json();
    assert_eq!(
        (&other["renders"], &other["from"]),
        (&json!(0), &json!("2026-01-01T00:00:00.000Z"))
    );
    for period in ["0d", "401d", "30", "x", ""] {
        let answer = films
            .get(&format!("/v1/workspace/usage?period={period}"))
            .await;
        assert_eq!(answer.code(), "invalid_parameter", "{period}");
    }
}

#[tokio::test]
async fn operators_see_that_a_render_waits_for_its_workspaces_quota() {
    let world = World::with(|config| config.limits.concurrent_per_workspace = 1);
    let (first, second) = (world.submit().await, world.submit().await);
    world.begin(first).await;
    let reason = |id| {
        let world = world.clone();
        async move {
            let job = world.get(&format!("/admin/v1/jobs/{id}")).await.json();
            job["waiting_reason"].clone()
        }
    };
    assert_eq!(reason(first).await, Value::Null);
    assert_eq!(reason(second).await, json!("quota"));
    world.delete(&format!("/v1/renders/{first}")).await;
    assert_eq!(reason(second).await, json!("no_slot"));
}
