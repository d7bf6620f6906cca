//! What only the embedded store does; what every store does is in `tests/store`.

use super::*;
use std::os::unix::fs::MetadataExt as _;

fn key(text: &str) -> ObjectKey {
    ObjectKey(text.to_owned())
}

#[tokio::test]
async fn a_file_is_moved_and_a_copy_takes_no_room() {
    let directory = tempfile::tempdir().unwrap();
    let store = LocalStore::open(directory.path().join("objects")).unwrap();
    let file = directory.path().join("made");
    fs::write(&file, "hello").unwrap();
    let put = store.put_file(key("jobs/a/b"), &file, None).await.unwrap();
    assert!(!file.try_exists().unwrap());
    store.copy(&put.key, &key("sources/c")).await.unwrap();
    let inode = |name: &str| {
        let path = directory.path().join("objects").join(name);
        fs::metadata(path).unwrap().ino()
    };
    assert_eq!(inode("jobs/a/b"), inode("sources/c"));
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

#[test]
fn what_a_crash_left_is_removed_and_what_is_being_written_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let store = LocalStore::open(directory.path()).unwrap();
    let landing = store.shared.landing().unwrap();
    let left = store.shared.incoming.join("put-left");
    File::create(&left).unwrap();
    LocalStore::open(directory.path()).unwrap();
    let stays = fs::read_dir(&store.shared.incoming).unwrap().count();
    assert_eq!(stays, 1);
    drop(landing);
    assert_eq!(fs::read_dir(&store.shared.incoming).unwrap().count(), 0);
}

#[tokio::test]
async fn uploads_stop_at_their_mark_while_renders_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let look = || {
        Ok(cluster::disk_space::DiskSpace {
            available: 260,
            total: 1000,
        })
    };
    let marks = Arc::new(Marks::looking(Box::new(look), 25, 10));
    let store = LocalStore::open(directory.path()).unwrap().within(marks);
    let chunks = [Ok(Bytes::from("123456")), Ok(Bytes::from("123456"))];
    let upload = futures::stream::iter(chunks).boxed();
    let refused = store.put_stream(key("uploads/a/raw"), upload).await;
    assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
    assert!(store.list("uploads/").await.unwrap().is_empty());
    let put = store.put(key("jobs/a/b"), Bytes::from("123456")).await;
    assert_eq!(put.unwrap().size, 6);
}

#[tokio::test]
async fn children_are_the_directories_right_below() {
    let directory = tempfile::tempdir().unwrap();
    let store = LocalStore::open(directory.path()).unwrap();
    assert!(store.children("jobs/").await.unwrap().is_empty());
    for name in ["jobs/a/x/1", "jobs/a/2", "jobs/b/3", "jobs/plain"] {
        store.put(key(name), Bytes::from("x")).await.unwrap();
    }
    let mut children = store.children("jobs/").await.unwrap();
    children.sort();
    assert_eq!(children, ["a", "b"]);
}
