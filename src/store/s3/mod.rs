//! Objects in a bucket of S3, or of a compatible server.
//!
//! Keys are fresh, so a put may be sent twice: both tries carry the same bytes. When an object
//! was last used is the time of an empty marker (`used/` and its key): S3 has no other way to
//! note it that does not write the object again.

mod bucket;
mod destination;
mod error;
mod upload;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use cluster::model::{LogTime, ObjectKey, ObjectRef};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{GetOptions, GetRange, HeaderValue, ObjectMeta, ObjectStore as _};
use object_store::{ObjectStoreExt as _, PutPayload};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use tokio_util::io::ReaderStream;

use self::bucket::Bucket;
pub use self::bucket::{Credentials, S3Limits, S3Options};
pub use self::destination::Destination;
use self::upload::Upload;
use super::landing::{Landing, blocking};
use super::{ByteStream, Listed, ObjectAbout, ObjectStore, Presign, StoreError, digest, from_io};

/// Where the markers are: the key of one is this and the object's key.
const USED: &str = "used/";

/// No link works longer: S3 refuses to.
const LONGEST_LINK: Duration = Duration::from_secs(7 * 86_400);

/// Bytes of a file read at a time.
const CHUNK: usize = 1024 * 1024;

/// A bucket, or what begins with a prefix in it.
#[derive(Debug, Clone)]
pub struct S3Store {
    bucket: Bucket,
}

impl S3Store {
    /// A store in the bucket; it is not spoken to yet.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the description cannot be used.
    pub fn open(options: S3Options) -> Result<Self, StoreError> {
        let bucket = Bucket::open(options)?;
        Ok(Self { bucket })
    }

    async fn open_range(
        &self,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream, StoreError> {
        let path = self.bucket.path(key)?;
        let wanted = range.as_ref().map(|range| match range.end {
            u64::MAX => GetRange::Offset(range.start),
            _ => GetRange::Bounded(range.clone()),
        });
        if range.as_ref().is_some_and(Range::is_empty) {
            return self.nothing_of(key).await;
        }
        let options = GetOptions {
            range: wanted,
            ..GetOptions::default()
        };
        match self.bucket.client.get_opts(&path, options).await {
            Ok(got) => {
                let key = key.clone();
                let bytes = got.into_stream();
                Ok(bytes.map_err(move |error| error::of(&error, &key)).boxed())
            }
            Err(error) => {
                let begins = range.map_or(0, |range| range.start);
                if begins > 0 && self.head(key).await?.is_some_and(|size| begins >= size) {
                    return Ok(futures::stream::empty().boxed());
                }
                Err(error::of(&error, key))
            }
        }
    }

    async fn nothing_of(&self, key: &ObjectKey) -> Result<ByteStream, StoreError> {
        match self.head(key).await? {
            Some(_) => Ok(futures::stream::empty().boxed()),
            None => Err(StoreError::NotFound(key.clone())),
        }
    }

    async fn copy_over(&self, from: &ObjectKey, to: &ObjectKey) -> Result<(), StoreError> {
        let (source, target) = (self.bucket.path(from)?, self.bucket.path(to)?);
        let size = self.head(from).await?;
        let size = size.ok_or_else(|| StoreError::NotFound(from.clone()))?;
        if size > self.bucket.limits.copy_bytes {
            let upload = Upload {
                key: to,
                path: target,
                about: None,
                size: Some(size),
            };
            let bytes = self.open_range(from, None).await?;
            return self.bucket.upload(upload, bytes).await.map(|_| ());
        }
        let copied = self.bucket.patient.copy(&source, &target).await;
        copied.map_err(|error| error::of(&error, from))
    }

    async fn download(
        &self,
        object: &ObjectRef,
        scratch: &FilePath,
    ) -> Result<PathBuf, StoreError> {
        let directory = scratch.to_owned();
        let landing = blocking(move || Landing::within(&directory)).await?;
        let size = object.size;
        let bytes = self.open_range(&object.key, None).await?;
        // One byte more than promised shows that there is too much: the rest is not wanted.
        let mut left = size.saturating_add(1);
        let bytes = bytes.try_take_while(move |chunk| {
            let goes_on = left > 0;
            left = left.saturating_sub(chunk.len() as u64);
            futures::future::ready(Ok(goes_on))
        });
        let landed = landing.receive(bytes.boxed()).await?.finish();
        if (landed.sha256, landed.size) != (object.sha256, size) {
            return Err(StoreError::Damaged(object.key.clone()));
        }
        let (_, path) = landed.file.keep().map_err(|error| from_io(error.error))?;
        Ok(path)
    }

    /// Everything below `prefix`, whose last `/` is left out.
    async fn below(&self, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let key = ObjectKey(prefix.trim_end_matches('/').to_owned());
        let path = self.bucket.path(&key)?;
        let listed = self.bucket.client.list(Some(&path));
        let listed = listed.try_collect().await;
        listed.map_err(|error| error::of(&error, &key))
    }

    async fn delete_below(&self, prefix: &str) -> Result<(), StoreError> {
        let key = ObjectKey(prefix.trim_end_matches('/').to_owned());
        let path = self.bucket.path(&key)?;
        let listed = self.bucket.client.list(Some(&path));
        let paths = listed.map_ok(|about| about.location).boxed();
        let deleted = self.bucket.client.delete_stream(paths);
        let deleted = deleted
            .try_for_each(|_| futures::future::ready(Ok(())))
            .await;
        deleted.or_else(|error| match error::of(&error, &key) {
            StoreError::NotFound(_) => Ok(()),
            other => Err(other),
        })
    }

    async fn delete_one(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let path = self.bucket.path(key)?;
        match self.bucket.client.delete(&path).await {
            Ok(()) => Ok(()),
            Err(error) => match error::of(&error, key) {
                StoreError::NotFound(_) => Ok(()),
                other => Err(other),
            },
        }
    }

    async fn sign(&self, request: Presign) -> Result<String, StoreError> {
        let (method, key, ttl, content_type) = match request {
            Presign::Get { key, ttl } => (Method::GET, key, ttl, None),
            Presign::Put {
                key,
                ttl,
                content_type,
            } => (Method::PUT, key, ttl, content_type),
        };
        let path = self.bucket.path(&key)?;
        let mut options = SignedUrlOptions::new();
        if let Some(content_type) = content_type {
            let value = HeaderValue::from_str(&content_type)
                .map_err(|_| error::unusable("the content type is no header value"))?;
            options = options.with_signed_header(CONTENT_TYPE, value);
        }
        let signed = self
            .bucket
            .client
            .signed_url_opts(method, &path, ttl.min(LONGEST_LINK), &options)
            .await;
        signed
            .map(String::from)
            .map_err(|error| error::of(&error, &key))
    }
}

impl ObjectStore for S3Store {
    fn put(&self, key: ObjectKey, bytes: Bytes) -> BoxFuture<'_, Result<ObjectRef, StoreError>> {
        async move {
            let path = self.bucket.path(&key)?;
            let (sha256, size) = (digest(&bytes), bytes.len() as u64);
            let put = self.bucket.client.put(&path, PutPayload::from(bytes)).await;
            put.map_err(|error| error::of(&error, &key))?;
            Ok(ObjectRef { key, sha256, size })
        }
        .boxed()
    }

    fn put_stream<'a>(
        &'a self,
        key: ObjectKey,
        bytes: BoxStream<'a, Result<Bytes, StoreError>>,
    ) -> BoxFuture<'a, Result<ObjectRef, StoreError>> {
        async move {
            let upload = Upload {
                key: &key,
                path: self.bucket.path(&key)?,
                about: None,
                size: None,
            };
            let (sha256, size) = self.bucket.upload(upload, bytes).await?;
            Ok(ObjectRef { key, sha256, size })
        }
        .boxed()
    }

    fn put_file<'a>(
        &'a self,
        key: ObjectKey,
        file: &'a FilePath,
        about: Option<&'a ObjectAbout>,
    ) -> BoxFuture<'a, Result<ObjectRef, StoreError>> {
        async move {
            let path = self.bucket.path(&key)?;
            self.bucket.put_file(key, path, file, about).await
        }
        .boxed()
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Bytes, StoreError>> {
        async move {
            let path = self.bucket.path(key)?;
            let failed = |error| error::of(&error, key);
            let got = self.bucket.client.get(&path).await.map_err(failed)?;
            got.bytes().await.map_err(failed)
        }
        .boxed()
    }

    fn read<'a>(
        &'a self,
        key: &'a ObjectKey,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<ByteStream, StoreError>> {
        self.open_range(key, range).boxed()
    }

    fn copy<'a>(
        &'a self,
        from: &'a ObjectKey,
        to: &'a ObjectKey,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.copy_over(from, to).boxed()
    }

    fn presign(&self, request: &Presign) -> Option<BoxFuture<'_, Result<String, StoreError>>> {
        Some(self.sign(request.clone()).boxed())
    }

    fn local_file<'a>(
        &'a self,
        object: &'a ObjectRef,
        scratch: &'a FilePath,
    ) -> BoxFuture<'a, Result<PathBuf, StoreError>> {
        self.download(object, scratch).boxed()
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        async move {
            let path = self.bucket.path(key)?;
            match self.bucket.client.head(&path).await {
                Ok(about) => Ok(Some(about.size)),
                Err(error) => match error::of(&error, key) {
                    StoreError::NotFound(_) => Ok(None),
                    other => Err(other),
                },
            }
        }
        .boxed()
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let marker = marker(key);
            futures::try_join!(self.delete_one(key), self.delete_one(&marker))?;
            Ok(())
        }
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        async move {
            let used = format!("{USED}{prefix}");
            let (objects, markers) = futures::try_join!(self.below(prefix), self.below(&used))?;
            let touched: HashMap<Path, LogTime> = markers
                .into_iter()
                .map(|about| (about.location.clone(), changed(&about)))
                .collect();
            let listed = objects.into_iter().filter_map(|about| {
                let key = self.bucket.key(&about.location)?;
                let marker = self.bucket.path(&marker(&key)).ok()?;
                let put = changed(&about);
                Some(Listed {
                    used_at: touched
                        .get(&marker)
                        .map_or(put, |touched| put.max(*touched)),
                    size: about.size,
                    key,
                })
            });
            Ok(listed.collect())
        }
        .boxed()
    }

    fn children<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        async move {
            let directory = ObjectKey(prefix.trim_end_matches('/').to_owned());
            let path = self.bucket.path(&directory)?;
            let listed = self.bucket.client.list_with_delimiter(Some(&path)).await;
            let listed = listed.map_err(|error| error::of(&error, &directory))?;
            let names = listed.common_prefixes.iter().filter_map(Path::filename);
            Ok(names.map(str::to_owned).collect())
        }
        .boxed()
    }

    fn touch<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let path = self.bucket.path(&marker(key))?;
            let put = self.bucket.client.put(&path, PutPayload::new()).await;
            put.map(|_| ()).map_err(|error| error::of(&error, key))
        }
        .boxed()
    }

    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            let used = format!("{USED}{prefix}");
            futures::try_join!(self.delete_below(prefix), self.delete_below(&used))?;
            Ok(())
        }
        .boxed()
    }
}

impl Bucket {
    /// A local file into the bucket; the file stays.
    async fn put_file(
        &self,
        key: ObjectKey,
        path: Path,
        file: &FilePath,
        about: Option<&ObjectAbout>,
    ) -> Result<ObjectRef, StoreError> {
        let file = tokio::fs::File::open(file).await.map_err(from_io)?;
        let size = file.metadata().await.map_err(from_io)?.len();
        let bytes = ReaderStream::with_capacity(file, CHUNK).map_err(from_io);
        let upload = Upload {
            key: &key,
            path,
            about,
            size: Some(size),
        };
        let (sha256, size) = self.upload(upload, bytes.boxed()).await?;
        Ok(ObjectRef { key, sha256, size })
    }
}

fn marker(key: &ObjectKey) -> ObjectKey {
    ObjectKey(format!("{USED}{key}"))
}

/// When an object was put. S3 counts in whole seconds and leaves the rest off; who removes
/// what was not used since a moment must not take it for older than it is.
fn changed(about: &ObjectMeta) -> LogTime {
    let millis = about.last_modified.timestamp_millis();
    LogTime(u64::try_from(millis).unwrap_or(0).saturating_add(999))
}
