//! The node's side of a task: its inputs from the network and the store to local files, the
//! worker's outputs to the store. Knows nothing of leases; the actors know nothing of files.

mod publish;
mod stage;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actors::ports::{Assignment, Staged, TaskHost};
use cluster::model::{Failure, TaskOutput};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::scratch::Scratch;
use crate::composition::Limits;
use crate::store::ObjectStore;
use crate::store::fetch::Fetcher;

/// What of the node's settings matters to its tasks.
#[derive(Debug, Clone)]
pub struct HostSettings {
    /// What compositions are held to.
    pub limits: Limits,
    /// `render.segment_frames`; 0: by the timeline's length.
    pub segment_frames: u32,
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
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                fetcher,
                scratch,
                settings,
            }),
        }
    }
}

impl TaskHost for Host {
    fn stage(
        &self,
        run: Vec<Assignment>,
        progress: Arc<AtomicU64>,
    ) -> BoxFuture<'static, Result<Staged, Failure>> {
        let shared = Arc::clone(&self.shared);
        async move { stage::stage(&shared, &run, &progress).await }.boxed()
    }

    fn publish(
        &self,
        assignment: Assignment,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<TaskOutput, Failure>> {
        let shared = Arc::clone(&self.shared);
        async move { publish::publish(&shared, &assignment, &body).await }.boxed()
    }

    fn clean(&self, scratch: PathBuf) -> BoxFuture<'static, ()> {
        async move {
            if let Err(error) = tokio::fs::remove_dir_all(&scratch).await
                && error.kind() != std::io::ErrorKind::NotFound
            {
                // The next start sweeps it.
                tracing::warn!(path = %scratch.display(), %error, "scratch stays");
            }
        }
        .boxed()
    }
}
