//! The embedded store: objects are files below one directory. A put is durable when it
//! returns: written beside its place, synced, renamed, and the directory synced.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;
use cluster::model::{Digest, LogTime, ObjectKey, ObjectRef};
use futures::FutureExt;
use futures::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use super::{Listed, ObjectStore, StoreError};

/// A directory of objects.
#[derive(Debug, Clone)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    /// Files whose bytes were checked, with the length and time they then had.
    verified: Mutex<HashMap<ObjectKey, (Digest, u64, SystemTime)>>,
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
        Ok(Self {
            shared: Arc::new(Shared {
                root,
                verified: Mutex::default(),
            }),
        })
    }

    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let shared = Arc::clone(&self.shared);
        async move {
            tokio::task::spawn_blocking(move || work(&shared))
                .await
                .unwrap_or_else(|error| Err(StoreError::Io(io::Error::other(error))))
        }
        .boxed()
    }
}

impl ObjectStore for LocalStore {
    fn put(&self, key: ObjectKey, bytes: Bytes) -> BoxFuture<'_, Result<ObjectRef, StoreError>> {
        self.blocking(move |shared| {
            let path = shared.path(&key)?;
            let parent = make_parent(&shared.root, &path)?;
            let mut temporary = tempfile::Builder::new()
                .prefix(".put-")
                .tempfile_in(&parent)
                .map_err(from_io)?;
            temporary.write_all(&bytes).map_err(from_io)?;
            temporary.as_file().sync_all().map_err(from_io)?;
            temporary
                .persist(&path)
                .map_err(|error| from_io(error.error))?;
            sync_directory(&parent)?;
            let sha256 = Digest(Sha256::digest(&bytes).into());
            shared.remember(&key, sha256, &path);
            Ok(ObjectRef {
                key,
                sha256,
                size: bytes.len() as u64,
            })
        })
    }

    fn put_file<'a>(
        &'a self,
        key: ObjectKey,
        file: &'a Path,
    ) -> BoxFuture<'a, Result<ObjectRef, StoreError>> {
        let file = file.to_owned();
        self.blocking(move |shared| {
            let path = shared.path(&key)?;
            let parent = make_parent(&shared.root, &path)?;
            let (sha256, size) = hash_file(&file).map_err(from_io)?;
            File::open(&file)
                .and_then(|file| file.sync_all())
                .map_err(from_io)?;
            if let Err(error) = fs::rename(&file, &path) {
                if error.kind() != io::ErrorKind::CrossesDevices {
                    return Err(from_io(error));
                }
                copy_across(&file, &parent, &path)?;
            }
            sync_directory(&parent)?;
            shared.remember(&key, sha256, &path);
            Ok(ObjectRef { key, sha256, size })
        })
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
            if shared.is_verified(&object, &about) {
                return Ok(path);
            }
            let (sha256, _) = hash_file(&path).map_err(from_io)?;
            if sha256 != object.sha256 {
                return Err(StoreError::Damaged(object.key));
            }
            shared.remember(&object.key, sha256, &path);
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
            shared.forget(|known| known == &key);
            fine_if_missing(fs::remove_file(shared.path(&key)?))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        let prefix = prefix.to_owned();
        self.blocking(move |shared| {
            let directory = ObjectKey(prefix.trim_end_matches('/').to_owned());
            let mut found = Vec::new();
            shared
                .walk(&shared.path(&directory)?, &mut found)
                .map_err(from_io)?;
            Ok(found)
        })
    }

    fn touch<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>> {
        let key = key.clone();
        self.blocking(move |shared| {
            let path = shared.path(&key)?;
            let known = shared.table().get(&key).copied();
            File::open(&path)
                .and_then(|file| file.set_modified(SystemTime::now()))
                .map_err(|error| missing_or(error, &key))?;
            // The bytes are the same: what was verified still is.
            if let Some((sha256, ..)) = known {
                shared.remember(&key, sha256, &path);
            }
            Ok(())
        })
    }

    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        let prefix = prefix.to_owned();
        self.blocking(move |shared| {
            shared.forget(|known| known.0.starts_with(&prefix));
            let directory = ObjectKey(prefix.trim_end_matches('/').to_owned());
            fine_if_missing(fs::remove_dir_all(shared.path(&directory)?))
        })
    }
}

impl Shared {
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

    fn walk(&self, directory: &Path, found: &mut Vec<Listed>) -> io::Result<()> {
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let about = entry.metadata()?;
            if about.is_dir() {
                self.walk(&path, found)?;
                continue;
            }
            let Some(key) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else {
                continue;
            };
            // What is being written is not an object yet.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let since = about.modified()?.duration_since(SystemTime::UNIX_EPOCH);
            let millis = since.unwrap_or_default().as_millis();
            found.push(Listed {
                key: ObjectKey(key.to_owned()),
                size: about.len(),
                used_at: LogTime(u64::try_from(millis).unwrap_or(u64::MAX)),
            });
        }
        Ok(())
    }

    fn remember(&self, key: &ObjectKey, sha256: Digest, path: &Path) {
        let Ok(about) = fs::metadata(path) else {
            return;
        };
        let Ok(changed) = about.modified() else {
            return;
        };
        self.table()
            .insert(key.clone(), (sha256, about.len(), changed));
    }

    fn is_verified(&self, object: &ObjectRef, about: &fs::Metadata) -> bool {
        let Ok(changed) = about.modified() else {
            return false;
        };
        self.table().get(&object.key) == Some(&(object.sha256, about.len(), changed))
    }

    fn forget(&self, gone: impl Fn(&ObjectKey) -> bool) {
        self.table().retain(|key, _| !gone(key));
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectKey, (Digest, u64, SystemTime)>> {
        // The table holds hints only: what a panicking thread left in it is still true.
        self.verified
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// SHA-256 and length of a file.
///
/// # Errors
/// Whatever reading it meets.
pub fn hash_file(path: &Path) -> io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((Digest(hasher.finalize().into()), size));
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}

/// Makes the directories above `path` down from `root`, syncing each that is new.
fn make_parent(root: &Path, path: &Path) -> Result<PathBuf, StoreError> {
    let parent = path.parent().unwrap_or(root);
    let mut missing = Vec::new();
    let mut at = parent;
    while at != root && !at.try_exists().map_err(from_io)? {
        missing.push(at.to_owned());
        at = at.parent().unwrap_or(root);
    }
    for directory in missing.into_iter().rev() {
        match fs::create_dir(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(from_io(error));
            }
            _ => sync_directory(directory.parent().unwrap_or(root))?,
        }
    }
    Ok(parent.to_owned())
}

fn copy_across(file: &Path, parent: &Path, path: &Path) -> Result<(), StoreError> {
    let mut temporary = tempfile::Builder::new()
        .prefix(".put-")
        .tempfile_in(parent)
        .map_err(from_io)?;
    let mut source = File::open(file).map_err(from_io)?;
    io::copy(&mut source, temporary.as_file_mut()).map_err(from_io)?;
    temporary.as_file().sync_all().map_err(from_io)?;
    temporary
        .persist(path)
        .map_err(|error| from_io(error.error))?;
    fine_if_missing(fs::remove_file(file))
}

fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(from_io)
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

fn from_io(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let moved = store.put_file(key("jobs/a/two"), &file).await.unwrap();
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
}
