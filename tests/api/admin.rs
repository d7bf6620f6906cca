//! API.md §9: what operators see, and who counts as one while no key exists.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::world::{World, post};

#[tokio::test]
async fn open_admin_is_for_direct_peers_on_loopback_only() {
    let open = World::new();
    let closed = World::with(|config| config.access.is_on_loopback = false);
    for (world, peer, header, status) in [
        (&open, "127.0.0.1:1", None, 200),
        (&open, "[::1]:1", None, 200),
        (&open, "[::ffff:127.0.0.1]:1", None, 200),
        (&open, "192.0.2.1:1", None, 401),
        (
            &open,
            "127.0.0.1:1",
            Some(("forwarded", "for=192.0.2.1")),
            401,
        ),
        (
            &open,
            "127.0.0.1:1",
            Some(("x-forwarded-for", "192.0.2.1")),
            401,
        ),
        (
            &open,
            "127.0.0.1:1",
            Some(("x-forwarded-proto", "https")),
            401,
        ),
        (
            &open,
            "192.0.2.1:1",
            Some(("authorization", "Bearer fla_x")),
            401,
        ),
        (&closed, "127.0.0.1:1", None, 401),
    ] {
        let mut request = Request::get("/admin/v1/raft")
            .body(Body::empty())
            .expect("a request");
        let peer: SocketAddr = peer.parse().expect("an address");
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some((name, value)) = header {
            request
                .headers_mut()
                .insert(name, value.parse().expect("a value"));
        }
        let answer = world.send(request).await;
        assert_eq!(answer.status.as_u16(), status, "{peer} {header:?}");
    }
}

#[tokio::test]
async fn a_job_is_shown_with_its_tasks_and_attempts() {
    let world = World::new();
    let id = world.submit().await;
    let uri = format!("/admin/v1/jobs/{id}");
    assert_eq!(world.get(&uri).await.json()["waiting_reason"], "no_node");
    world.begin(id).await;
    let job = world.get(&uri).await.json();
    assert_eq!(job["waiting_reason"], json!(null));
    assert_eq!(job["tasks"][0]["kind"], "prepare");
    assert_eq!(job["tasks"][0]["state"], "running");
    assert_eq!(job["tasks"][0]["attempts"][0]["attempt"], 1);
    assert_eq!(job["tasks"][0]["attempts"][0]["outcome"], json!(null));
    let listed = world
        .get("/admin/v1/jobs?state=processing&workspace=default")
        .await
        .json();
    assert_eq!(listed["data"][0], job);
    let none = world.get("/admin/v1/jobs?workspace=other").await.json();
    assert_eq!(none["data"], json!([]));
    let node = world.get("/admin/v1/nodes").await.json()["data"][0].clone();
    assert_eq!(node["state"], "ready");
    assert_eq!(node["slots"], json!({"total": 2, "busy": 1}));
    assert_eq!(world.get("/admin/v1/actors").await.json()["name"], "root");
    assert_eq!(
        world.get("/admin/v1/actors?node=9").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn an_operator_changes_priority_and_cancels() {
    let world = World::new();
    let id = world.submit().await;
    let uri = format!("/admin/v1/jobs/{id}");
    for (body, status) in [
        (json!({"priority": 7}), 200),
        (json!({"priority": 11}), 422),
        (json!({"priority": "7"}), 422),
        (json!({"priority": 1, "status": "queued"}), 422),
        (json!({}), 422),
    ] {
        let mut request = post(&uri)
            .body(Body::from(body.to_string()))
            .expect("a request");
        *request.method_mut() = axum::http::Method::PATCH;
        assert_eq!(world.send(request).await.status.as_u16(), status, "{body}");
    }
    assert_eq!(world.get(&uri).await.json()["priority"], 7);
    let cancelled = world.post(&format!("{uri}/cancel"), &json!({})).await;
    assert_eq!(cancelled.json()["status"], "cancelled");
}
