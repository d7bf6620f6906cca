//! The node's side of a task: its inputs from the network and the store to local files, the
//! worker's outputs to the store. Leases are handled by the actors, files only here.
//!
//! The worker may have been taken over by what it read: it is given links to its run's inputs
//! and nothing else of the store, and what it made is taken away from it before it is looked at.

mod accept;
mod deliver;
mod ingest;
mod publish;
mod stage;
mod take;
#[cfg(test)]
mod tests;
mod transfer;
mod transfers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actors::ports::{Assignment, Staged, TaskHost, Transferred};
use cluster::model::{Failure, TaskOutput};
use futures::FutureExt;
use futures::future::BoxFuture;

pub use deliver::Bucket;
pub use transfer::SOURCES_AT_ONCE;
pub use transfers::Transfers;

use super::scratch::{RunDirs, Scratch};
use crate::composition::Limits;
use crate::plan::CutSettings;
use crate::store::ObjectStore;
use crate::store::fetch::Fetcher;

/// What of the node's settings matters to its tasks.
#[derive(Debug, Clone)]
pub struct HostSettings {
    /// The limits of compositions.
    pub limits: Limits,
    /// How outputs are cut.
    pub cuts: CutSettings,
    /// Largest upload or import in bytes.
    pub source_bytes: u64,
}

/// Carries tasks' files. One per node; cheap to clone.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn ObjectStore>,
    fetcher: Arc<Fetcher>,
    scratch: Scratch,
    settings: HostSettings,
    transfers: Transfers,
    /// Where renders may be delivered, by name.
    buckets: BTreeMap<String, Arc<dyn Bucket>>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// A host for one start of a node.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        fetcher: Arc<Fetcher>,
        scratch: Scratch,
        settings: HostSettings,
        buckets: BTreeMap<String, Arc<dyn Bucket>>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                fetcher,
                scratch,
                settings,
                transfers: Transfers::default(),
                buckets,
            }),
        }
    }
}

impl Host {
    /// The imports that go on here.
    pub fn transfers(&self) -> Transfers {
        self.shared.transfers.clone()
    }
}

impl TaskHost for Host {
    fn transfer(
        &self,
        assignment: Assignment,
        progress: Arc<AtomicU64>,
    ) -> BoxFuture<'static, Result<Transferred, Failure>> {
        let shared = Arc::clone(&self.shared);
        async move { transfer::transfer(&shared, &assignment, &progress).await }.boxed()
    }

    fn stage(
        &self,
        slot: usize,
        run: Vec<Assignment>,
        to_probe: Option<Vec<u8>>,
        progress: Arc<AtomicU64>,
    ) -> BoxFuture<'static, Result<Staged, Failure>> {
        let shared = Arc::clone(&self.shared);
        let staging =
            async move { stage::stage(&shared, slot, &run, to_probe.as_deref(), &progress).await };
        staging.boxed()
    }

    fn publish(
        &self,
        assignment: Assignment,
        scratch: PathBuf,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<TaskOutput, Failure>> {
        let shared = Arc::clone(&self.shared);
        async move { publish::publish(&shared, &assignment, &scratch, &body).await }.boxed()
    }

    fn clean(&self, scratch: PathBuf) -> BoxFuture<'static, ()> {
        let removed = tokio::task::spawn_blocking(move || {
            if let Some(dirs) = RunDirs::of(&scratch) {
                stage::remove(&dirs);
            }
        });
        async move {
            if let Err(error) = removed.await {
                tracing::warn!(%error, "scratch stays");
            }
        }
        .boxed()
    }
}
