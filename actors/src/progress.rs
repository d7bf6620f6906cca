//! How far each active job has got: leader memory, read by the edge. Losing it loses
//! nothing: the next look at the job writes it again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cluster::model::JobId;
use serde::Serialize;
use tokio::sync::broadcast;

/// How far a job has got.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct JobProgress {
    /// Frames rendered, committed or not; never goes back.
    pub frames_done: u64,
    /// Frames of the output; `None` before there is a plan.
    pub frames_total: Option<u64>,
    /// From 0 to just below 1; never goes back.
    pub fraction: f64,
    /// Frames a second over the last seconds.
    pub fps: Option<f64>,
    /// Seconds until the last frame at that rate.
    pub eta_seconds: Option<f64>,
}

/// A cheap handle on the progress of all active jobs.
#[derive(Debug, Clone)]
pub struct ProgressBoard {
    jobs: Arc<Mutex<BTreeMap<JobId, JobProgress>>>,
    changes: broadcast::Sender<JobId>,
}

impl Default for ProgressBoard {
    fn default() -> Self {
        Self {
            jobs: Arc::default(),
            changes: broadcast::channel(1024).0,
        }
    }
}

impl ProgressBoard {
    /// An empty board.
    pub fn new() -> Self {
        Self::default()
    }

    /// The job's progress, if it is active on this leader.
    pub fn get(&self, job: JobId) -> Option<JobProgress> {
        self.lock().get(&job).copied()
    }

    /// Receives the id of each job whose progress changes. A receiver that lags reads the board
    /// again.
    pub fn subscribe(&self) -> broadcast::Receiver<JobId> {
        self.changes.subscribe()
    }

    pub(crate) fn publish(&self, job: JobId, progress: JobProgress) {
        let before = self.lock().insert(job, progress);
        if before != Some(progress) {
            // Fails if there is no subscriber, which is fine.
            let _ = self.changes.send(job);
        }
    }

    pub(crate) fn forget(&self, job: JobId) {
        self.lock().remove(&job);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    // A std mutex: held for one map operation, never across an await. A poisoned one still
    // guards whole values.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<JobId, JobProgress>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
