//! The contract, but for streams.

use std::time::Duration;

use bytes::Bytes;
use cluster::model::{Digest, ObjectRef};
use framelane::store::{StoreError, digest, probe};
use futures::TryStreamExt;

use super::bench::{Bench, bytes, key};

pub(super) async fn what_was_put_is_there_until_it_is_deleted(bench: &Bench) {
    let store = &bench.store;
    let put = store
        .put(key("jobs/a/one.json"), Bytes::from("hello"))
        .await
        .unwrap();
    assert_eq!((put.size, put.sha256), (5, digest(b"hello")));
    assert_eq!(store.get(&put.key).await.unwrap(), "hello");
    assert_eq!(store.head(&put.key).await.unwrap(), Some(5));
    store.delete(&put.key).await.unwrap();
    store.delete(&put.key).await.unwrap();
    assert_eq!(store.head(&put.key).await.unwrap(), None);
    let gone = store.get(&put.key).await;
    assert!(matches!(gone, Err(StoreError::NotFound(of)) if of == put.key));
}

pub(super) async fn listing_shows_what_begins_with_the_prefix(bench: &Bench) {
    let store = &bench.store;
    for name in ["jobs/a/1", "jobs/a/deep/2", "jobs/ab/3", "sources/4"] {
        store.put(key(name), Bytes::from(name)).await.unwrap();
    }
    let mut listed = store.list("jobs/a/").await.unwrap();
    listed.sort_by(|one, other| one.key.cmp(&other.key));
    let listed: Vec<_> = listed.iter().map(|o| (&*o.key.0, o.size)).collect();
    assert_eq!(listed, [("jobs/a/1", 8), ("jobs/a/deep/2", 13)]);
    assert_eq!(store.list("nothing/").await.unwrap(), []);
    let mut children = store.children("jobs/").await.unwrap();
    children.sort();
    assert_eq!(children, ["a", "ab"]);
    assert!(store.children("nothing/").await.unwrap().is_empty());
}

pub(super) async fn touching_makes_it_used_now(bench: &Bench) {
    let store = &bench.store;
    for name in ["sources/old", "sources/new"] {
        store.put(key(name), Bytes::from("x")).await.unwrap();
    }
    // Times may be of whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    store.touch(&key("sources/new")).await.unwrap();
    let mut listed = store.list("sources/").await.unwrap();
    listed.sort_by_key(|object| object.used_at);
    let order: Vec<_> = listed.iter().map(|object| &*object.key.0).collect();
    assert_eq!(order, ["sources/old", "sources/new"]);
    assert!(listed[0].used_at < listed[1].used_at);
    assert_eq!(store.get(&key("sources/new")).await.unwrap(), "x");
}

pub(super) async fn a_prefix_is_deleted_whole_and_alone(bench: &Bench) {
    let store = &bench.store;
    for name in ["jobs/a/1", "jobs/a/deep/2", "jobs/ab/3"] {
        store.put(key(name), Bytes::from(name)).await.unwrap();
    }
    store.touch(&key("jobs/a/1")).await.unwrap();
    store.delete_prefix("jobs/a/").await.unwrap();
    store.delete_prefix("jobs/a/").await.unwrap();
    assert_eq!(store.list("jobs/a/").await.unwrap(), []);
    assert_eq!(store.head(&key("jobs/ab/3")).await.unwrap(), Some(9));
}

pub(super) async fn a_file_is_stored(bench: &Bench) {
    let file = bench.scratch.path().join("made");
    let made = bytes(100_000);
    std::fs::write(&file, &made).unwrap();
    let put = bench.store.put_file(key("jobs/a/made"), &file, None).await;
    let put = put.unwrap();
    assert_eq!((put.size, put.sha256), (100_000, digest(&made)));
    assert_eq!(bench.store.get(&put.key).await.unwrap(), made);
    let missing = bench.scratch.path().join("never-made");
    let put = bench.store.put_file(key("jobs/a/b"), &missing, None).await;
    assert!(put.is_err());
    assert_eq!(bench.store.head(&key("jobs/a/b")).await.unwrap(), None);
}

pub(super) async fn a_range_stops_at_the_end(bench: &Bench) {
    let store = &bench.store;
    store
        .put(key("a/b"), Bytes::from("0123456789"))
        .await
        .unwrap();
    let cases = [
        (None, "0123456789"),
        (Some(0..4), "0123"),
        (Some(4..10), "456789"),
        (Some(7..100), "789"),
        (Some(7..u64::MAX), "789"),
        (Some(0..u64::MAX), "0123456789"),
        (Some(10..12), ""),
        (Some(50..60), ""),
        (Some(3..3), ""),
    ];
    for (range, expected) in cases {
        let read = store.read(&key("a/b"), range.clone()).await.unwrap();
        let chunks: Vec<Bytes> = read.try_collect().await.unwrap();
        assert_eq!(chunks.concat(), expected.as_bytes(), "{range:?}");
        let missing = store.read(&key("a/c"), range).await;
        assert!(matches!(missing, Err(StoreError::NotFound(_))));
    }
}

pub(super) async fn a_copy_outlives_its_source(bench: &Bench) {
    let store = &bench.store;
    let put = store
        .put(key("uploads/1"), Bytes::from("film"))
        .await
        .unwrap();
    let copy = key("sources/deep/1");
    store.copy(&put.key, &copy).await.unwrap();
    // The answer to the first try may have been lost.
    store.copy(&put.key, &copy).await.unwrap();
    store.delete(&put.key).await.unwrap();
    assert_eq!(store.get(&copy).await.unwrap(), "film");
    let object = ObjectRef { key: copy, ..put };
    let scratch = bench.scratch.path();
    let path = store.local_file(&object, scratch).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"film");
    let missing = store.copy(&key("uploads/1"), &key("sources/2")).await;
    assert!(matches!(missing, Err(StoreError::NotFound(of)) if of.0 == "uploads/1"));
    assert_eq!(bench.unfinished(), [""; 0]);
}

pub(super) async fn a_local_file_is_what_was_committed(bench: &Bench) {
    let (store, scratch) = (&bench.store, bench.scratch.path());
    let made = bytes(3_000_000);
    let put = store.put(key("a/b"), made.clone().into()).await.unwrap();
    let path = store.local_file(&put, scratch).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), made);
    let claims = [
        ObjectRef {
            sha256: Digest([7; 32]),
            ..put.clone()
        },
        ObjectRef {
            size: put.size - 1,
            ..put.clone()
        },
        ObjectRef {
            size: put.size + 1,
            ..put.clone()
        },
    ];
    let before = std::fs::read_dir(scratch).unwrap().count();
    for claim in claims {
        let file = store.local_file(&claim, scratch).await;
        assert!(matches!(file, Err(StoreError::Damaged(_))), "{claim:?}");
    }
    let missing = ObjectRef {
        key: key("a/c"),
        ..put
    };
    let file = store.local_file(&missing, scratch).await;
    assert!(matches!(file, Err(StoreError::NotFound(_))));
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), before);
}

pub(super) async fn no_key_leaves_the_root(bench: &Bench) {
    for bad in ["../up", "/etc/passwd", "a/../../up", ""] {
        let put = bench.store.put(key(bad), Bytes::new()).await;
        assert!(
            matches!(put, Err(StoreError::NotFound(_))),
            "{bad}: {put:?}"
        );
    }
}

pub(super) async fn many_puts_at_once_keep_to_themselves(bench: &Bench) {
    let puts = (0..16_usize).map(|index| async move {
        let made = bytes(10_000 + index);
        let name = format!("jobs/a/segment-{}/{index}", index % 3);
        let put = bench.store.put(key(&name), made.clone().into()).await;
        assert_eq!(put.unwrap().sha256, digest(&made));
        made
    });
    let made = futures::future::join_all(puts).await;
    for (index, made) in made.into_iter().enumerate() {
        let name = format!("jobs/a/segment-{}/{index}", index % 3);
        assert_eq!(bench.store.get(&key(&name)).await.unwrap(), made);
    }
    assert_eq!(bench.store.list("jobs/").await.unwrap().len(), 16);
}

pub(super) async fn it_says_that_it_works(bench: &Bench) {
    probe(&*bench.store, Duration::from_secs(10)).await.unwrap();
    assert_eq!(bench.store.list("probe/").await.unwrap(), []);
}
