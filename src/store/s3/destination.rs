//! A bucket that finished renders are delivered to. It belongs to the client: keys are the
//! client's, and puts may be the only allowed calls.

use std::path::Path as FilePath;
use std::time::Duration;

use cluster::model::{ObjectKey, ObjectRef};
use object_store::ObjectStoreExt as _;
use object_store::PutPayload;
use object_store::path::Path;

use super::bucket::{Bucket, S3Options};
use super::error;
use crate::store::open::within;
use crate::store::{ObjectAbout, StoreError};

/// What a probe puts, and takes away where it may.
const PROBE: &str = ".framelane-probe";

/// A bucket to deliver to.
#[derive(Debug, Clone)]
pub struct Destination {
    bucket: Bucket,
}

impl Destination {
    /// A destination in the bucket; it is not spoken to yet.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the description cannot be used.
    pub fn open(options: S3Options) -> Result<Self, StoreError> {
        let bucket = Bucket::open(options)?;
        Ok(Self { bucket })
    }

    /// Puts a local file at `key`, in place of what is there. The file stays. To do it twice
    /// is to do it once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `key` is none (empty, or with an empty, `.` or `..` part);
    /// else the default of the bucket.
    pub async fn put_file_at(
        &self,
        key: &str,
        file: &FilePath,
        about: Option<&ObjectAbout>,
    ) -> Result<ObjectRef, StoreError> {
        let key = ObjectKey(key.to_owned());
        let path = self.bucket.path(&key)?;
        self.bucket.put_file(key, path, file, about).await
    }

    /// Puts a small object, and deletes it if that is allowed.
    ///
    /// # Errors
    /// Why it cannot be put, or [`StoreError::Io`] after `deadline`.
    pub async fn probe(&self, deadline: Duration) -> Result<(), StoreError> {
        let path = Path::from(PROBE);
        let attempt = async {
            let put = self.bucket.client.put(&path, PutPayload::new()).await;
            put.map_err(|error| error::of(&error, &ObjectKey(PROBE.to_owned())))?;
            if let Err(error) = self.bucket.client.delete(&path).await {
                tracing::debug!(%error, "the probe stays in the destination");
            }
            Ok(())
        };
        within(deadline, attempt).await
    }
}
