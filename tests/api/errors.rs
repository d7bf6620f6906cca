//! API.md §4: what bad input and faults get.

use std::sync::atomic::Ordering;

use actors::ports::ProposeError;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::world::{World, composition, post};

#[tokio::test]
async fn bad_bodies_get_their_status_code_and_path() {
    let world = World::new();
    let long = "x".repeat(70_000);
    for (content_type, body, status, code, path) in [
        ("application/json", "", 400, "invalid_json", ""),
        ("application/json", "{", 400, "invalid_json", ""),
        (
            "application/json",
            r#"{"width":1,"width":2}"#,
            400,
            "invalid_json",
            "",
        ),
        ("application/json", "[]", 422, "validation_failed", ""),
        (
            "application/json",
            r#"{"widht":1280}"#,
            422,
            "validation_failed",
            "widht",
        ),
        (
            "application/json",
            r#"{"elements":[{"type":"text","duration":5}]}"#,
            422,
            "validation_failed",
            "elements[0].text",
        ),
        (
            "application/json",
            r#"{"elements":[{"type":"text","text":"a","duration":5,"opacity":101}]}"#,
            422,
            "validation_failed",
            "elements[0].opacity",
        ),
        ("application/json", &long, 413, "body_too_large", ""),
        ("text/plain", "{}", 415, "unsupported_media_type", ""),
        ("text/plain", &long, 413, "body_too_large", ""),
    ] {
        let request = Request::post("/v1/renders").header("content-type", content_type);
        let answer = world
            .send(
                request
                    .body(Body::from(body.to_owned()))
                    .expect("a request"),
            )
            .await;
        let shown = &body[..body.len().min(60)];
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{shown}"
        );
        if !path.is_empty() {
            let details = answer.json()["error"]["details"].clone();
            let paths: Vec<_> = details
                .as_array()
                .expect("a list")
                .iter()
                .map(|d| d["path"].clone())
                .collect();
            assert!(paths.contains(&json!(path)), "{shown}: {details}");
        }
    }
    assert!(
        world.store.keys().is_empty(),
        "a refused request leaves nothing behind"
    );
}

#[tokio::test]
async fn bad_keys_parameters_and_routes_get_theirs() {
    let world = World::new();
    for key in ["", &"k".repeat(256), "tab\there", "\u{fc}"] {
        let request = post("/v1/renders").header("idempotency-key", key.as_bytes());
        let request = request
            .body(Body::from(composition().to_string()))
            .expect("a request");
        let answer = world.send(request).await;
        assert_eq!(answer.code(), "invalid_idempotency_key", "{key:?}");
    }
    let id = world.submit().await;
    for (uri, status, code) in [
        ("/v1/renders?limit=0".to_owned(), 400, "invalid_parameter"),
        ("/v1/renders?limit=101".to_owned(), 400, "invalid_parameter"),
        ("/v1/renders?limit=ten".to_owned(), 400, "invalid_parameter"),
        (
            "/v1/renders?limit=5&limit=5".to_owned(),
            400,
            "invalid_parameter",
        ),
        ("/v1/renders?limt=5".to_owned(), 400, "invalid_parameter"),
        (
            "/v1/renders?status=done".to_owned(),
            400,
            "invalid_parameter",
        ),
        ("/v1/renders?cursor=abc".to_owned(), 400, "invalid_cursor"),
        (
            format!("/v1/renders/{id}?wait=61"),
            400,
            "invalid_parameter",
        ),
        (
            format!("/v1/renders/{id}?wait=-1"),
            400,
            "invalid_parameter",
        ),
        (
            format!("/v1/renders/{id}/download?redirect=no"),
            400,
            "invalid_parameter",
        ),
        (format!("/v1/renders/{id}/download"), 409, "invalid_state"),
        (
            "/v1/renders/render_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
            404,
            "not_found",
        ),
        ("/v1/renders/not-an-id".to_owned(), 404, "not_found"),
        ("/v1/renders/%ff".to_owned(), 404, "not_found"),
        ("/v1/hooks".to_owned(), 404, "not_found"),
        ("/".to_owned(), 404, "not_found"),
    ] {
        let answer = world.get(&uri).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{uri}"
        );
    }
    let slip = world.get("/v1/renders?limt=5").await.json();
    assert_eq!(slip["error"]["details"][0]["suggestion"], "limit");
}

#[tokio::test]
async fn a_method_a_route_does_not_take_is_a_405_that_names_those_it_does() {
    let world = World::new();
    let answer = world
        .send(
            Request::put("/v1/renders")
                .body(Body::empty())
                .expect("a request"),
        )
        .await;
    assert_eq!(answer.code(), "method_not_allowed");
    let allow = answer
        .header("allow")
        .expect("the header lists what is allowed");
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn faults_below_get_a_503_that_says_which_and_what_may_yet_be_committed_stays() {
    let world = World::new();
    for (fault, code, objects) in [
        // Nothing was proposed.
        (ProposeError::DiskFull, "storage_full", 0),
        // Without an outcome the entry may be committed yet: what it names must stay.
        (ProposeError::NoLeader, "no_leader", 1),
        (ProposeError::Stopped, "draining", 2),
        (ProposeError::Unknown, "commit_unknown", 3),
    ] {
        *world.coordinator.fault.lock().expect("no panic") = Some(fault);
        let answer = world.post("/v1/renders", &composition()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, code)
        );
        assert_eq!(world.store.keys().len(), objects, "{code}");
    }
    *world.coordinator.fault.lock().expect("no panic") = None;
    world.store.is_full.store(true, Ordering::SeqCst);
    assert_eq!(
        world.post("/v1/renders", &composition()).await.code(),
        "storage_full"
    );
    world.store.is_full.store(false, Ordering::SeqCst);
    world.draining.cancel();
    assert_eq!(
        world.post("/v1/renders", &composition()).await.code(),
        "draining"
    );
    assert_eq!(world.get("/readyz").await.code(), "draining");
}

#[tokio::test]
async fn a_request_keeps_its_own_sane_id_and_gets_a_fresh_one_otherwise() {
    let world = World::new();
    for (sent, is_kept) in [("trace-1.a_b", true), ("two words", false), ("", false)] {
        let request = Request::get("/healthz").header("x-request-id", sent);
        let answer = world
            .send(request.body(Body::empty()).expect("a request"))
            .await;
        let got = answer.header("x-request-id").expect("an id");
        assert_eq!(got == sent, is_kept, "{sent:?} gave {got:?}");
    }
}

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let world = World::new();
    let answer = world.get("/readyz").await;
    assert_eq!(answer.json()["error"]["details"][0]["path"], "render");
    let id = world.submit().await;
    world.begin(id).await;
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
    world.observer.is_leaderless.store(true, Ordering::SeqCst);
    world.observer.is_node_gone.store(true, Ordering::SeqCst);
    let details = world.get("/readyz").await.json()["error"]["details"].clone();
    assert_eq!(
        (&details[0]["path"], &details[1]["path"]),
        (&json!("leader"), &json!("render"))
    );
}
