//! Signed links: they serve exactly the file they name, until they expire.

use std::sync::atomic::Ordering;

use actors::ports::Coordinator;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use framelane::edge::SigningKey;

use super::world::{Answer, START, World};

const FILM: &[u8] = b"0123456789";

/// When the world's renders end.
const MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// A world with a finished render, its id and a link to its file.
async fn finished() -> (World, String, String) {
    finished_in(World::new()).await
}

async fn finished_in(world: World) -> (World, String, String) {
    let id = world.submit().await;
    world.complete(id, FILM).await;
    let answer = world.get(&format!("/v1/renders/{id}/download")).await;
    assert_eq!(answer.status, StatusCode::FOUND);
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    let location = answer.header("location").expect("a location").to_owned();
    let link = location.strip_prefix("http://localhost");
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
    // Ranges are of GET alone.
    let request = Request::head(&link).header("range", "bytes=2-4");
    let head = world
        .send(request.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(head.status, StatusCode::OK);
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
        (
            vec![("range", "bytes=2-4"), ("if-range", MODIFIED)],
            206,
            b"234",
            Some("bytes 2-4/10"),
        ),
        (
            vec![
                ("range", "bytes=2-4"),
                ("if-range", "Wed, 31 Dec 2025 00:00:00 GMT"),
            ],
            200,
            FILM,
            None,
        ),
        (vec![("if-range", &etag)], 200, FILM, None),
        (vec![("range", "bytes=0-1,4-5")], 200, FILM, None),
        (vec![("if-none-match", &etag)], 304, b"", None),
        (vec![("if-none-match", "*")], 304, b"", None),
        (vec![("if-none-match", "\"other\"")], 200, FILM, None),
        (vec![("if-modified-since", MODIFIED)], 304, b"", None),
        (
            vec![("if-modified-since", "Wed, 31 Dec 2025 00:00:00 GMT")],
            200,
            FILM,
            None,
        ),
        // A tag decides alone.
        (
            vec![
                ("if-none-match", "\"other\""),
                ("if-modified-since", MODIFIED),
            ],
            200,
            FILM,
            None,
        ),
    ] {
        let answer = fetch(&world, &link, &headers).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.bytes[..]),
            (status, bytes),
            "{headers:?}"
        );
        assert_eq!(answer.header("content-range"), range, "{headers:?}");
        // What a client needs to ask for the rest, or not at all, comes with every answer.
        assert_eq!(answer.header("etag"), Some(&*etag), "{headers:?}");
        assert_eq!(
            answer.header("last-modified"),
            Some(MODIFIED),
            "{headers:?}"
        );
        assert_eq!(answer.header("accept-ranges"), Some("bytes"), "{headers:?}");
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

#[tokio::test]
async fn links_stay_good_while_their_key_verifies_and_new_ones_are_the_first_keys() {
    let key = |id: &str| SigningKey {
        id: id.to_owned(),
        secret: format!("{id}: a secret of thirty-two bytes or more").into_bytes(),
    };
    let with_keys = |ids: &[&str]| {
        let keys = ids.iter().map(|id| key(id)).collect();
        World::with(|config| config.signing_keys = keys)
    };
    // The same render under the same id, in worlds that differ by their keys alone.
    let (before, id, old_link) = finished_in(with_keys(&["old"])).await;
    for (ids, signer, is_old_good) in [
        (&["new", "old"][..], "new", true),
        (&["new"][..], "new", false),
        (&["old", "new"][..], "old", true),
    ] {
        let world = with_keys(ids);
        let state = before.coordinator.state();
        world.coordinator.restore(&state);
        let objects = before.store.objects.lock().expect("no panic").clone();
        *world.store.objects.lock().expect("no panic") = objects;
        let answer = fetch(&world, &old_link, &[]).await;
        let status = if is_old_good { 200 } else { 403 };
        assert_eq!(answer.status.as_u16(), status, "{ids:?}");
        let fresh = world.get(&format!("/v1/renders/{id}/download")).await;
        let location = fresh.header("location").expect("a location");
        assert!(location.contains(&format!("key={signer}&")), "{location}");
    }
}

#[tokio::test]
async fn a_file_of_another_length_than_was_committed_is_not_served() {
    let (world, _, link) = finished().await;
    for bytes in world.store.objects.lock().expect("no panic").values_mut() {
        if bytes == FILM {
            *bytes = bytes.slice(..4);
        }
    }
    assert_eq!(fetch(&world, &link, &[]).await.code(), "internal");
}
