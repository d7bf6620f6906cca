//! Presigned links, and what a bucket answers to those who follow them.

use std::time::Duration;

use bytes::Bytes;
use framelane::store::s3::{Destination, S3Options};
use framelane::store::{ObjectAbout, Presign, StoreError};
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, RANGE};

use super::bench::{Bench, PART, bytes, key, options};

const MINUTE: Duration = Duration::from_secs(60);

async fn link(bench: &Bench, request: Presign) -> String {
    let signed = bench.store.presign(&request).expect("a bucket has links");
    signed.await.unwrap()
}

fn to_get(name: &str, ttl: Duration) -> Presign {
    Presign::Get {
        key: key(name),
        ttl,
    }
}

fn film() -> ObjectAbout {
    ObjectAbout {
        content_type: "video/mp4".to_owned(),
        filename: Some("Süd.mp4".to_owned()),
    }
}

#[tokio::test]
async fn the_embedded_store_has_no_links_of_its_own() {
    let bench = Bench::embedded();
    assert!(bench.store.presign(&to_get("a/b", MINUTE)).is_none());
}

#[tokio::test]
async fn a_link_answers_with_what_the_file_was_stored_as() {
    let bench = Bench::s3().await;
    let about = film();
    for length in [1000, 2 * PART + 1] {
        let made = bytes(length);
        let file = bench.scratch.path().join("made");
        std::fs::write(&file, &made).unwrap();
        let name = format!("jobs/a/{length}.mp4");
        let put = bench.store.put_file(key(&name), &file, Some(&about));
        put.await.unwrap();
        let url = link(&bench, to_get(&name, MINUTE)).await;
        let answer = reqwest::get(&url)
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
        assert_eq!(answer.headers()[CONTENT_TYPE], "video/mp4");
        assert_eq!(
            answer.headers()[CONTENT_DISPOSITION],
            "attachment; filename=\"S_d.mp4\"; filename*=UTF-8''S%C3%BCd.mp4"
        );
        assert!(answer.bytes().await.unwrap() == made);
        let part = reqwest::Client::new()
            .get(&url)
            .header(RANGE, "bytes=10-19");
        let part = part.send().await.unwrap();
        assert_eq!(part.status(), 206);
        assert_eq!(part.bytes().await.unwrap(), made[10..20]);
    }
}

#[tokio::test]
async fn what_is_put_by_a_link_is_an_object() {
    let bench = Bench::s3().await;
    let url = link(
        &bench,
        Presign::Put {
            key: key("uploads/1"),
            ttl: MINUTE,
            content_type: Some("video/mp4".to_owned()),
        },
    )
    .await;
    let put = |content_type: &'static str| {
        let put = reqwest::Client::new().put(&url);
        put.header(CONTENT_TYPE, content_type).body("film").send()
    };
    let refused = put("text/html").await.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(bench.store.head(&key("uploads/1")).await.unwrap(), None);
    put("video/mp4").await.unwrap().error_for_status().unwrap();
    assert_eq!(bench.store.get(&key("uploads/1")).await.unwrap(), "film");

    let any = Presign::Put {
        key: key("uploads/2"),
        ttl: MINUTE,
        content_type: None,
    };
    let put = reqwest::Client::new().put(link(&bench, any).await);
    let put = put.header(CONTENT_TYPE, "image/png").body("picture");
    put.send().await.unwrap().error_for_status().unwrap();
    assert_eq!(bench.store.get(&key("uploads/2")).await.unwrap(), "picture");
}

#[tokio::test]
async fn a_link_that_was_changed_or_is_over_is_refused() {
    let bench = Bench::s3().await;
    for name in ["a/b", "a/c"] {
        bench.store.put(key(name), Bytes::from("x")).await.unwrap();
    }
    let good = link(&bench, to_get("a/b", MINUTE)).await;
    let forged = format!("{}0", &good[..good.len() - 1]);
    let forged = if forged == good {
        format!("{}1", &good[..good.len() - 1])
    } else {
        forged
    };
    let short = link(&bench, to_get("a/b", Duration::from_secs(1))).await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let cases = [
        ("the signature", forged),
        ("the key", good.replace("a/b", "a/c")),
        ("the time", good.replace("Expires=60", "Expires=6000")),
        ("over", short),
    ];
    for (what, url) in cases {
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.status(), 403, "{what}");
    }
    let put = reqwest::Client::new().put(&good).body("y");
    assert_eq!(put.send().await.unwrap().status(), 403);
    assert_eq!(reqwest::get(good).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_film_is_delivered_where_its_owner_wants_it() {
    let bench = Bench::s3().await;
    let about = film();
    let options = S3Options {
        prefix: String::new(),
        ..options(bench.server())
    };
    let destination = Destination::open(options).unwrap();
    destination.probe(MINUTE).await.unwrap();
    let file = bench.scratch.path().join("made");
    let made = bytes(PART + 1);
    std::fs::write(&file, &made).unwrap();
    for _again in 0..2 {
        let put = destination.put_file_at("films/spring/süd.mp4", &file, Some(&about));
        assert_eq!(put.await.unwrap().size, made.len() as u64);
    }
    let there = bench.directory().join("objects/films/spring/süd.mp4");
    assert!(std::fs::read(there).unwrap() == made);
    assert!(
        !bench
            .directory()
            .join("objects/.framelane-probe")
            .try_exists()
            .unwrap()
    );
    for bad in ["", "../up", "films//a"] {
        let put = destination.put_file_at(bad, &file, None).await;
        assert!(matches!(put, Err(StoreError::NotFound(_))), "{bad}");
    }
}
