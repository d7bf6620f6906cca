//! What a render's answers need beside applied state: the request as accepted, and what
//! prepare found out. Both are immutable objects, so what answers show of them is cached
//! once read, up to a number of bytes.

use std::sync::Arc;

use cluster::model::{Digest, JobId};
use cluster::state::Job;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::accepted::{AcceptedRequest, weight_of_warning};
use super::context::Shared;
use crate::composition::Warning;
use crate::plan::{Findings, RequestObject};
use crate::store::{StoreError, keys};
use crate::telemetry::metrics;

/// Bytes of requests that are remembered.
const REQUEST_BYTES: u64 = 32 << 20;

/// Bytes of warnings that are remembered.
const WARNING_BYTES: u64 = 8 << 20;

/// Bytes that an entry is expected to take: sizes the tables.
const ENTRY: u64 = 2048;

/// The objects behind one render's answers. A missing one leaves its fields out rather than
/// failing the answer: state comes from the log, not from here.
#[derive(Debug, Clone, Default)]
pub(super) struct Details {
    /// The accepted request.
    pub(super) request: Option<Arc<AcceptedRequest>>,
    /// Warnings of prepare.
    pub(super) warnings: Option<Arc<[Warning]>>,
}

/// What answers show of renders' objects.
#[derive(Debug)]
pub(super) struct DetailCache {
    requests: Cache<JobId, Arc<AcceptedRequest>, Bytes>,
    /// By the findings that hold them; a job planned at level 0 has no digest of them.
    warnings: Cache<(JobId, Option<Digest>), Arc<[Warning]>, Bytes>,
}

/// Weighs entries by the memory they take.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<JobId, Arc<AcceptedRequest>> for Bytes {
    fn weight(&self, _: &JobId, request: &Arc<AcceptedRequest>) -> u64 {
        request.weight()
    }
}

impl Weighter<(JobId, Option<Digest>), Arc<[Warning]>> for Bytes {
    fn weight(&self, _: &(JobId, Option<Digest>), warnings: &Arc<[Warning]>) -> u64 {
        let bytes = warnings.iter().map(weight_of_warning).sum::<usize>() + size_of::<JobId>();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl DetailCache {
    pub(super) fn new() -> Self {
        let entries = |bytes| usize::try_from(bytes / ENTRY).unwrap_or(usize::MAX);
        Self {
            requests: Cache::with_weighter(entries(REQUEST_BYTES), REQUEST_BYTES, Bytes),
            warnings: Cache::with_weighter(entries(WARNING_BYTES), WARNING_BYTES, Bytes),
        }
    }

    /// Remembers a request that was just accepted.
    pub(super) fn remember(&self, job: JobId, request: Arc<AcceptedRequest>) {
        self.requests.insert(job, request);
    }

    /// Length of the output of a cached request, in milliseconds.
    pub(super) fn planned_millis(&self, job: JobId) -> Option<u64> {
        Some(self.requests.peek(&job)?.planned_millis)
    }
}

impl Shared {
    /// What the answers about `job` need beside it.
    pub(super) async fn details(&self, job: &Job) -> Details {
        Details {
            request: self.accepted_request(job).await,
            warnings: self.found_warnings(job).await,
        }
    }

    /// The request of `job`, if it can be read.
    pub(super) async fn accepted_request(&self, job: &Job) -> Option<Arc<AcceptedRequest>> {
        if let Some(request) = self.details.requests.get(&job.id) {
            return Some(request);
        }
        let bytes = present(self.parts.store.get(&job.request.key).await, job.id)?;
        let read = move || RequestObject::from_bytes(&bytes).map(AcceptedRequest::of);
        let size = usize::try_from(job.request.size).unwrap_or(usize::MAX);
        match self.pool.run(&job.workspace, size, read).await.ok()? {
            Ok(request) => {
                let request = Arc::new(request);
                self.details.remember(job.id, Arc::clone(&request));
                Some(request)
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(job = %job.id, error, "request object is unreadable");
                None
            }
        }
    }

    async fn found_warnings(&self, job: &Job) -> Option<Arc<[Warning]>> {
        let key = (job.id, job.findings.as_ref().map(|found| found.sha256));
        if let Some(warnings) = self.details.warnings.get(&key) {
            return Some(warnings);
        }
        // Findings are stored before they are reported.
        job.frames?;
        let at = match &job.findings {
            Some(findings) => findings.key.clone(),
            None => keys::findings_of_level_0(job.id),
        };
        let bytes = present(self.parts.store.get(&at).await, job.id)?;
        match serde_json::from_slice::<Findings>(&bytes) {
            Ok(findings) => {
                let warnings: Arc<[Warning]> = findings.warnings.into();
                self.details.warnings.insert(key, Arc::clone(&warnings));
                Some(warnings)
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(job = %job.id, error, "what prepare found out is unreadable");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(metadata: usize) -> Arc<AcceptedRequest> {
        let composition = serde_json::json!({"metadata": {"note": "x".repeat(metadata)}});
        Arc::new(AcceptedRequest::of(RequestObject {
            version: RequestObject::VERSION,
            composition,
            warnings: Vec::new(),
            public_url: String::new(),
        }))
    }

    #[test]
    fn what_is_remembered_is_bounded_by_its_bytes() {
        let cache = DetailCache::new();
        let large = request(1 << 20);
        for id in 0..100 {
            cache.remember(JobId(id), Arc::clone(&large));
        }
        let bytes = cache.requests.weight();
        assert!(bytes <= REQUEST_BYTES, "{bytes} bytes");
        assert!(bytes >= 1 << 20, "nothing is remembered");
        let small = request(10);
        for id in 1000..2000 {
            cache.remember(JobId(id), Arc::clone(&small));
        }
        assert!(cache.requests.len() >= 1000, "{}", cache.requests.len());
    }
}
