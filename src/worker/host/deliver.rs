//! The node's side of a delivery: a completed render's file to the place its request names.
//! To do it twice is to do it once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cluster::model::{Artifact, Failure, JobId, ObjectRef};
use futures::future::BoxFuture;

use super::Shared;
use crate::plan::RequestObject;
use crate::store::{ObjectAbout, StoreError};
use crate::worker::failure;

/// The longest one copy may take. The bucket's own time limits end one that stands still.
const LIMIT: Duration = Duration::from_secs(3600);
/// Time between two signs of life of a copy.
const ALIVE: Duration = Duration::from_secs(5);

/// A bucket that renders may be delivered to.
pub trait Bucket: Send + Sync + 'static {
    /// Puts a local file at `key`, in place of what is there.
    fn put<'a>(
        &'a self,
        key: &'a str,
        file: &'a Path,
        about: &'a ObjectAbout,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// Copies `artifact` of `render` to the destination of `request`.
pub(super) async fn deliver(
    shared: &Shared,
    render: JobId,
    artifact: &Artifact,
    request: &ObjectRef,
    scratch: &Path,
    progress: &Arc<AtomicU64>,
) -> Result<(), Failure> {
    let bytes = shared.store.get(&request.key).await;
    let bytes = bytes.map_err(|error| failure::of_store(&error))?;
    let request =
        RequestObject::from_bytes(&bytes).map_err(|error| failure::engine(error.to_string()))?;
    let wanted = &request.composition["destination"]["s3"];
    let (Some(name), Some(key)) = (wanted["bucket"].as_str(), wanted["key"].as_str()) else {
        return Err(failure::engine(format!("{render} names no destination")));
    };
    let Some(bucket) = shared.buckets.get(name) else {
        let message = format!("no bucket `{name}` is set up on this node");
        return Err(failure::passing("storage_unavailable", message, None));
    };
    let file = shared.store.local_file(&artifact.object, scratch).await;
    let file = file.map_err(|error| failure::of_store(&error))?;
    progress.fetch_add(artifact.object.size, Ordering::Relaxed);
    let about = ObjectAbout {
        content_type: artifact.content_type.clone(),
        filename: Some(artifact.filename.clone()),
    };
    let putting = bucket.put(key, &file, &about);
    let deadline = tokio::time::sleep(LIMIT);
    let mut alive = tokio::time::interval(ALIVE);
    tokio::pin!(putting, deadline);
    loop {
        tokio::select! {
            put = &mut putting => {
                return put.map_err(|error| refused(name, &error));
            }
            _ = alive.tick() => {
                progress.fetch_add(1, Ordering::Relaxed);
            }
            () = &mut deadline => {
                let minutes = LIMIT.as_secs() / 60;
                let message = format!("the bucket `{name}` took longer than {minutes} minutes");
                return Err(failure::passing("storage_unavailable", message, None));
            }
        }
    }
}

fn refused(name: &str, error: &StoreError) -> Failure {
    let mut message = format!("the bucket `{name}` did not take the file: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        message = format!("{message}: {deeper}");
        cause = deeper.source();
    }
    failure::passing("storage_unavailable", message, None)
}
