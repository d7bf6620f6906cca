//! Signed links: they serve exactly what they name, for as long as they say.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::world::{Answer, START, World};

const FILM: &[u8] = b"0123456789";

/// A world with a finished render, its id and a link to its file.
async fn finished() -> (World, String, String) {
    let world = World::new();
    let id = world.submit().await;
    world.complete(id, FILM).await;
    let answer = world.get(&format!("/v1/renders/{id}/download")).await;
    assert_eq!(answer.status, StatusCode::FOUND);
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    let location = answer.header("location").expect("a location").to_owned();
    let link = location.strip_prefix("http://localhost:9999");
    // The render was submitted without a host, so its links name where the server listens.
    let link = link
        .or(location.strip_prefix("http://127.0.0.1:8080"))
        .expect("our own host");
    (world, id.to_string(), link.to_owned())
}

async fn fetch(world: &World, link: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers
        .iter()
        .fold(Request::get(link), |request, (name, value)| {
            request.header(*name, *value)
        });
    world
        .send(request.body(Body::empty()).expect("a request"))
        .await
}

#[tokio::test]
async fn a_link_serves_the_file_as_it_should_be_saved() {
    let (world, id, link) = finished().await;
    let answer = fetch(&world, &link, &[]).await;
    assert_eq!((answer.status, &answer.bytes[..]), (StatusCode::OK, FILM));
    assert_eq!(answer.header("content-type"), Some("video/mp4"));
    assert_eq!(answer.header("content-length"), Some("10"));
    let disposition = answer.header("content-disposition").expect("a disposition");
    assert!(
        disposition.starts_with("attachment; filename=\"holiday film.mp4\""),
        "{disposition}"
    );
    let head = world
        .send(Request::head(&link).body(Body::empty()).expect("a request"))
        .await;
    assert_eq!((head.status, head.bytes.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), Some("10"));
    let body = world
        .get(&format!("/v1/renders/{id}/download?redirect=false"))
        .await
        .json();
    assert!(
        body["url"].as_str().is_some_and(|url| url.ends_with(&link)),
        "{body}"
    );
    assert_eq!(body["expires_at"], "2026-01-01T01:00:00.000Z");
}

#[tokio::test]
async fn ranges_and_tags_are_served_as_the_standard_says() {
    let (world, _, link) = finished().await;
    let etag = fetch(&world, &link, &[])
        .await
        .header("etag")
        .expect("a tag")
        .to_owned();
    for (headers, status, bytes, range) in [
        (
            vec![("range", "bytes=2-4")],
            206,
            &b"234"[..],
            Some("bytes 2-4/10"),
        ),
        (
            vec![("range", "bytes=-3")],
            206,
            b"789",
            Some("bytes 7-9/10"),
        ),
        (
            vec![("range", "bytes=8-")],
            206,
            b"89",
            Some("bytes 8-9/10"),
        ),
        (
            vec![("range", "bytes=2-4"), ("if-range", &etag)],
            206,
            b"234",
            Some("bytes 2-4/10"),
        ),
        (
            vec![("range", "bytes=2-4"), ("if-range", "\"other\"")],
            200,
            FILM,
            None,
        ),
        (vec![("if-none-match", &etag)], 304, b"", None),
    ] {
        let answer = fetch(&world, &link, &headers).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.bytes[..]),
            (status, bytes),
            "{headers:?}"
        );
        assert_eq!(answer.header("content-range"), range, "{headers:?}");
    }
    let beyond = fetch(&world, &link, &[("range", "bytes=10-")]).await;
    assert_eq!(
        (beyond.status.as_u16(), beyond.code().as_str()),
        (416, "range_not_satisfiable")
    );
    assert_eq!(beyond.header("content-range"), Some("bytes */10"));
}

#[tokio::test]
async fn a_link_that_was_changed_or_has_ended_serves_nothing() {
    let (world, id, link) = finished().await;
    let other = world.submit().await.to_string();
    for changed in [
        link.replace(&id, &other),
        link.replace("/output/", "/thumbnail/"),
        link.replace("holiday", "evening"),
        link.replace("expires=", "expires=9"),
        link.replace("key=k1", "key=k2"),
        link.split("&signature").next().expect("a part").to_owned(),
        link.split('?').next().expect("a part").to_owned(),
    ] {
        assert_ne!(changed, link);
        let answer = fetch(&world, &changed, &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (403, "forbidden"),
            "{changed}"
        );
    }
    world.clock.0.store(START + 3_599_999, Ordering::SeqCst);
    assert_eq!(fetch(&world, &link, &[]).await.status, StatusCode::OK);
    world.clock.0.store(START + 3_600_000, Ordering::SeqCst);
    assert_eq!(fetch(&world, &link, &[]).await.code(), "forbidden");
}

#[tokio::test]
async fn a_file_that_is_no_longer_kept_is_gone() {
    let (world, id, link) = finished().await;
    world.store.objects.lock().expect("no panic").clear();
    assert_eq!(fetch(&world, &link, &[]).await.code(), "artifact_expired");
    let answer = world.get(&format!("/v1/renders/{id}/download")).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::GONE, "artifact_expired")
    );
    assert_eq!(
        world.get(&format!("/v1/renders/{id}")).await.status,
        StatusCode::OK
    );
}
