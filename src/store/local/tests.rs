//! What only the embedded store does; what every store does is in `tests/store`.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::*;

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
    let days_ago = SystemTime::now() - Duration::from_secs(3 * 86_400);
    File::create(&left)
        .and_then(|file| file.set_modified(days_ago))
        .unwrap();
    LocalStore::open(directory.path()).unwrap();
    let stays = fs::read_dir(&store.shared.incoming).unwrap().count();
    assert_eq!(stays, 1);
    drop(landing);
    assert_eq!(fs::read_dir(&store.shared.incoming).unwrap().count(), 0);
}
