//! An object store in memory, with files on disk for those who need them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use cluster::model::{Digest, LogTime, ObjectKey, ObjectRef};
use framelane::store::{
    ByteStream, Listed, ObjectAbout, ObjectStore, Presign, Purpose, StoreError,
};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use sha2::{Digest as _, Sha256};

/// The store.
pub(crate) struct MemoryStore {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) objects: Mutex<BTreeMap<ObjectKey, Bytes>>,
    pub(crate) is_full: AtomicBool,
    /// Takes no sources.
    pub(crate) is_short: AtomicBool,
}

impl MemoryStore {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            objects: Mutex::default(),
            is_full: AtomicBool::new(false),
            is_short: AtomicBool::new(false),
        }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let objects = self.objects.lock().expect("no test panics in here");
        objects.keys().map(|key| key.0.clone()).collect()
    }

    fn stored(&self, key: &ObjectKey) -> Result<Bytes, StoreError> {
        let objects = self.objects.lock().expect("no test panics in here");
        objects
            .get(key)
            .cloned()
            .ok_or_else(|| StoreError::NotFound(key.clone()))
    }
}

impl ObjectStore for MemoryStore {
    fn admit(&self, purpose: Purpose, _bytes: u64) -> Result<(), StoreError> {
        if purpose == Purpose::Source && self.is_short.load(Ordering::SeqCst) {
            return Err(StoreError::Full);
        }
        Ok(())
    }

    fn put(&self, key: ObjectKey, bytes: Bytes) -> BoxFuture<'_, Result<ObjectRef, StoreError>> {
        async move {
            if self.is_full.load(Ordering::SeqCst) {
                return Err(StoreError::Full);
            }
            let object = ObjectRef {
                key: key.clone(),
                sha256: Digest(Sha256::digest(&bytes).into()),
                size: u64::try_from(bytes.len()).expect("a length fits"),
            };
            self.objects
                .lock()
                .expect("no test panics in here")
                .insert(key, bytes);
            tokio::task::yield_now().await;
            Ok(object)
        }
        .boxed()
    }

    fn put_file<'a>(
        &'a self,
        _key: ObjectKey,
        _file: &'a Path,
        _about: Option<&'a ObjectAbout>,
    ) -> BoxFuture<'a, Result<ObjectRef, StoreError>> {
        async move {
            Err(StoreError::Io(std::io::Error::other(
                "the edge never does this",
            )))
        }
        .boxed()
    }

    fn put_stream<'a>(
        &'a self,
        key: ObjectKey,
        bytes: BoxStream<'a, Result<Bytes, StoreError>>,
    ) -> BoxFuture<'a, Result<ObjectRef, StoreError>> {
        async move {
            let chunks: Vec<Bytes> = bytes.try_collect().await?;
            self.put(key, chunks.concat().into()).await
        }
        .boxed()
    }

    fn read<'a>(
        &'a self,
        key: &'a ObjectKey,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<ByteStream, StoreError>> {
        async move {
            let bytes = self.stored(key)?;
            let range = range.unwrap_or(0..u64::MAX);
            let within =
                |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
            let (start, end) = (within(range.start), within(range.end));
            let part = bytes.slice(start..end.max(start));
            Ok(stream::iter([Ok(part)]).boxed())
        }
        .boxed()
    }

    fn copy<'a>(
        &'a self,
        from: &'a ObjectKey,
        to: &'a ObjectKey,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let bytes = self.stored(from)?;
            self.put(to.clone(), bytes).await.map(|_| ())
        }
        .boxed()
    }

    fn presign(&self, _request: &Presign) -> Option<BoxFuture<'_, Result<String, StoreError>>> {
        None
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        async move { self.stored(key) }.boxed()
    }

    fn local_file<'a>(
        &'a self,
        object: &'a ObjectRef,
        _scratch: &'a Path,
    ) -> BoxFuture<'a, Result<PathBuf, StoreError>> {
        async move {
            let path = self.directory.path().join(object.sha256.to_string());
            let bytes = self.stored(&object.key)?;
            tokio::fs::write(&path, bytes)
                .await
                .map_err(StoreError::Io)?;
            Ok(path)
        }
        .boxed()
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        async move {
            Ok(self
                .stored(key)
                .ok()
                .and_then(|bytes| u64::try_from(bytes.len()).ok()))
        }
        .boxed()
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.objects
                .lock()
                .expect("no test panics in here")
                .remove(key);
            Ok(())
        }
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        async move {
            let objects = self.objects.lock().expect("no test panics in here");
            let under = objects
                .iter()
                .filter(|(key, _)| key.0.starts_with(prefix))
                .map(|(key, bytes)| Listed {
                    key: key.clone(),
                    size: u64::try_from(bytes.len()).expect("a length fits"),
                    used_at: LogTime(0),
                });
            Ok(under.collect())
        }
        .boxed()
    }

    fn children<'a>(&'a self, _prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        async move {
            Err(StoreError::Io(std::io::Error::other(
                "the edge never does this",
            )))
        }
        .boxed()
    }

    fn touch<'a>(&'a self, _key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            Err(StoreError::Io(std::io::Error::other(
                "the edge never does this",
            )))
        }
        .boxed()
    }

    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let mut objects = self.objects.lock().expect("no test panics in here");
            objects.retain(|key, _| !key.0.starts_with(prefix));
            Ok(())
        }
        .boxed()
    }
}
