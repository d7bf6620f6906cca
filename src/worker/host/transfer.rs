//! The node's side of tasks that only move bytes: they take no slot, however slow the network.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actors::ports::{Assignment, LOST_SOURCES, Transferred};
use cluster::model::{Epoch, Failure, JobId, ObjectRef, TaskKind, TaskOutput};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::{Shared, deliver, ingest, stage};
use crate::composition::SourceUse;
use crate::plan::asset_of;
use crate::store::{StoreError, keys};
use crate::worker::{failure, order};

/// Sources of one composition that are fetched at once.
pub const SOURCES_AT_ONCE: usize = 4;

/// The remote sources of one render: what its fetch leaves to the prepare that follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FetchedSources {
    /// Where the bytes of each URL are in the store.
    pub(super) by_url: BTreeMap<String, ObjectRef>,
}

/// Moves the bytes of a transfer.
pub(super) async fn transfer(
    shared: &Shared,
    assignment: &Assignment,
    progress: &Arc<AtomicU64>,
) -> Result<Transferred, Failure> {
    let kind = assignment.granted.task.kind;
    let label = match kind {
        TaskKind::Fetch => "fetch",
        TaskKind::Ingest => "ingest",
        TaskKind::Deliver => "deliver",
        TaskKind::Prepare | TaskKind::Audio | TaskKind::Segment(_) | TaskKind::Join => {
            return Err(failure::engine("a task that is no transfer"));
        }
    };
    let scratch = shared.scratch.own(label);
    let scratch = scratch.map_err(|error| failure::of_io(&error))?;
    let scratch = scratch.path();
    if kind == TaskKind::Fetch {
        fetch(shared, assignment, scratch, progress).await?;
        return Ok(Transferred::Done(Box::new(TaskOutput::Fetched)));
    }
    if let Some(asset) = &assignment.ingest {
        let taken = ingest::take_in(shared, asset, scratch, progress).await?;
        let taken = order::encode(&taken).map_err(|error| failure::engine(error.to_string()))?;
        return Ok(Transferred::ToProbe(taken));
    }
    let Some((render, artifact)) = &assignment.deliver else {
        return Err(failure::engine("a transfer of nothing"));
    };
    let request = &assignment.request;
    deliver::deliver(shared, *render, artifact, request, scratch, progress).await?;
    Ok(Transferred::Done(Box::new(TaskOutput::Delivered)))
}

/// Brings the remote sources of a render into the store, and keeps where they are.
async fn fetch(
    shared: &Shared,
    assignment: &Assignment,
    scratch: &Path,
    progress: &Arc<AtomicU64>,
) -> Result<(), Failure> {
    let composition = stage::composition(shared, &assignment.request).await?;
    let mut uses = composition.source_urls();
    uses.retain(|used| asset_of(&used.url).is_none());
    let by_url = futures::stream::iter(uses)
        .map(|used| async move {
            let fetched = fetch_one(shared, &used, scratch, progress).await?;
            Ok::<_, Failure>((used.url, fetched))
        })
        .buffered(SOURCES_AT_ONCE)
        .try_collect()
        .await?;
    let sources = FetchedSources { by_url };
    let bytes = order::encode(&sources).map_err(|error| failure::engine(error.to_string()))?;
    let key = keys::fetched(assignment.granted.task.job, assignment.granted.epoch);
    let written = shared.store.put(key, bytes.into()).await;
    written.map(drop).map_err(|error| failure::of_store(&error))
}

/// Fetches a source that an element names.
pub(super) async fn fetch_one(
    shared: &Shared,
    used: &SourceUse,
    scratch: &Path,
    progress: &Arc<AtomicU64>,
) -> Result<ObjectRef, Failure> {
    let fetched = shared.fetcher.fetch(&used.url, scratch, progress).await;
    fetched.map_err(|error| failure::of_fetch(&error, &used.path))
}

/// Where the sources are that the fetch `epoch` of `job` brought to this node.
pub(super) async fn fetched(
    shared: &Shared,
    job: JobId,
    epoch: Epoch,
) -> Result<FetchedSources, Failure> {
    let bytes = shared.store.get(&keys::fetched(job, epoch)).await;
    let bytes = bytes.map_err(|error| lost(&error))?;
    order::decode(&bytes).map_err(|error| failure::engine(format!("what was fetched: {error}")))
}

/// A fetched source that cannot be read. One that is gone has its fetch done again.
pub(super) fn lost(error: &StoreError) -> Failure {
    match error {
        StoreError::NotFound(_) | StoreError::Damaged(_) => Failure {
            path: Some(LOST_SOURCES.to_owned()),
            ..failure::of_store(error)
        },
        StoreError::Full | StoreError::Io(_) => failure::of_store(error),
    }
}
