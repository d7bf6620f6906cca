//! A store to try, and what is needed to look behind it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chaos::s3::S3Server;
use cluster::model::ObjectKey;
use framelane::store::s3::{Credentials, S3Limits, S3Options, S3Store};
use framelane::store::{LocalStore, ObjectStore};
use tempfile::TempDir;

/// Bytes in a part here: the fewest that S3 itself takes.
pub(super) const PART: usize = 5 * 1024 * 1024;

pub(super) const BUCKET: &str = "objects";

/// A store, with a directory for files that are not its own.
pub(super) struct Bench {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) scratch: TempDir,
    pub(super) server: Option<S3Server>,
    directory: TempDir,
}

impl Bench {
    pub(super) fn embedded() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            store: Arc::new(LocalStore::open(directory.path()).unwrap()),
            scratch: tempfile::tempdir().unwrap(),
            server: None,
            directory,
        }
    }

    pub(super) async fn s3() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = S3Server::start(directory.path(), &[BUCKET]).await.unwrap();
        Self {
            store: Arc::new(S3Store::open(options(&server)).unwrap()),
            scratch: tempfile::tempdir().unwrap(),
            server: Some(server),
            directory,
        }
    }

    pub(super) fn server(&self) -> &S3Server {
        self.server.as_ref().expect("this bench has a server")
    }

    /// Where the store has its files.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Files of the store that are no objects yet.
    pub(super) fn unfinished(&self) -> Vec<String> {
        match &self.server {
            Some(server) => server.unfinished().unwrap(),
            None => std::fs::read_dir(self.directory.path().join(".incoming"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect(),
        }
    }

    /// Nothing lies below `prefix`, nor is anything about to. What was let go of is cleared
    /// away behind our back: that may take a moment, but not long.
    pub(super) async fn assert_nothing_is_left(&self, prefix: &str) {
        let give_up = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let listed = self.store.list(prefix).await.unwrap();
            let unfinished = self.unfinished();
            if listed.is_empty() && unfinished.is_empty() {
                return;
            }
            assert!(
                tokio::time::Instant::now() < give_up,
                "left: {listed:?}, {unfinished:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// How to reach the server.
pub(super) fn options(server: &S3Server) -> S3Options {
    S3Options {
        bucket: BUCKET.to_owned(),
        prefix: "some/where".to_owned(),
        endpoint: Some(server.endpoint.clone()),
        region: None,
        credentials: Credentials::Key {
            id: server.access_key.clone(),
            secret: server.secret_key.clone(),
        },
        limits: S3Limits {
            part_bytes: PART,
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(20),
            patience: Duration::from_secs(20),
            retries: 3,
            retry_for: Duration::from_secs(20),
            ..S3Limits::default()
        },
    }
}

pub(super) fn key(text: &str) -> ObjectKey {
    ObjectKey(text.to_owned())
}

/// Bytes in which no two stretches are alike.
pub(super) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let blocks = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    blocks.flatten().take(length).collect()
}
