//! API.md §2: who gets in without a key, and who with one.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use cluster::command::{Command, Outcome};

use super::world::{Answer, World};

const LIST: &str = "/v1/renders";
const ADMIN: &str = "/admin/v1/raft";

async fn get(world: &World, uri: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers
        .iter()
        .fold(Request::get(uri), |request, (name, value)| {
            request.header(*name, *value)
        });
    world
        .send(request.body(Body::empty()).expect("a request"))
        .await
}

#[tokio::test]
async fn the_first_key_closes_an_open_server_at_once() {
    for is_admin in [false, true] {
        let world = World::new();
        assert_eq!(world.get(LIST).await.status, StatusCode::OK);
        assert_eq!(world.get(ADMIN).await.status, StatusCode::OK);
        let key = world.make_key((!is_admin).then_some("films"));
        let refused = world.get(LIST).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert_eq!(refused.code(), "unauthorized");
        assert!(refused.header("www-authenticate").is_some());
        assert_eq!(world.get(ADMIN).await.status, StatusCode::UNAUTHORIZED);

        let known = world.with_key(&key.text);
        let (client, admin) = if is_admin { (403, 200) } else { (200, 403) };
        assert_eq!(known.get(LIST).await.status.as_u16(), client);
        assert_eq!(known.get(ADMIN).await.status.as_u16(), admin);

        let revoked = Command::RevokeKey { key: key.kept.id };
        assert_eq!(world.coordinator.apply(revoked), Outcome::Accepted);
        // A key that was revoked is no key, though the server is open again.
        assert_eq!(known.get(LIST).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(world.get(LIST).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn what_is_no_key_is_refused_even_where_none_is_needed() {
    let world = World::new();
    let made = world.make_key(Some("films")).text;
    let cut = &made[..made.len() - 1];
    for authorization in [
        "Bearer fl_unknown",
        "Bearer ",
        "Bearer",
        "Basic Zmw6Zmw=",
        cut,
        made.as_str(),
        format!("Bearer {cut}").as_str(),
        format!("Bearer {made}x").as_str(),
        format!("Bearer {}", made.to_lowercase()).as_str(),
    ] {
        for world in [&world, &World::new()] {
            for uri in [LIST, ADMIN] {
                let answer = get(world, uri, &[("authorization", authorization)]).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{authorization}");
            }
        }
    }
    let good = format!("bearer  {made}");
    let answer = get(&world, LIST, &[("authorization", &good)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let bearer = format!("Bearer {made}");
    let two = [
        ("authorization", bearer.as_str()),
        ("authorization", &bearer),
    ];
    assert_eq!(
        get(&world, LIST, &two).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn the_setting_decides_what_is_open_without_a_key() {
    // required, on loopback: /v1, /admin
    for (required, is_on_loopback, client, admin) in [
        (None, true, 200, 200),
        (None, false, 401, 401),
        (Some(true), true, 401, 401),
        (Some(true), false, 401, 401),
        (Some(false), true, 200, 200),
        (Some(false), false, 200, 401),
    ] {
        let world = World::with(|config| {
            config.access.required = required;
            config.access.is_on_loopback = is_on_loopback;
        });
        let words = format!("required {required:?}, on loopback {is_on_loopback}");
        assert_eq!(world.get(LIST).await.status.as_u16(), client, "{words}");
        assert_eq!(world.get(ADMIN).await.status.as_u16(), admin, "{words}");
        world.make_key(None);
        assert_eq!(world.get(LIST).await.status.as_u16(), 401, "{words}");
        assert_eq!(world.get(ADMIN).await.status.as_u16(), 401, "{words}");
    }
}

#[tokio::test]
async fn an_open_server_answers_to_its_own_names_only() {
    let plain = World::new();
    let named = World::with(|config| config.public_url = Some("https://Video.example/api".into()));
    let public = World::with(|config| {
        config.access.required = Some(false);
        config.access.is_on_loopback = false;
    });
    for (world, headers, status) in [
        (&plain, vec![("host", "localhost:8080")], 200),
        (&plain, vec![("host", "127.8.8.8")], 200),
        (&plain, vec![("host", "[::1]:80")], 200),
        (&plain, vec![("host", "rebound.example")], 403),
        (&plain, vec![("host", "localhost.rebound.example")], 403),
        (&plain, vec![("host", "localhost@rebound.example")], 403),
        (&plain, vec![("host", "")], 403),
        (
            &plain,
            vec![("host", "localhost"), ("host", "x.example")],
            403,
        ),
        (&plain, vec![("host", "video.example")], 403),
        (&named, vec![("host", "video.example:443")], 200),
        (&named, vec![("host", "example")], 403),
        (&public, vec![("host", "anything.example")], 200),
        (&plain, vec![("origin", "http://localhost:3000")], 200),
        (&plain, vec![("origin", "https://elsewhere.example")], 403),
        (&plain, vec![("origin", "null")], 403),
        (&named, vec![("origin", "https://video.example")], 200),
    ] {
        let uris: &[&str] = if std::ptr::eq(world, &raw const public) {
            &[LIST]
        } else {
            &[LIST, ADMIN]
        };
        for uri in uris {
            let answer = get(world, uri, &headers).await;
            assert_eq!(answer.status.as_u16(), status, "{uri} {headers:?}");
        }
    }
    // With a key it does not matter by what name the server is called.
    let keyed = plain.as_workspace("films");
    let answer = get(&keyed, LIST, &[("host", "rebound.example")]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// Operations of the client API that need no key, beside those outside of /v1: the contract's
/// list. A route that is added here is open to the world.
const PUBLIC: &[(&str, &str)] = &[("get", "/v1/capabilities")];

#[tokio::test]
async fn every_route_of_v1_needs_a_key_but_the_public_ones() {
    let required = World::with(|config| config.access.required = Some(true));
    let keyed = World::new();
    keyed.make_key(Some("films"));
    let mut guarded = 0;
    for (method, path) in required.operations() {
        let concrete = path.replace("{id}", "render_01JABCDEFGHJKMNPQRSTVWXYZ0");
        let concrete = concrete.replace(['{', '}'], "");
        let is_public = PUBLIC.contains(&(method.as_str(), path.as_str()))
            || !(path.starts_with("/v1/") || path.starts_with("/admin/"));
        let security = &required.document()["paths"][&path][&method]["security"];
        assert_eq!(
            security.as_array().map(Vec::is_empty),
            Some(is_public),
            "{method} {path}"
        );
        if is_public {
            continue;
        }
        guarded += 1;
        for world in [&required, &keyed] {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let request = Request::builder().method(&method).uri(&concrete);
            let answer = world
                .send(request.body(Body::empty()).expect("a request"))
                .await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
    assert!(guarded >= 14, "{guarded} operations");
}

#[tokio::test]
async fn documents_probes_and_signed_links_need_no_key() {
    let world = World::with(|config| config.access.required = Some(true));
    let films = world.as_workspace("films");
    let id = films.submit().await;
    films.complete(id, b"film").await;
    let link = films
        .get(&format!("/v1/renders/{id}/download"))
        .await
        .header("location")
        .expect("a location")
        .to_owned();
    let link = link
        .split_once("//")
        .and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()))
        .expect("a path");
    for uri in [
        "/v1/capabilities",
        "/healthz",
        "/docs",
        "/openapi.json",
        "/schemas/composition.json",
        link.as_str(),
    ] {
        assert_eq!(world.get(uri).await.status, StatusCode::OK, "{uri}");
    }
}
