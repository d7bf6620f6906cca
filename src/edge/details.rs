//! What a render's answers need beside applied state: the request as accepted, and what
//! prepare found out. Both are immutable objects, so they are remembered once read.

use std::sync::Arc;

use cluster::model::JobId;
use cluster::state::Job;

use super::recent::Recent;
use crate::plan::{Prepared, RequestObject};
use crate::store::{ObjectStore, StoreError, keys};
use crate::telemetry::metrics;

/// Renders whose objects are remembered.
const RENDERS: usize = 1024;

/// The objects behind one render's answers. A missing one leaves its fields out rather than
/// failing the answer: state comes from the log, not from here.
#[derive(Debug, Clone, Default)]
pub(super) struct Details {
    /// The accepted request.
    pub(super) request: Option<Arc<RequestObject>>,
    /// What prepare found out.
    pub(super) prepared: Option<Arc<Prepared>>,
}

/// Reads and remembers [`Details`].
#[derive(Debug)]
pub(super) struct DetailCache {
    requests: Recent<JobId, Arc<RequestObject>>,
    /// Those of ended renders apart: a join may have added to them.
    prepared: Recent<(JobId, bool), Arc<Prepared>>,
}

impl DetailCache {
    pub(super) fn new() -> Self {
        Self {
            requests: Recent::new(RENDERS),
            prepared: Recent::new(RENDERS),
        }
    }

    /// Remembers a request that was just accepted.
    pub(super) fn remember(&self, job: JobId, request: Arc<RequestObject>) {
        self.requests.put(job, request);
    }

    /// The details of `job`.
    pub(super) async fn of(&self, job: &Job, store: &dyn ObjectStore) -> Details {
        let request = match self.requests.get(&job.id) {
            Some(request) => Some(request),
            None => self.read_request(job, store).await,
        };
        // Prepare stores its findings before it reports the plan.
        let key = (job.id, job.status.is_terminal());
        let prepared = match self.prepared.get(&key) {
            Some(prepared) => Some(prepared),
            None if job.frames.is_some() => self.read_prepared(key, store).await,
            None => None,
        };
        Details { request, prepared }
    }

    async fn read_request(&self, job: &Job, store: &dyn ObjectStore) -> Option<Arc<RequestObject>> {
        let bytes = present(store.get(&job.request.key).await, job.id)?;
        match RequestObject::from_bytes(&bytes) {
            Ok(request) => {
                let request = Arc::new(request);
                self.requests.put(job.id, Arc::clone(&request));
                Some(request)
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(job = %job.id, error, "request object is unreadable");
                None
            }
        }
    }

    async fn read_prepared(
        &self,
        key: (JobId, bool),
        store: &dyn ObjectStore,
    ) -> Option<Arc<Prepared>> {
        let (job, _) = key;
        let bytes = present(store.get(&keys::prepared(job)).await, job)?;
        match serde_json::from_slice::<Prepared>(&bytes) {
            Ok(prepared) => {
                let prepared = Arc::new(prepared);
                self.prepared.put(key, Arc::clone(&prepared));
                Some(prepared)
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(job = %job, error, "what prepare found out is unreadable");
                None
            }
        }
    }
}

fn present(read: Result<bytes::Bytes, StoreError>, job: JobId) -> Option<bytes::Bytes> {
    read.inspect_err(|error| {
        metrics::store_error("edge");
        tracing::warn!(job = %job, error = error as &dyn std::error::Error, "object of a render is unreadable");
    })
    .ok()
}
