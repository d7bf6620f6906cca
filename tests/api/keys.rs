//! API.md §9: keys made, listed and revoked by operators.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::world::World;

const KEYS: &str = "/admin/v1/keys";

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    let world = World::new();
    let made = world
        .post(KEYS, &json!({"admin": true, "name": "ops"}))
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let admin = made.json();
    assert_eq!(admin["workspace"], Value::Null);
    let operator = world.with_key(admin["key"].as_str().expect("a key"));

    let made = operator
        .post(KEYS, &json!({"workspace": "films", "name": "site"}))
        .await
        .json();
    let text = made["key"].as_str().expect("a key").to_owned();
    assert!(text.starts_with("fl_") && text.len() == 46, "{text}");
    assert_eq!(
        (&made["workspace"], &made["admin"]),
        (&json!("films"), &json!(false))
    );
    let client = world.with_key(&text);
    client.submit().await;

    let listed = operator.get(KEYS).await;
    let said = String::from_utf8(listed.bytes.to_vec()).expect("UTF-8");
    assert!(!said.contains(&text) && !said.contains("digest"), "{said}");
    let data = listed.json()["data"].clone();
    assert_eq!(data.as_array().map(Vec::len), Some(2));
    let listed = data
        .as_array()
        .and_then(|keys| keys.iter().find(|key| key["id"] == made["id"]))
        .expect("the key is listed");
    assert_eq!(listed["name"], "site");
    let hint = listed["hint"].as_str().expect("a hint");
    assert!(hint.ends_with(&text[42..]), "{hint}");

    let uri = format!("{KEYS}/{}", made["id"].as_str().expect("an id"));
    assert_eq!(operator.delete(&uri).await.json()["revoked"], true);
    assert_eq!(
        client.get("/v1/renders").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(operator.delete(&uri).await.status, StatusCode::NOT_FOUND);
    let nonsense = operator.delete(&format!("{KEYS}/{text}")).await;
    assert_eq!(nonsense.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_workspaces_key_makes_no_keys() {
    let world = World::new();
    let client = world.as_workspace("films");
    for answer in [
        client.post(KEYS, &json!({"admin": true})).await,
        client.get(KEYS).await,
        client
            .delete(&format!("{KEYS}/key_01JABCDEFGHJKMNPQRSTVWXYZ0"))
            .await,
    ] {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.code(), "forbidden");
    }
}

#[tokio::test]
async fn bad_wishes_are_named_all_at_once_and_make_nothing() {
    let world = World::new();
    for (body, paths) in [
        (json!([]), vec![""]),
        (json!({"workspace": "Films"}), vec!["workspace"]),
        (json!({"workspace": ""}), vec!["workspace"]),
        (
            json!({"workspace": 1, "name": 2, "admin": 3}),
            vec!["admin", "name", "workspace"],
        ),
        (json!({"name": "a\nb"}), vec!["name"]),
        (json!({"name": "x".repeat(101)}), vec!["name"]),
        (json!({"workspaces": "films"}), vec!["workspaces"]),
        (
            json!({"admin": true, "workspace": "films"}),
            vec!["workspace"],
        ),
    ] {
        let answer = world.post(KEYS, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let details = answer.json()["error"]["details"].clone();
        let mut found: Vec<&str> = details
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|detail| detail["path"].as_str())
            .collect();
        found.sort_unstable();
        assert_eq!(found, paths, "{body}");
    }
    assert_eq!(world.get(KEYS).await.json()["data"], json!([]));
    let made = world
        .post(
            KEYS,
            &json!({"workspace": null, "name": null, "admin": null}),
        )
        .await;
    assert_eq!(made.json()["workspace"], "default");
}
