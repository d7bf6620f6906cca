//! The object store: where everything big lives. Keys are server-made.

mod bulk;
pub mod fetch;
pub mod keys;
mod landing;
mod local;
mod marks;
mod open;
pub mod s3;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use cluster::model::{Digest, LogTime, ObjectKey, ObjectRef};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use bulk::BulkFile;
pub use local::{LocalStore, hash_file};
pub use marks::{Marks, Purpose};
pub use open::{Location, open, probe};

/// Bytes as they come.
pub type ByteStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// A place for objects. When a put returns, the object is durable: file and directory synced.
pub trait ObjectStore: Send + Sync + 'static {
    /// Whether there is room for `bytes` more for `purpose`. A put checks that itself.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    fn admit(&self, _purpose: Purpose, _bytes: u64) -> Result<(), StoreError> {
        Ok(())
    }

    /// Stores bytes under a fresh key.
    fn put(&self, key: ObjectKey, bytes: Bytes) -> BoxFuture<'_, Result<ObjectRef, StoreError>>;

    /// Stores bytes under a fresh key as they come, holding only a bounded part of them. When
    /// `bytes` yields an error, it is the answer; then, and when the future is dropped, nothing
    /// of the object is left.
    fn put_stream<'a>(
        &'a self,
        key: ObjectKey,
        bytes: BoxStream<'a, Result<Bytes, StoreError>>,
    ) -> BoxFuture<'a, Result<ObjectRef, StoreError>>;

    /// Stores a local file under a fresh key; the file may be moved away. `about` is what a
    /// presigned link answers with; a store that has no such links does not keep it.
    fn put_file<'a>(
        &'a self,
        key: ObjectKey,
        file: &'a Path,
        about: Option<&'a ObjectAbout>,
    ) -> BoxFuture<'a, Result<ObjectRef, StoreError>>;

    /// The whole object.
    fn get<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Bytes, StoreError>>;

    /// The object's bytes, or those of a range, as they come; not verified. A range that
    /// reaches beyond the end stops there; one that begins beyond it is empty.
    fn read<'a>(
        &'a self,
        key: &'a ObjectKey,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<ByteStream, StoreError>>;

    /// Makes `to` a second object with the bytes of `from`, without reading them where the
    /// store can help it. `from` can be removed afterwards.
    fn copy<'a>(
        &'a self,
        from: &'a ObjectKey,
        to: &'a ObjectKey,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// What an object is, with the digest of its bytes, where that takes no transfer of them.
    /// `None`: only reading the bytes would tell.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or whatever hashing a local file meets.
    fn object_ref<'a>(
        &'a self,
        _key: &'a ObjectKey,
    ) -> BoxFuture<'a, Result<Option<ObjectRef>, StoreError>> {
        std::future::ready(Ok(None)).boxed()
    }

    /// A link with which a client reaches the store itself. Nothing, when the store has none
    /// to give: then the server passes the bytes on.
    fn presign(&self, request: &Presign) -> Option<BoxFuture<'_, Result<String, StoreError>>>;

    /// A local, read-only file with the object's bytes, verified against `object.sha256` and
    /// size: the store's own file where it is local, else a download into `scratch`.
    fn local_file<'a>(
        &'a self,
        object: &'a ObjectRef,
        scratch: &'a Path,
    ) -> BoxFuture<'a, Result<PathBuf, StoreError>>;

    /// Length in bytes, or `None` if there is no such object.
    fn head<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Option<u64>, StoreError>>;

    /// Removes an object; one that is not there is fine.
    fn delete<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Every object whose key begins with `prefix` (which ends in `/`), in no order.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>>;

    /// The names directly below `prefix` (which ends in `/`) that have objects below them, in no
    /// order.
    fn children<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Notes that an object is in use now, for those who remove what long was not.
    fn touch<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Removes every object whose key begins with `prefix` (which ends in `/`).
    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// How an object is described to those who fetch it by a presigned link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAbout {
    /// Its `Content-Type`.
    pub content_type: String,
    /// What it is saved as.
    pub filename: Option<String>,
}

impl ObjectAbout {
    /// The `Content-Disposition`: saved under its name.
    pub fn disposition(&self) -> Option<String> {
        let filename = self.filename.as_ref()?;
        Some(disposition("attachment", filename))
    }
}

/// A `Content-Disposition` with the name for old clients in ASCII and for others as it is.
pub fn disposition(kind: &str, filename: &str) -> String {
    let ascii: String = filename
        .chars()
        .map(|letter| match letter {
            ' '..='~' if !matches!(letter, '"' | '\\') => letter,
            _ => '_',
        })
        .collect();
    let mut disposition = format!("{kind}; filename=\"{ascii}\"; filename*=UTF-8''");
    for byte in filename.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            disposition.push(char::from(byte));
        } else {
            disposition.push_str(&format!("%{byte:02X}"));
        }
    }
    disposition
}

/// What a presigned link is for.
///
/// The signature does not cover the length of what is put: the code that waits for the object
/// checks its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presign {
    /// To fetch the object.
    Get {
        /// Its key.
        key: ObjectKey,
        /// How long the link works.
        ttl: Duration,
    },
    /// To put it, in one request.
    Put {
        /// Its key.
        key: ObjectKey,
        /// How long the link works.
        ttl: Duration,
        /// The `Content-Type` that must come with it, exactly. Nothing: whatever comes.
        content_type: Option<String>,
    },
}

/// An object as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: ObjectKey,
    /// Its length in bytes.
    pub size: u64,
    /// When it was put or last touched, by the store's clock: to be compared with other such
    /// times only.
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

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        from_io(error)
    }
}

fn from_io(error: std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Io(error),
    }
}
