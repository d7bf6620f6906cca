//! The object store: where everything big lives. Keys are server-made.

pub mod fetch;
pub mod keys;
mod local;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use cluster::model::{Digest, LogTime, ObjectKey, ObjectRef};
use futures::future::BoxFuture;

pub use local::{LocalStore, hash_file};

/// A place for objects. When a put returns, the object is durable: file and directory synced.
pub trait ObjectStore: Send + Sync + 'static {
    /// Stores bytes under a fresh key.
    fn put(&self, key: ObjectKey, bytes: Bytes) -> BoxFuture<'_, Result<ObjectRef, StoreError>>;

    /// Stores a local file under a fresh key; the file may be moved away.
    fn put_file<'a>(
        &'a self,
        key: ObjectKey,
        file: &'a Path,
    ) -> BoxFuture<'a, Result<ObjectRef, StoreError>>;

    /// The whole object.
    fn get<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Bytes, StoreError>>;

    /// A local, read-only file with the object's bytes, verified against `object.sha256` and
    /// size: the store's own file where it is local, else a download into `scratch`.
    fn local_file<'a>(
        &'a self,
        object: &'a ObjectRef,
        scratch: &'a Path,
    ) -> BoxFuture<'a, Result<PathBuf, StoreError>>;

    /// Length in bytes, or nothing if there is no such object.
    fn head<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Option<u64>, StoreError>>;

    /// Removes an object; one that is not there is fine.
    fn delete<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Every object whose key begins with `prefix` (which ends in `/`), in no order.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>>;

    /// Notes that an object is in use now, for those who remove what long was not.
    fn touch<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Removes every object whose key begins with `prefix` (which ends in `/`).
    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// An object as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: ObjectKey,
    /// Its length in bytes.
    pub size: u64,
    /// When it was put or last touched.
    pub used_at: LogTime,
}

/// SHA-256 of bytes in memory.
pub fn digest(bytes: &[u8]) -> Digest {
    use sha2::Digest as _;
    Digest(sha2::Sha256::digest(bytes).into())
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("object `{0}` is not in the store")]
    NotFound(ObjectKey),
    /// Its bytes are not the ones that were committed.
    #[error("object `{0}` is damaged")]
    Damaged(ObjectKey),
    /// No room is left.
    #[error("storage is full")]
    Full,
    /// Anything else; a retry may help.
    #[error("storage failed")]
    Io(#[source] std::io::Error),
}
