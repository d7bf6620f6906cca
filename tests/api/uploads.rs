//! Files that clients bring: what they are offered, what is refused, what becomes of it.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cluster::command::Command;
use cluster::model::{AssetId, AssetStatus};
use serde_json::{Value, json};

use super::world::{Answer, START, World, post};

const BASE: &str = "http://127.0.0.1:8080";

fn clip() -> Value {
    json!({"content_type": "video/mp4", "filename": "clip.mp4"})
}

async fn created(world: &World, body: &Value) -> Value {
    let answer = world.post("/v1/uploads", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.json());
    answer.json()
}

/// Sends bytes to a link that an upload was given.
async fn put(world: &World, url: &str, content_type: &str, bytes: &'static [u8]) -> Answer {
    let path = url
        .strip_prefix("http://localhost")
        .or_else(|| url.strip_prefix(BASE));
    let request = Request::put(path.expect("our own link"))
        .header("content-type", content_type)
        .header("content-length", bytes.len());
    world.send(request.body(Body::from(bytes)).unwrap()).await
}

fn status(world: &World, upload: &Value) -> AssetStatus {
    let id: AssetId = upload["id"].as_str().unwrap().parse().unwrap();
    let state = actors::ports::Coordinator::state(world.coordinator.as_ref());
    state.assets[&id].status
}

fn link(upload: &Value) -> &str {
    upload["upload_url"].as_str().unwrap()
}

#[tokio::test]
async fn an_upload_is_offered_a_link_that_takes_the_file_once() {
    let world = World::new();
    let upload = created(&world, &clip()).await;
    assert_eq!(upload["method"], "PUT");
    assert_eq!(upload["headers"]["Content-Type"], "video/mp4");
    assert_eq!(upload["expires_at"], "2026-01-01T01:00:00.000Z");
    let source = upload["source_url"].as_str().unwrap();
    assert!(source.ends_with(upload["id"].as_str().unwrap()), "{source}");
    assert_eq!(upload["status"], "pending");
    let answer = put(&world, link(&upload), "video/mp4", b"bytes of a clip").await;
    assert!(answer.status.is_success(), "{}", answer.json());
    assert_eq!(status(&world, &upload), AssetStatus::Processing);
    let again = put(&world, link(&upload), "video/mp4", b"other bytes").await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (StatusCode::CONFLICT, "invalid_state")
    );
}

#[tokio::test]
async fn what_is_not_as_declared_is_refused_and_nothing_of_it_kept() {
    let world = World::new();
    let sized = json!({"content_type": "video/mp4", "filename": "a.mp4", "size_bytes": 5});
    let upload = created(&world, &sized).await;
    let kept = world.store.keys().len();
    for (content_type, bytes, want) in [
        ("image/png", &b"12345"[..], [415, 422]),
        ("video/mp4", &b"1234"[..], [422, 422]),
        ("video/mp4", &b"123456"[..], [413, 422]),
        ("video/mp4", &b""[..], [422, 422]),
    ] {
        let answer = put(&world, link(&upload), content_type, bytes).await;
        assert!(
            want.contains(&answer.status.as_u16()),
            "{content_type} {bytes:?}: {}",
            answer.status
        );
        assert_eq!(status(&world, &upload), AssetStatus::Pending);
        assert_eq!(world.store.keys().len(), kept, "nothing stays");
    }
    let answer = put(&world, link(&upload), "video/mp4", b"12345").await;
    assert!(answer.status.is_success());
}

#[tokio::test]
async fn a_link_that_is_old_or_changed_is_worth_nothing() {
    let world = World::new();
    let upload = created(&world, &clip()).await;
    let changed = link(&upload).replace("upload_0", "upload_1");
    assert_ne!(changed, link(&upload));
    let answer = put(&world, &changed, "video/mp4", b"x").await;
    assert_eq!(answer.code(), "forbidden");
    let mut tampered = link(&upload).to_owned();
    let last = tampered.pop().unwrap();
    tampered.push(if last == '0' { '1' } else { '0' });
    assert_eq!(
        put(&world, &tampered, "video/mp4", b"x").await.code(),
        "forbidden"
    );
    world.clock.0.store(START + 3_600_001, Ordering::SeqCst);
    assert_eq!(
        put(&world, link(&upload), "video/mp4", b"x").await.code(),
        "forbidden"
    );
}

#[tokio::test]
async fn parts_are_offered_told_of_and_completed_once_all_are_there() {
    let world = World::new();
    let body = json!({
        "content_type": "video/mp4", "filename": "big.mp4",
        "size_bytes": 20 << 20, "multipart": true,
    });
    let upload = created(&world, &body).await;
    let parts = upload["parts"].as_array().unwrap();
    assert!(parts.len() > 1);
    let size = upload["part_size"].as_u64().unwrap();
    assert!(size >= 8 << 20, "{size}");
    let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    let early = world.post(&format!("{path}/complete"), &json!({})).await;
    assert_eq!(
        (early.status, early.code().as_str()),
        (StatusCode::CONFLICT, "invalid_state")
    );
    let details = early.json()["error"]["details"].as_array().unwrap().len();
    assert!(details >= 1, "the missing parts are named");
    let wrong = put(
        &world,
        parts[0]["url"].as_str().unwrap(),
        "video/mp4",
        b"short",
    )
    .await;
    assert!(wrong.status.is_client_error());

    for (index, part) in parts.iter().enumerate() {
        let length = size.min((20 << 20) - size * index as u64);
        let url = part["url"].as_str().unwrap();
        let bytes: &'static [u8] = vec![7u8; usize::try_from(length).unwrap()].leak();
        let answer = put(&world, url, "video/mp4", bytes).await;
        assert!(answer.status.is_success(), "{}", answer.status);
        let seen = world.get(&path).await.json();
        let received = seen["parts"].as_array().unwrap();
        let count = received
            .iter()
            .filter(|part| part["received"] == true)
            .count();
        assert_eq!(count, index + 1);
    }
    for _ in 0..2 {
        let done = world.post(&format!("{path}/complete"), &json!({})).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.json());
    }
    assert_eq!(status(&world, &upload), AssetStatus::Processing);
}

#[tokio::test]
async fn what_an_upload_cannot_be_is_named() {
    let world = World::new();
    for (body, path, code) in [
        (json!({"filename": "a.mp4"}), "content_type", "required"),
        (json!({"content_type": "video/mp4"}), "filename", "required"),
        (
            json!({"content_type": "video/mp4", "filename": "../a.mp4"}),
            "filename",
            "",
        ),
        (
            json!({"content_type": "video/mp4", "filename": "a.mp4", "size": 5}),
            "size",
            "unknown_field",
        ),
        (
            json!({"content_type": "video/mp4", "filename": "a.mp4", "size_bytes": 65 << 20}),
            "size_bytes",
            "limit_exceeded",
        ),
    ] {
        let answer = world.post("/v1/uploads", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let detail = answer.json()["error"]["details"][0].clone();
        assert_eq!(detail["path"], path, "{body}: {detail}");
        if !code.is_empty() {
            assert_eq!(detail["code"], code, "{body}: {detail}");
        }
    }
    let wrong = json!({"content_type": "video/mpeg4", "filename": "a.mp4"});
    let answer = world.post("/v1/uploads", &wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer
            .json()
            .to_string()
            .contains("unsupported_content_type")
    );
}

#[tokio::test]
async fn a_render_waits_for_an_upload_and_fails_when_its_time_is_over() {
    let world = World::new();
    let upload = created(&world, &clip()).await;
    let composition = json!({
        "elements": [{"type": "video", "source_url": upload["source_url"], "out_point": 1}],
    });
    let render = world.post("/v1/renders", &composition).await;
    assert_eq!(render.status, StatusCode::ACCEPTED, "{}", render.json());
    let path = format!("/v1/renders/{}", render.json()["id"].as_str().unwrap());
    world.clock.0.store(START + 3_600_000, Ordering::SeqCst);
    world.coordinator.apply(Command::ExpireUploads);
    let render = world.get(&path).await.json();
    assert_eq!(render["status"], "failed");
    assert_eq!(render["error"]["code"], "source_not_found");
    let text = render["error"].to_string();
    assert!(text.contains("elements[0].source_url"), "{text}");
    let upload = world
        .get(&format!("/v1/uploads/{}", upload["id"].as_str().unwrap()))
        .await;
    assert_eq!(upload.json()["status"], "failed");
}

#[tokio::test]
async fn an_abandoned_upload_is_gone_for_good() {
    let world = World::new();
    let upload = created(&world, &clip()).await;
    let path = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    assert!(world.delete(&path).await.status.is_success());
    assert_eq!(status(&world, &upload), AssetStatus::Failed);
    let late = put(&world, link(&upload), "video/mp4", b"x").await;
    assert!(late.status.is_client_error());
}

#[tokio::test]
async fn one_key_makes_one_upload_and_one_import() {
    let world = World::new();
    for (uri, body, other) in [
        (
            "/v1/uploads",
            clip(),
            json!({"content_type": "image/png", "filename": "a.png"}),
        ),
        (
            "/v1/imports",
            json!({"url": "https://example.com/a.mp4"}),
            json!({"url": "https://example.com/b.mp4"}),
        ),
    ] {
        let send = |body: &Value| {
            let request = post(uri).header("idempotency-key", "once");
            let request = request.body(Body::from(body.to_string())).unwrap();
            let world = world.clone();
            async move { world.send(request).await }
        };
        let first = send(&body).await;
        assert!(first.status.is_success());
        let second = send(&body).await;
        assert_eq!(second.json()["id"], first.json()["id"]);
        assert_eq!(second.header("idempotent-replayed"), Some("true"));
        assert_eq!(send(&other).await.code(), "idempotency_conflict");
    }
}

#[tokio::test]
async fn browsers_may_send_files_to_signed_links_from_anywhere() {
    let world = World::new();
    let upload = created(&world, &clip()).await;
    let path = link(&upload)
        .strip_prefix("http://localhost")
        .or_else(|| link(&upload).strip_prefix(BASE));
    let request = Request::options(path.unwrap())
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "content-type");
    let answer = world.router.clone();
    let answer = tower::ServiceExt::oneshot(answer, request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert!(answer.status().is_success());
    let headers = answer.headers();
    assert_eq!(headers["access-control-allow-origin"], "*");
    let methods = headers["access-control-allow-methods"].to_str().unwrap();
    assert!(methods.contains("PUT"), "{methods}");
}

#[tokio::test]
async fn an_import_is_accepted_listed_and_told_of() {
    let world = World::new();
    let answer = world
        .post(
            "/v1/imports",
            &json!({"url": "https://example.com/clip.mp4"}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let import = answer.json();
    assert_eq!(import["status"], "processing");
    assert_eq!(import.get("source_url"), Some(&Value::Null));
    let path = format!("/v1/imports/{}", import["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.json()["id"], import["id"]);
    let listed = world.get("/v1/imports?status=processing").await.json();
    assert_eq!(listed["data"][0]["id"], import["id"]);
    assert_eq!(
        world.get("/v1/imports?status=ready").await.json()["data"],
        json!([])
    );
    for wrong in [
        json!({}),
        json!({"url": "file:///etc/passwd"}),
        json!({"url": 7}),
    ] {
        let answer = world.post("/v1/imports", &wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    // The job that takes it in is no render.
    assert_eq!(world.get("/v1/renders").await.json()["data"], json!([]));
}
