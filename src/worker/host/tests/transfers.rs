//! Taking in and delivering: what arrives, what is refused, and what is reported.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cluster::model::{
    Arrival, Artifact, Asset, AssetId, AssetKind, AssetStatus, Digest, Failure, FrameRate,
    Incarnation, JobId, LogIndex, LogTime, NewAsset, ObjectKey, ObjectRef, PartLayout, Seq,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

use super::by_length;
use crate::composition::Limits;
use crate::plan::{Probe, RequestObject};
use crate::store::fetch::{FetchLimits, Fetcher, Guard};
use crate::store::{LocalStore, ObjectAbout, ObjectStore, StoreError, digest, keys};
use crate::worker::host::ingest::take_in;
use crate::worker::host::{Bucket, Host, HostSettings, deliver};
use crate::worker::scratch::{RunDirs, Scratch};

const ID: AssetId = AssetId {
    kind: AssetKind::Upload,
    ulid: 7,
};

pub(super) struct World {
    pub(super) host: Host,
    pub(super) store: Arc<dyn ObjectStore>,
    dirs: RunDirs,
    progress: Arc<AtomicU64>,
    _home: tempfile::TempDir,
}

impl World {
    pub(super) fn new(buckets: BTreeMap<String, Arc<dyn Bucket>>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let store: Arc<dyn ObjectStore> =
            Arc::new(LocalStore::open(home.path().join("objects")).unwrap());
        let memory = home.path().join("sources.json");
        let limits = FetchLimits::default();
        let fetcher = Fetcher::new(Arc::clone(&store), Guard::new(true), limits, &memory).unwrap();
        let scratch = Scratch::open(home.path(), Incarnation(1), 1).unwrap();
        let dirs = scratch.fresh(0, "test").unwrap();
        let settings = HostSettings {
            limits: Limits::default(),
            cuts: by_length(),
            source_bytes: 1000,
        };
        Self {
            host: Host::new(
                Arc::clone(&store),
                Arc::new(fetcher),
                scratch,
                settings,
                buckets,
            ),
            store,
            dirs,
            progress: Arc::default(),
            _home: home,
        }
    }

    pub(super) async fn put(&self, key: ObjectKey, bytes: &[u8]) -> ObjectRef {
        let bytes = Bytes::copy_from_slice(bytes);
        self.store.put(key, bytes).await.unwrap()
    }

    async fn take_in(&self, asset: &Asset) -> Result<(ObjectRef, String), Failure> {
        let taken = take_in(&self.host.shared, asset, &self.dirs.own, &self.progress).await?;
        Ok((taken.object, taken.content_type))
    }
}

fn upload(content_type: &str, arrival: Arrival) -> Asset {
    Asset {
        new: NewAsset {
            asset: ID,
            workspace: "default".to_owned(),
            content_type: Some(content_type.to_owned()),
            filename: Some("picture.png".to_owned()),
            size: None,
            parts: None,
            url: None,
            base: String::new(),
            valid_for_millis: 1,
            idempotency: None,
        },
        status: AssetStatus::Processing,
        sequence: Seq(1),
        changed_at: LogIndex(1),
        created_at: LogTime(1),
        expires_at: LogTime(2),
        settled_at: None,
        arrival: Some(arrival),
        job: None,
        ingested: None,
        error: None,
    }
}

fn whole(size: u64) -> Arrival {
    Arrival::Whole {
        key: keys::upload_raw(ID),
        size,
    }
}

pub(super) fn picture() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.resize(300, 7);
    bytes
}

#[tokio::test]
async fn an_upload_becomes_an_object_named_by_its_bytes_that_its_client_cannot_write_to() {
    let world = World::new(BTreeMap::new());
    world.put(keys::upload_raw(ID), &picture()).await;
    let (object, content_type) = world
        .take_in(&upload("image/png", whole(300)))
        .await
        .unwrap();
    assert_eq!(object.key, keys::source(digest(&picture())));
    assert_eq!(content_type, "image/png");
    // A client that still has the link writes something else.
    world.put(keys::upload_raw(ID), b"changed").await;
    assert_eq!(world.store.get(&object.key).await.unwrap(), picture());
}

#[tokio::test]
async fn an_upload_that_came_through_this_server_is_not_written_a_second_time() {
    let world = World::new(BTreeMap::new());
    let sent = world.put(keys::upload_whole(ID), &picture()).await;
    let arrival = Arrival::Whole {
        key: sent.key.clone(),
        size: 300,
    };
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let raw = world
        .store
        .local_file(&sent, &world.dirs.own)
        .await
        .unwrap();
    File::open(&raw).unwrap().set_modified(long_ago).unwrap();
    let (object, content_type) = world.take_in(&upload("image/png", arrival)).await.unwrap();
    assert_eq!(object.key, keys::source(digest(&picture())));
    assert_eq!(content_type, "image/png");
    let source = world.store.local_file(&object, &world.dirs.own).await;
    let about = std::fs::metadata(source.unwrap()).unwrap();
    assert_eq!(about.ino(), std::fs::metadata(&raw).unwrap().ino());
    // Its age counts from now: nothing trims it before the log names it.
    assert!(about.modified().unwrap() > long_ago + Duration::from_secs(1800));
    assert_eq!(world.progress.load(Ordering::Relaxed), 0, "bytes read");
    // What happens to the upload's name later does not reach the source.
    world.store.delete(&sent.key).await.unwrap();
    assert_eq!(world.store.get(&object.key).await.unwrap(), picture());
}

#[tokio::test]
async fn parts_are_put_together_in_their_order() {
    let world = World::new(BTreeMap::new());
    let bytes = picture();
    for (number, part) in (1..).zip(bytes.chunks(128)) {
        world.put(keys::upload_part(ID, number), part).await;
    }
    let mut asset = upload("image/png", Arrival::Parts { size: 300 });
    asset.new.parts = Some(PartLayout {
        part_size: 128,
        count: 3,
    });
    let (object, _) = world.take_in(&asset).await.unwrap();
    assert_eq!(object.sha256, digest(&bytes));
}

#[tokio::test]
async fn what_is_not_what_was_declared_is_refused_with_a_reason() {
    let page = b"<!doctype html><html><body>not a picture</body></html>";
    let cases: [(&str, &[u8], &str, u64, &str); 6] = [
        (
            "fewer bytes",
            &picture()[..200],
            "image/png",
            300,
            "200 bytes arrived of 300",
        ),
        (
            "more bytes",
            &picture(),
            "image/png",
            200,
            "more than the 200 bytes",
        ),
        (
            "another kind",
            &picture(),
            "video/mp4",
            300,
            "is image/png, not video/mp4",
        ),
        (
            "a web page",
            page,
            "image/png",
            page.len() as u64,
            "not media",
        ),
        (
            "over the limit",
            &picture(),
            "image/png",
            1001,
            "more than the limit of 1000",
        ),
        ("nothing", b"", "image/png", 0, "not media"),
    ];
    for (what, bytes, declared, size, want) in cases {
        let world = World::new(BTreeMap::new());
        world.put(keys::upload_raw(ID), bytes).await;
        let failure = world
            .take_in(&upload(declared, whole(size)))
            .await
            .unwrap_err();
        assert!(
            failure.message.contains(want),
            "{what}: {}",
            failure.message
        );
        assert!(failure.permanent, "{what}: no retry helps");
    }
}

#[tokio::test]
async fn bytes_that_went_away_fail_for_good() {
    let world = World::new(BTreeMap::new());
    let failure = world
        .take_in(&upload("image/png", whole(300)))
        .await
        .unwrap_err();
    assert_eq!(failure.code, "source_not_found");
    assert!(failure.permanent);
}

#[test]
fn what_a_worker_says_of_a_file_stays_small() {
    let probe = Probe::bare(&"x".repeat(10_000)).bounded();
    assert!(probe.to_json().len() < 400);
}

/// Takes what it is given, or refuses.
#[derive(Default)]
struct FakeBucket {
    taken: Mutex<Vec<(String, Vec<u8>, ObjectAbout)>>,
    refuses: bool,
}

impl Bucket for FakeBucket {
    fn put<'a>(
        &'a self,
        key: &'a str,
        file: &'a Path,
        about: &'a ObjectAbout,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            if self.refuses {
                return Err(StoreError::Io(std::io::Error::other("access denied")));
            }
            let bytes = std::fs::read(file).unwrap();
            let taken = (key.to_owned(), bytes, about.clone());
            self.taken.lock().unwrap().push(taken);
            Ok(())
        }
        .boxed()
    }
}

async fn delivered(bucket: Arc<FakeBucket>, name: &str) -> Result<(), Failure> {
    let bucket: Arc<dyn Bucket> = bucket;
    let world = World::new(BTreeMap::from([("theirs".to_owned(), bucket)]));
    let render = JobId(9);
    let object = world.put(keys::source(Digest([9; 32])), b"film").await;
    let artifact = Artifact {
        object: ObjectRef {
            sha256: digest(b"film"),
            ..object
        },
        filename: "film.mp4".to_owned(),
        content_type: "video/mp4".to_owned(),
        width: 16,
        height: 16,
        frames: 1,
        rate: FrameRate::new(30, 1).unwrap(),
        thumbnail: None,
        join_millis: 1,
    };
    let request = RequestObject {
        version: RequestObject::VERSION,
        composition: json!({"destination": {"s3": {"bucket": name, "key": "a/film.mp4"}}}),
        warnings: Vec::new(),
        public_url: String::new(),
    };
    let request = world
        .put(keys::composition(render), &request.to_bytes())
        .await;
    let (shared, dirs) = (&world.host.shared, &world.dirs.own);
    deliver::deliver(shared, render, &artifact, &request, dirs, &world.progress).await
}

#[tokio::test]
async fn a_completed_file_goes_to_the_bucket_that_the_request_names() {
    let bucket = Arc::new(FakeBucket::default());
    delivered(Arc::clone(&bucket), "theirs").await.unwrap();
    let taken = bucket.taken.lock().unwrap();
    let [(key, bytes, about)] = taken.as_slice() else {
        panic!("one file is put, not {}", taken.len());
    };
    assert_eq!(
        (key.as_str(), bytes.as_slice()),
        ("a/film.mp4", &b"film"[..])
    );
    assert_eq!(about.filename.as_deref(), Some("film.mp4"));
}

#[tokio::test]
async fn a_bucket_that_refuses_is_tried_again_and_named() {
    let bucket = Arc::new(FakeBucket {
        refuses: true,
        ..FakeBucket::default()
    });
    let failure = delivered(bucket, "theirs").await.unwrap_err();
    assert!(failure.message.contains("`theirs`"), "{}", failure.message);
    assert!(
        failure.message.contains("access denied"),
        "{}",
        failure.message
    );
    assert!(!failure.permanent);
    let failure = delivered(Arc::default(), "unknown").await.unwrap_err();
    assert!(failure.message.contains("`unknown`"), "{}", failure.message);
}
