//! Which store to use, and whether it works.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cluster::model::ObjectKey;

use super::s3::{S3Options, S3Store};
use super::{LocalStore, ObjectStore, StoreError};

/// Where objects live.
#[derive(Debug, Clone)]
pub enum Location {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A bucket.
    S3(Box<S3Options>),
}

/// Opens the store. A bucket is not spoken to before it is used: see [`probe`].
///
/// # Errors
/// [`StoreError::Io`] when the directory cannot be made, or the bucket's description cannot be
/// used.
pub fn open(location: Location) -> Result<Arc<dyn ObjectStore>, StoreError> {
    Ok(match location {
        Location::Directory(directory) => Arc::new(LocalStore::open(directory)?),
        Location::S3(options) => Arc::new(S3Store::open(*options)?),
    })
}

/// Puts, gets and deletes a small object.
///
/// # Errors
/// The first that fails, or [`StoreError::Io`] after `deadline`.
pub async fn probe(store: &dyn ObjectStore, deadline: Duration) -> Result<(), StoreError> {
    let key = ObjectKey(format!("probe/{:016x}", rand::random::<u64>()));
    let bytes = Bytes::from(format!("probe {key}"));
    let attempt = async {
        store.put(key.clone(), bytes.clone()).await?;
        let got = store.get(&key).await;
        store.delete(&key).await?;
        if got? != bytes {
            return Err(StoreError::Damaged(key));
        }
        Ok(())
    };
    within(deadline, attempt).await
}

pub(super) async fn within<T>(
    deadline: Duration,
    attempt: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(deadline, attempt)
        .await
        .unwrap_or_else(|_| {
            Err(StoreError::Io(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {} s", deadline.as_secs()),
            )))
        })
}
