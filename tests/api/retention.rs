//! What is left of a render once its file is no longer kept.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

use super::world::{START, World};

#[tokio::test]
async fn a_file_ends_with_its_time_and_the_render_stays() {
    let world = World::with(|config| config.artifacts = Duration::from_secs(1800));
    let id = world.submit().await;
    world.complete(id, b"film").await;
    let (render, download) = (
        format!("/v1/renders/{id}"),
        format!("/v1/renders/{id}/download"),
    );
    let link = world
        .get(&format!("{download}?redirect=false"))
        .await
        .json();
    let link = link["url"].as_str().expect("a link");
    let path = link.strip_prefix("http://127.0.0.1:8080").expect("our own");

    world.clock.0.store(START + 1_799_999, Ordering::SeqCst);
    assert_eq!(world.get(&download).await.status, StatusCode::FOUND);
    assert_eq!(world.get(path).await.status, StatusCode::OK);
    assert!(world.get(&render).await.json()["output"]["url"].is_string());

    // The link itself would be good for half an hour more.
    world.clock.0.store(START + 1_800_000, Ordering::SeqCst);
    for uri in [&download, &format!("{download}?redirect=false"), path] {
        let answer = world.get(uri).await;
        let found = (answer.status, answer.code());
        assert_eq!(
            found,
            (StatusCode::GONE, "artifact_expired".to_owned()),
            "{uri}"
        );
    }
    let render = world.get(&render).await.json();
    assert_eq!(render["status"], "completed");
    for gone in ["url", "expires_at", "thumbnail_url"] {
        assert_eq!(render["output"].get(gone), Some(&Value::Null), "{gone}");
    }
    assert_eq!(render["output"]["size_bytes"], 4);
    assert_eq!(render["output"]["format"], "mp4");
}
