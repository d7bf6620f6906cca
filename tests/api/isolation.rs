//! API.md §2: another workspace's ids are 404, on every route there is.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;

use super::world::{World, post};

/// One thing of `owner` for each family of routes, by how their paths begin. A family that is
/// not here fails the test: what is added to the API is added here.
async fn belongings(owner: &World) -> Vec<(&'static str, String)> {
    let render = owner.submit().await;
    owner.complete(render, b"film").await;
    vec![("/v1/renders/", render.to_string())]
}

#[tokio::test]
async fn another_workspaces_ids_are_unknown_on_every_route() {
    let world = World::new();
    let (owner, stranger) = (world.as_workspace("films"), world.as_workspace("others"));
    let belongings = belongings(&owner).await;
    let mut tried = 0;
    for (method, path) in world.operations() {
        if !path.starts_with("/v1/") || !path.contains('{') {
            continue;
        }
        let (_, id) = belongings
            .iter()
            .find(|(family, _)| path.starts_with(family))
            .unwrap_or_else(|| panic!("nothing of {path} is tried"));
        let mut uri = path.replacen("{id}", id, 1);
        // What lies within somebody else's thing is as unknown, whatever it is called.
        while let (Some(begin), Some(end)) = (uri.find('{'), uri.find('}')) {
            uri.replace_range(begin..=end, "1");
        }
        let method: Method = method.to_uppercase().parse().expect("a method");
        let request = |world: &World| {
            let mut request = post(&uri)
                .body(Body::from(json!({}).to_string()))
                .expect("a request");
            *request.method_mut() = method.clone();
            let world = world.clone();
            async move { world.send(request).await }
        };
        let answer = request(&stranger).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {uri}");
        assert_eq!(answer.code(), "not_found", "{method} {uri}");
        let own = request(&owner).await;
        assert_ne!(own.status, StatusCode::NOT_FOUND, "{method} {uri}");
        tried += 1;
    }
    assert!(tried >= 3, "{tried} operations");
}

#[tokio::test]
async fn lists_hold_ones_own_and_keys_of_one_workspace_see_the_same() {
    let world = World::new();
    let (one, other) = (world.as_workspace("films"), world.as_workspace("others"));
    let id = one.submit().await.to_string();
    let listed = |answer: super::world::Answer| answer.json()["data"].as_array().map(Vec::len);
    assert_eq!(listed(one.get("/v1/renders").await), Some(1));
    assert_eq!(listed(other.get("/v1/renders").await), Some(0));
    let colleague = world.as_workspace("films");
    assert_eq!(
        colleague.get("/v1/renders").await.json()["data"][0]["id"],
        id
    );
}

#[tokio::test]
async fn an_idempotency_key_counts_for_its_workspace_only() {
    let world = World::new();
    let (one, other) = (world.as_workspace("films"), world.as_workspace("others"));
    let body = super::world::composition().to_string();
    let first = one.submit_keyed("same", body.clone()).await;
    let second = other.submit_keyed("same", body.clone()).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(second.status, StatusCode::ACCEPTED);
    assert_ne!(first.json()["id"], second.json()["id"]);
    assert_eq!(one.submit_keyed("same", body).await.status, StatusCode::OK);
}
