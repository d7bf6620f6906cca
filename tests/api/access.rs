//! Who gets in, whose things they reach, and how often and how much they may ask.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cluster::command::Command;
use cluster::model::{AssetId, AssetKind, EndpointId, NewAsset};
use framelane::edge::Access;
use serde_json::{Value, json};

use super::world::{World, composition, id_of, post};

/// Routes of /v1 that need no key.
const PUBLIC: [&str; 3] = [
    "/v1/capabilities",
    "/v1/uploads/{id}/content",
    "/v1/uploads/{id}/parts/{number}",
];

/// Every operation that the document has under `prefix`: method and path.
fn operations(world: &World, prefix: &str) -> Vec<(String, String)> {
    let paths = world.document()["paths"].as_object().unwrap();
    paths
        .iter()
        .filter(|(path, _)| path.starts_with(prefix))
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect()
}

fn closed() -> World {
    World::with(|config| config.access.required = Some(true))
}

#[tokio::test]
async fn with_keys_required_every_route_but_the_public_ones_answers_401_without_one() {
    let world = closed();
    let all = operations(&world, "/v1/");
    assert!(all.len() > 25, "{} operations", all.len());
    for (method, path) in all {
        let answer = world.ask(&method, &path, None).await;
        let is_public = PUBLIC.contains(&path.as_str());
        let is_refused = answer.status == StatusCode::UNAUTHORIZED;
        assert_eq!(is_refused, !is_public, "{method} {path}: {}", answer.status);
        if !is_public {
            let wrong = world.ask(&method, &path, Some("fl_wrong")).await;
            assert_eq!(wrong.code(), "unauthorized", "{method} {path}");
        }
    }
    for (method, path) in operations(&world, "/admin/") {
        let answer = world.ask(&method, &path, None).await;
        assert_eq!(answer.code(), "unauthorized", "{method} {path}");
    }
    for open in [
        "/healthz",
        "/openapi.json",
        "/docs",
        "/schemas/composition.json",
    ] {
        assert_eq!(
            world.ask("GET", open, None).await.status,
            StatusCode::OK,
            "{open}"
        );
    }
}

#[tokio::test]
async fn another_workspaces_ids_are_not_found_on_any_route() {
    let world = World::new();
    let (ours, theirs) = (world.key(Some("ours")), world.key(Some("theirs")));
    let made = |uri: &'static str, body: Value| {
        let (world, key) = (world.clone(), theirs.clone());
        async move {
            let request = post(uri).header("authorization", format!("Bearer {key}"));
            let answer = world
                .send(request.body(Body::from(body.to_string())).unwrap())
                .await;
            assert!(answer.status.is_success(), "{uri}: {}", answer.json());
            answer.json()["id"].as_str().unwrap().to_owned()
        }
    };
    let render = made("/v1/renders", composition()).await;
    let upload = json!({"content_type": "video/mp4", "filename": "a.mp4"});
    let upload = made("/v1/uploads", upload).await;
    let import = json!({"url": "https://example.com/a.mp4"});
    let import = made("/v1/imports", import).await;
    let probe = json!({"source_url": "https://example.com/a.mp4"});
    let probe = made("/v1/probe?wait=0", probe).await;
    let webhook = json!({"url": "https://example.com/hook"});
    let webhook = made("/v1/webhooks", webhook).await;

    let ids = [
        ("/v1/renders/{id}", &render),
        ("/v1/uploads/{id}", &upload),
        ("/v1/imports/{id}", &import),
        ("/v1/probe/{id}", &probe),
        ("/v1/webhooks/{id}", &webhook),
        ("/v1/webhooks/deliveries/", &webhook),
        ("/v1/sources/{id}", &upload),
    ];
    let mut tried = 0;
    for (method, template) in operations(&world, "/v1/") {
        if PUBLIC.contains(&template.as_str()) || !template.contains("id}") {
            continue;
        }
        let (prefix, id) = ids
            .iter()
            .find(|(prefix, _)| template.starts_with(prefix))
            .unwrap_or_else(|| panic!("{template}: whose ids are these?"));
        let path = template
            .replace(prefix, &prefix.replace("{id}", id))
            .replace("{delivery_id}", "delivery_00000000000000000000000000");
        let answer = world.ask(&method, &path, Some(&ours)).await;
        assert_eq!(answer.code(), "not_found", "{method} {path}");
        tried += 1;
    }
    assert!(tried >= 14, "{tried} operations were tried");
    for list in ["/v1/renders", "/v1/imports", "/v1/webhooks"] {
        let data = world.ask("GET", list, Some(&ours)).await.json()["data"].clone();
        assert_eq!(data, json!([]), "{list}");
        let data = world.ask("GET", list, Some(&theirs)).await.json()["data"].clone();
        assert_eq!(data.as_array().unwrap().len(), 1, "{list}");
    }
    // What was made under the other key is still as it was.
    let state = actors::ports::Coordinator::state(world.coordinator.as_ref());
    let webhook: EndpointId = webhook.parse().unwrap();
    let upload: AssetId = upload.parse().unwrap();
    assert!(state.endpoints.contains_key(&webhook));
    assert!(state.open_assets.contains_key(&upload));
}

#[tokio::test]
async fn the_first_key_closes_an_open_server() {
    let world = World::new();
    assert_eq!(
        world.ask("GET", "/v1/renders", None).await.status,
        StatusCode::OK
    );
    let key = world.key(Some("default"));
    let closed = world.ask("GET", "/v1/renders", None).await;
    assert_eq!(closed.status, StatusCode::UNAUTHORIZED);
    let admin = world.ask("GET", "/admin/v1/raft", None).await;
    assert_eq!(admin.status, StatusCode::UNAUTHORIZED);
    let with = world.ask("GET", "/v1/renders", Some(&key)).await;
    assert_eq!(with.status, StatusCode::OK);
}

#[tokio::test]
async fn keys_reach_what_they_are_for_and_nothing_else() {
    let world = World::new();
    let (client, admin) = (world.key(Some("default")), world.key(None));
    for (path, key, status) in [
        ("/v1/renders", &client, 200),
        ("/v1/renders", &admin, 403),
        ("/admin/v1/nodes", &client, 403),
        ("/admin/v1/nodes", &admin, 200),
    ] {
        let answer = world.ask("GET", path, Some(key)).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn an_open_server_answers_to_no_other_name() {
    let world = World::new();
    let cases = [
        ("localhost:8080", None, 200),
        ("127.0.0.1:8080", None, 200),
        ("[::1]:8080", None, 200),
        ("rebound.example.com", None, 403),
        ("localhost", Some("https://evil.example.com"), 403),
        ("localhost", Some("http://localhost:3000"), 200),
    ];
    for (host, origin, status) in cases {
        let mut request = Request::get("/v1/renders").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{host} {origin:?}");
    }
    let named = World::with(|config| config.public_url = Some("https://api.example.com".into()));
    let request = Request::get("/v1/renders").header("host", "api.example.com");
    let answer = named.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_is_made_shown_once_listed_by_its_hint_and_revoked() {
    let world = World::new();
    let admin = world.key(None);
    let bearer = format!("Bearer {admin}");
    let request = post("/admin/v1/keys").header("authorization", &bearer);
    let body = json!({"workspace": "acme", "name": "ci"}).to_string();
    let made = world.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.json();
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("fl_") && key.len() >= 46, "{key}");
    assert_eq!(
        world.ask("GET", "/v1/renders", Some(key)).await.status,
        StatusCode::OK
    );
    let listed = world.ask("GET", "/admin/v1/keys", Some(&admin)).await;
    assert!(!String::from_utf8_lossy(&listed.bytes).contains(key));
    let path = format!("/admin/v1/keys/{}", made["id"].as_str().unwrap());
    assert!(
        world
            .ask("DELETE", &path, Some(&admin))
            .await
            .status
            .is_success()
    );
    let after = world.ask("GET", "/v1/renders", Some(key)).await;
    assert_eq!(after.status, StatusCode::UNAUTHORIZED);
    let again = world.ask("DELETE", &path, Some(&admin)).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);

    for wrong in [
        json!({"workspace": "Not A Name"}),
        json!({"nme": "x"}),
        json!({"name": 7}),
    ] {
        let request = post("/admin/v1/keys").header("authorization", &bearer);
        let body = Body::from(wrong.to_string());
        let answer = world.send(request.body(body).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again_and_replays_are_free() {
    let world = World::with(|config| {
        config.limits.requests_per_minute = 60;
        config.limits.burst = 3;
    });
    let body = composition().to_string();
    let first = world.submit_keyed("once", body.clone()).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert!(first.header("ratelimit").is_some(), "sent on success too");
    assert!(first.header("ratelimit-policy").is_some());
    for _ in 0..10 {
        let replay = world.submit_keyed("once", body.clone()).await;
        assert_eq!(replay.status, StatusCode::OK, "a replay is free");
    }
    let statuses = [
        world.get("/v1/renders").await.status.as_u16(),
        world.get("/v1/renders").await.status.as_u16(),
        world.get("/v1/renders").await.status.as_u16(),
    ];
    assert_eq!(statuses, [200, 200, 429]);
    let refused = world.get("/v1/renders").await;
    assert_eq!(refused.code(), "rate_limited");
    for header in ["retry-after", "ratelimit", "ratelimit-policy"] {
        assert!(refused.header(header).is_some(), "{header}");
    }
    let replay = world.submit_keyed("once", body).await;
    assert_eq!(replay.status, StatusCode::OK, "even now");
    assert_eq!(world.get("/v1/capabilities").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_workspace_that_had_its_minutes_gets_402_and_its_usage_says_why() {
    let world = World::with(|config| config.quota.render_minutes = 1);
    let before = world.submit_keyed("early", composition().to_string()).await;
    assert_eq!(before.status, StatusCode::ACCEPTED);
    world.complete(id_of(&before.json()), b"film").await;
    // 300 frames at 30 a second each: six make the minute.
    for _ in 0..5 {
        let id = world.submit().await;
        world.complete(id, b"film").await;
    }
    let usage = world.get("/v1/workspace/usage?period=30d").await.json();
    assert_eq!(usage["renders"], 6);
    assert_eq!(usage["render_minutes"], 1.0);
    assert_eq!(usage["bytes_out"], 24);
    assert_eq!(usage["quota"]["render_minutes"], 1);
    let refused = world.post("/v1/renders", &composition()).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::PAYMENT_REQUIRED, "quota_exceeded")
    );
    let replay = world.submit_keyed("early", composition().to_string()).await;
    assert_eq!(
        replay.status,
        StatusCode::OK,
        "a replay is not charged again"
    );
    for wrong in ["0d", "401d", "30", "d", "-1d"] {
        let answer = world
            .get(&format!("/v1/workspace/usage?period={wrong}"))
            .await;
        assert_eq!(answer.code(), "invalid_parameter", "{wrong}");
    }
}

#[tokio::test]
async fn a_workspace_that_keeps_its_bytes_gets_402_until_it_keeps_less() {
    let world = World::with(|config| config.quota.bytes = 100);
    let upload = |size: u64| {
        json!({
            "content_type": "video/mp4", "filename": "a.mp4", "size_bytes": size,
        })
    };
    let refused = world.post("/v1/uploads", &upload(101)).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::PAYMENT_REQUIRED, "quota_exceeded")
    );
    let id = world.submit().await;
    world.complete(id, b"film").await;
    let declared = world.post("/v1/uploads", &upload(96)).await;
    assert_eq!(declared.status, StatusCode::CREATED, "it counts from here");
    let usage = world.get("/v1/workspace/usage").await.json();
    assert_eq!(usage["bytes_stored"], 100);
    assert_eq!(usage["quota"]["bytes"], 100);
    let import = json!({"url": "https://a.example/b.mp4"});
    for (path, body) in [
        ("/v1/uploads", upload(1)),
        ("/v1/imports", import),
        ("/v1/renders", composition()),
    ] {
        let refused = world.post(path, &body).await;
        assert_eq!(refused.code(), "quota_exceeded", "{path}");
    }
    let path = format!("/v1/uploads/{}", declared.json()["id"].as_str().unwrap());
    let request = Request::delete(path).body(Body::empty()).unwrap();
    assert!(world.send(request).await.status.is_success());
    let again = world.post("/v1/renders", &composition()).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn on_a_disk_that_is_short_of_room_who_keeps_more_than_a_share_gets_no_more() {
    let world = World::new();
    let id = world.submit().await;
    world.complete(id, b"film").await;
    world.store.is_short.store(true, Ordering::SeqCst);
    let upload = json!({"content_type": "video/mp4", "filename": "a.mp4"});
    let refused = world.post("/v1/uploads", &upload).await;
    assert_eq!(refused.code(), "storage_full");
    let alone = world.post("/v1/renders", &composition()).await;
    assert_eq!(alone.status, StatusCode::ACCEPTED, "all is its share");
    let other = NewAsset {
        asset: AssetId {
            kind: AssetKind::Upload,
            ulid: 1,
        },
        workspace: "other".to_owned(),
        content_type: None,
        filename: None,
        size: Some(1),
        parts: None,
        url: None,
        base: String::new(),
        valid_for_millis: 60_000,
        idempotency: None,
    };
    world.coordinator.apply(Command::CreateAsset(other));
    let more = world.post("/v1/renders", &composition()).await;
    assert_eq!(
        (more.status, more.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "storage_full")
    );
    world.store.is_short.store(false, Ordering::SeqCst);
    let again = world.post("/v1/renders", &composition()).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
}

#[test]
fn a_listener_that_others_reach_needs_a_key_or_a_word() {
    let access = |required, is_on_loopback| Access {
        required,
        is_on_loopback,
    };
    assert!(!access(None, false).may_start(false));
    assert!(access(None, false).may_start(true));
    assert!(access(Some(false), false).may_start(false));
    assert!(access(None, true).may_start(false));
}

#[tokio::test]
async fn a_revoked_key_is_not_known_even_while_others_are() {
    let world = World::new();
    let (kept, gone) = (world.key(Some("a")), world.key(Some("b")));
    let state = actors::ports::Coordinator::state(world.coordinator.as_ref());
    let id = state
        .keys
        .values()
        .find(|key| key.workspace == "b")
        .unwrap()
        .id;
    world.coordinator.apply(Command::RevokeKey { key: id });
    assert_eq!(
        world.ask("GET", "/v1/renders", Some(&kept)).await.status,
        StatusCode::OK
    );
    assert_eq!(
        world.ask("GET", "/v1/renders", Some(&gone)).await.code(),
        "unauthorized"
    );
}
