//! Putting: every file is written aside, in the store's own directory for that, and becomes an
//! object by a rename. What a crash leaves there is removed when the store is opened.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use cluster::model::{Digest, ObjectKey, ObjectRef};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use sha2::{Digest as _, Sha256};

use super::{CHUNK, LocalStore, Shared, fine_if_missing};
use crate::store::landing::{Landed, Landing};
use crate::store::{StoreError, from_io};

/// Where files are written, below the root. No key begins with a dot.
const INCOMING: &str = ".incoming";

impl LocalStore {
    pub(super) async fn receive(
        &self,
        key: ObjectKey,
        bytes: BoxStream<'_, Result<Bytes, StoreError>>,
    ) -> Result<ObjectRef, StoreError> {
        let target = key.clone();
        let (path, landing) = self
            .blocking(move |shared| Ok((shared.path(&target)?, shared.landing()?)))
            .await?;
        let shared = Arc::clone(&self.shared);
        let admitted = key.clone();
        let bytes = bytes
            .map(move |chunk| {
                let chunk = chunk?;
                shared.admit(&admitted, chunk.len() as u64)?;
                Ok(chunk)
            })
            .boxed();
        let landing = landing.receive(bytes).await?;
        // Blocking work goes on when its caller has stopped waiting, so it checks itself whether
        // the caller still waits.
        let waiting = Arc::new(());
        let awaited = Arc::downgrade(&waiting);
        let object = self
            .blocking(move |shared| {
                let (sha256, size) = shared.persist(landing, &path)?;
                if awaited.strong_count() == 0 {
                    fine_if_missing(fs::remove_file(&path))?;
                }
                shared.verified.remember(&key, sha256, &path);
                Ok(ObjectRef { key, sha256, size })
            })
            .await;
        drop(waiting);
        object
    }
}

impl Shared {
    pub(super) fn landing(&self) -> Result<Landing, StoreError> {
        Landing::within(&self.incoming)
    }

    /// Makes what came the object at `path`, durably.
    pub(super) fn persist(
        &self,
        landing: Landing,
        path: &Path,
    ) -> Result<(Digest, u64), StoreError> {
        let Landed { file, sha256, size } = landing.finish();
        file.as_file().sync_all().map_err(from_io)?;
        let parent = make_parent(&self.root, path)?;
        file.persist(path).map_err(|error| from_io(error.error))?;
        sync_directory(&parent)?;
        Ok((sha256, size))
    }

    /// Moves `file` to `path`, or copies it there from another file system.
    pub(super) fn take_file(&self, file: &Path, path: &Path) -> Result<(Digest, u64), StoreError> {
        let parent = make_parent(&self.root, path)?;
        let (sha256, size) = hash_file(file).map_err(from_io)?;
        File::open(file)
            .and_then(|file| file.sync_all())
            .map_err(from_io)?;
        match fs::rename(file, path) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let copied = self.copy_in(file, path)?;
                fine_if_missing(fs::remove_file(file))?;
                return Ok(copied);
            }
            renamed => renamed.map_err(from_io)?,
        }
        sync_directory(&parent)?;
        Ok((sha256, size))
    }

    /// Gives the bytes at `source` a second name; where the file system has no such thing,
    /// copies them.
    pub(super) fn link_or_copy(&self, source: &Path, path: &Path) -> Result<(), StoreError> {
        let parent = make_parent(&self.root, path)?;
        // A name in passing: `path` may be there, from a try whose answer was lost.
        let name = tempfile::Builder::new()
            .prefix("link-")
            .make_in(&self.incoming, |name| fs::hard_link(source, name));
        match name {
            Ok(name) => {
                // Dropped, the passing name goes: a rename leaves it when both are one file.
                fs::rename(name.path(), path).map_err(from_io)?;
                sync_directory(&parent)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::Io(error)),
            Err(_) => self.copy_in(source, path).map(|_| ()),
        }
    }

    fn copy_in(&self, source: &Path, path: &Path) -> Result<(Digest, u64), StoreError> {
        let mut source = File::open(source).map_err(from_io)?;
        let mut landing = self.landing()?;
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = source.read(&mut buffer).map_err(from_io)?;
            if read == 0 {
                return self.persist(landing, path);
            }
            landing.write(&buffer[..read])?;
        }
    }
}

/// Makes the directory for files being written, without those that a crash left: a file that is
/// being written is locked.
pub(super) fn open_incoming(root: &Path) -> Result<PathBuf, StoreError> {
    let incoming = root.join(INCOMING);
    fs::create_dir_all(&incoming).map_err(from_io)?;
    for entry in fs::read_dir(&incoming).map_err(from_io)? {
        let entry = entry.map_err(from_io)?;
        let locked = File::open(entry.path()).map(|file| file.try_lock());
        if !matches!(locked, Ok(Err(TryLockError::WouldBlock))) {
            fine_if_missing(fs::remove_file(entry.path()))?;
        }
    }
    Ok(incoming)
}

/// SHA-256 and length of a file.
///
/// # Errors
/// Whatever reading it meets.
pub fn hash_file(path: &Path) -> io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
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

fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(from_io)
}
