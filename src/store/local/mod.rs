//! The embedded store: objects are files below one directory. A put is durable when it
//! returns: written aside, synced, renamed to its place, and the directory synced.

mod verified;
mod walk;
mod write;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use cluster::model::{ObjectKey, ObjectRef};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use self::verified::Verified;
pub use self::write::hash_file;
use super::bulk;
use super::landing::blocking;
use super::{
    ByteStream, Listed, Marks, ObjectAbout, ObjectStore, Presign, Purpose, StoreError, from_io,
};

/// Bytes read from disk at a time.
const CHUNK: usize = 256 * 1024;

/// A directory of objects.
#[derive(Debug, Clone)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    /// Where files are written before they are objects.
    incoming: PathBuf,
    verified: Verified,
    marks: Option<Arc<Marks>>,
}

impl LocalStore {
    /// Opens (and makes) the directory.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(from_io)?;
        let root = root.canonicalize().map_err(from_io)?;
        let incoming = write::open_incoming(&root)?;
        Ok(Self {
            shared: Arc::new(Shared {
                root,
                incoming,
                verified: Verified::default(),
                marks: None,
            }),
        })
    }

    /// Keeps to the marks of its disk.
    #[must_use]
    pub fn within(self, marks: Arc<Marks>) -> Self {
        let Shared { root, incoming, .. } = &*self.shared;
        Self {
            shared: Arc::new(Shared {
                root: root.clone(),
                incoming: incoming.clone(),
                verified: Verified::default(),
                marks: Some(marks),
            }),
        }
    }

    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let shared = Arc::clone(&self.shared);
        blocking(move || work(&shared)).boxed()
    }
}

impl ObjectStore for LocalStore {
    fn admit(&self, purpose: Purpose, bytes: u64) -> Result<(), StoreError> {
        match &self.shared.marks {
            Some(marks) => marks.admit(purpose, bytes),
            None => Ok(()),
        }
    }

    fn put(&self, key: ObjectKey, bytes: Bytes) -> BoxFuture<'_, Result<ObjectRef, StoreError>> {
        self.blocking(move |shared| {
            let path = shared.path(&key)?;
            shared.admit(&key, bytes.len() as u64)?;
            let mut landing = shared.landing()?;
            landing.write(&bytes)?;
            let (sha256, size) = shared.persist(landing, &path)?;
            shared.verified.remember(&key, sha256, &path);
            Ok(ObjectRef { key, sha256, size })
        })
    }

    fn put_stream<'a>(
        &'a self,
        key: ObjectKey,
        bytes: BoxStream<'a, Result<Bytes, StoreError>>,
    ) -> BoxFuture<'a, Result<ObjectRef, StoreError>> {
        self.receive(key, bytes).boxed()
    }

    fn put_file<'a>(
        &'a self,
        key: ObjectKey,
        file: &'a Path,
        _about: Option<&'a ObjectAbout>,
    ) -> BoxFuture<'a, Result<ObjectRef, StoreError>> {
        let file = file.to_owned();
        let is_source = Purpose::of(&key) == Purpose::Source;
        let shared = Arc::clone(&self.shared);
        let take = move || {
            let path = shared.path(&key)?;
            // Its bytes are on the disk already, if it is the same disk.
            shared.admit(&key, 0)?;
            let (sha256, size) = shared.take_file(&file, &path)?;
            shared.verified.remember(&key, sha256, &path);
            Ok(ObjectRef { key, sha256, size })
        };
        if is_source {
            bulk::run(take).boxed()
        } else {
            blocking(take).boxed()
        }
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        let key = key.clone();
        self.blocking(move |shared| {
            let path = shared.path(&key)?;
            fs::read(path)
                .map(Bytes::from)
                .map_err(|error| missing_or(error, &key))
        })
    }

    fn read<'a>(
        &'a self,
        key: &'a ObjectKey,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<ByteStream, StoreError>> {
        let key = key.clone();
        let opened = self.blocking(move |shared| {
            let path = shared.path(&key)?;
            let missing = |error| missing_or(error, &key);
            let mut file = File::open(path).map_err(missing)?;
            let range = range.unwrap_or(0..u64::MAX);
            io::Seek::seek(&mut file, io::SeekFrom::Start(range.start)).map_err(from_io)?;
            Ok((file, range.end.saturating_sub(range.start)))
        });
        async move {
            let (file, length) = opened.await?;
            let bytes = tokio::fs::File::from_std(file).take(length);
            let chunks = ReaderStream::with_capacity(bytes, CHUNK);
            Ok(chunks.map(|chunk| chunk.map_err(from_io)).boxed())
        }
        .boxed()
    }

    fn copy<'a>(
        &'a self,
        from: &'a ObjectKey,
        to: &'a ObjectKey,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (from, to) = (from.clone(), to.clone());
        self.blocking(move |shared| {
            let source = shared.path(&from)?;
            let path = shared.path(&to)?;
            shared
                .link_or_copy(&source, &path)
                .map_err(|error| match error {
                    StoreError::Io(error) => missing_or(error, &from),
                    other => other,
                })?;
            let about = fs::metadata(&path).map_err(from_io)?;
            if let Some(sha256) = shared.verified.of(&from, &about) {
                shared.verified.remember(&to, sha256, &path);
            }
            Ok(())
        })
    }

    fn object_ref<'a>(
        &'a self,
        key: &'a ObjectKey,
    ) -> BoxFuture<'a, Result<Option<ObjectRef>, StoreError>> {
        let key = key.clone();
        self.blocking(move |shared| {
            let path = shared.path(&key)?;
            let about = fs::metadata(&path).map_err(|error| missing_or(error, &key))?;
            let (sha256, size) = match shared.verified.of(&key, &about) {
                Some(sha256) => (sha256, about.len()),
                None => hash_file(&path).map_err(|error| missing_or(error, &key))?,
            };
            shared.verified.remember(&key, sha256, &path);
            Ok(Some(ObjectRef { key, sha256, size }))
        })
    }

    fn presign(&self, _request: &Presign) -> Option<BoxFuture<'_, Result<String, StoreError>>> {
        None
    }

    fn local_file<'a>(
        &'a self,
        object: &'a ObjectRef,
        _scratch: &'a Path,
    ) -> BoxFuture<'a, Result<PathBuf, StoreError>> {
        let object = object.clone();
        self.blocking(move |shared| {
            let path = shared.path(&object.key)?;
            let about = fs::metadata(&path).map_err(|error| missing_or(error, &object.key))?;
            if about.len() != object.size {
                return Err(StoreError::Damaged(object.key));
            }
            if shared.verified.of(&object.key, &about) == Some(object.sha256) {
                return Ok(path);
            }
            let (sha256, _) = hash_file(&path).map_err(from_io)?;
            if sha256 != object.sha256 {
                return Err(StoreError::Damaged(object.key));
            }
            shared.verified.remember(&object.key, sha256, &path);
            Ok(path)
        })
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        let key = key.clone();
        self.blocking(move |shared| match fs::metadata(shared.path(&key)?) {
            Ok(about) => Ok(Some(about.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(from_io(error)),
        })
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>> {
        let key = key.clone();
        self.blocking(move |shared| {
            shared.verified.forget(|known| known == &key);
            fine_if_missing(fs::remove_file(shared.path(&key)?))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        let prefix = prefix.to_owned();
        self.blocking(move |shared| shared.list(&prefix))
    }

    fn children<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        let prefix = prefix.to_owned();
        self.blocking(move |shared| shared.children(&prefix))
    }

    fn touch<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>> {
        let key = key.clone();
        self.blocking(move |shared| {
            let path = shared.path(&key)?;
            let about = fs::metadata(&path).map_err(|error| missing_or(error, &key))?;
            let known = shared.verified.of(&key, &about);
            File::open(&path)
                .and_then(|file| file.set_modified(SystemTime::now()))
                .map_err(|error| missing_or(error, &key))?;
            // The bytes are the same: what was verified still is.
            if let Some(sha256) = known {
                shared.verified.remember(&key, sha256, &path);
            }
            Ok(())
        })
    }

    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        let prefix = prefix.to_owned();
        self.blocking(move |shared| {
            shared.verified.forget(|known| known.0.starts_with(&prefix));
            let directory = ObjectKey(prefix.trim_end_matches('/').to_owned());
            fine_if_missing(fs::remove_dir_all(shared.path(&directory)?))
        })
    }
}

impl Shared {
    /// Whether the disk has room for `bytes` more of the object.
    fn admit(&self, key: &ObjectKey, bytes: u64) -> Result<(), StoreError> {
        match &self.marks {
            Some(marks) => marks.admit(Purpose::of(key), bytes),
            None => Ok(()),
        }
    }

    /// Where an object is. Keys are server-made; one that leaves the root is a bug, and is
    /// answered as an object that is not there.
    fn path(&self, key: &ObjectKey) -> Result<PathBuf, StoreError> {
        let relative = Path::new(&key.0);
        let stays_inside = !key.0.is_empty()
            && relative
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
        if !stays_inside {
            return Err(StoreError::NotFound(key.clone()));
        }
        Ok(self.root.join(relative))
    }
}

fn fine_if_missing(result: io::Result<()>) -> Result<(), StoreError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(from_io(error)),
        _ => Ok(()),
    }
}

fn missing_or(error: io::Error, key: &ObjectKey) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound => StoreError::NotFound(key.clone()),
        _ => from_io(error),
    }
}
