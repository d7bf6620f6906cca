//! What only the embedded store does; what every store does is in `tests/store`.

use super::*;
use bytes::Bytes;

fn key(text: &str) -> ObjectKey {
    ObjectKey(text.to_owned())
}

#[tokio::test]
async fn what_was_put_is_got_and_described() {
    let directory = tempfile::tempdir().unwrap();
    let store = LocalStore::open(directory.path()).unwrap();
    let put = store
        .put(key("jobs/a/one.json"), Bytes::from("hello"))
        .await
        .unwrap();
    assert_eq!(put.size, 5);
    assert!(
        put.sha256
            .to_string()
            .starts_with("2cf24dba5fb0a30e26e83b2ac5b9e29e")
    );
    assert_eq!(store.get(&put.key).await.unwrap(), "hello");
    assert_eq!(store.head(&put.key).await.unwrap(), Some(5));

    let file = directory.path().join("made");
    fs::write(&file, "hello").unwrap();
    let moved = store
        .put_file(key("jobs/a/two"), &file, None)
        .await
        .unwrap();
    assert_eq!((moved.sha256, moved.size), (put.sha256, put.size));

    store.delete(&put.key).await.unwrap();
    store.delete(&put.key).await.unwrap();
    assert!(matches!(
        store.get(&put.key).await,
        Err(StoreError::NotFound(_))
    ));
    store.touch(&moved.key).await.unwrap();
    let listed = store.list("jobs/").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].key, listed[0].size), (&moved.key, 5));
    store.delete_prefix("jobs/a/").await.unwrap();
    assert_eq!(store.head(&moved.key).await.unwrap(), None);
}

#[tokio::test]
async fn a_file_that_is_not_what_was_committed_is_never_handed_out() {
    let directory = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let store = LocalStore::open(directory.path()).unwrap();
    let put = store.put(key("a"), Bytes::from("hello")).await.unwrap();
    let path = store.local_file(&put, scratch.path()).await.unwrap();
    for damage in ["hell", "jello"] {
        fs::write(&path, damage).unwrap();
        let fresh = LocalStore::open(directory.path()).unwrap();
        assert!(matches!(
            fresh.local_file(&put, scratch.path()).await,
            Err(StoreError::Damaged(_))
        ));
    }
}

#[tokio::test]
async fn no_key_leaves_the_root() {
    let directory = tempfile::tempdir().unwrap();
    let store = LocalStore::open(directory.path()).unwrap();
    for bad in ["../up", "/etc/passwd", "a/../../up", ""] {
        assert!(store.put(key(bad), Bytes::new()).await.is_err(), "{bad}");
    }
}
