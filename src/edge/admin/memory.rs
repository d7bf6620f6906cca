//! What ended jobs looked like just before their end. Applied state drops the tasks of a
//! job with its last command; operators still want to know which attempts it took. Memory
//! of this process only: after a restart an ended job lists no tasks.

use std::sync::Arc;

use cluster::model::{Attempt, AttemptOutcome, JobId, JobStatus, LogTime};
use cluster::state::{Job, Task, TaskPhase};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio_util::sync::CancellationToken;

use super::super::context::Edge;

/// Bytes of jobs that are remembered.
const BYTES: u64 = 16 << 20;

/// Jobs that this is expected to hold: sizes the table.
const JOBS: usize = 1024;

/// Jobs with their tasks, as last seen.
pub(in crate::edge) type JobMemory = Cache<JobId, Seen, Bytes>;

/// A job as last seen, and about how many bytes of memory it takes.
#[derive(Debug, Clone)]
pub(in crate::edge) struct Seen {
    job: Arc<Job>,
    bytes: u64,
}

impl Seen {
    fn new(job: &Arc<Job>) -> Self {
        let tasks = job.tasks.values().map(|task| {
            size_of::<Task>()
                + task.live.len() * size_of::<Attempt>()
                + task.history.len() * size_of::<(Attempt, LogTime, AttemptOutcome)>()
        });
        let bytes = size_of::<Job>() + tasks.sum::<usize>();
        Self {
            job: Arc::clone(job),
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        }
    }
}

/// Weighs jobs by the memory they take.
#[derive(Debug, Clone)]
pub(in crate::edge) struct Bytes;

impl Weighter<JobId, Seen> for Bytes {
    fn weight(&self, _: &JobId, seen: &Seen) -> u64 {
        seen.bytes
    }
}

/// An empty memory.
pub(in crate::edge) fn empty() -> JobMemory {
    Cache::with_weighter(JOBS, BYTES, Bytes)
}

/// Follows applied state and keeps the tasks of active jobs, until `stop` is cancelled.
pub async fn remember_jobs(edge: Edge, stop: CancellationToken) {
    let mut applied = edge.parts.coordinator.applied();
    loop {
        let state = edge.state();
        for job in state.leasing() {
            let known = edge.jobs.get(&job.id);
            if !known.is_some_and(|seen| Arc::ptr_eq(&seen.job, job)) {
                edge.jobs.insert(job.id, Seen::new(job));
            }
        }
        drop(state);
        tokio::select! {
            () = stop.cancelled() => return,
            moved = applied.changed() => if moved.is_err() {
                return;
            },
        }
    }
}

/// `job` with its tasks: its own while it is active, the remembered ones after its end.
pub(super) fn with_tasks(memory: &JobMemory, job: &Arc<Job>) -> Arc<Job> {
    if !job.status.is_terminal() || !job.tasks.is_empty() {
        return Arc::clone(job);
    }
    let Some(Seen { job: mut last, .. }) = memory.get(&job.id) else {
        return Arc::clone(job);
    };
    let seen = Arc::make_mut(&mut last);
    let ended = job.finished_at.unwrap_or(job.submitted_at);
    let outcome = match job.status {
        JobStatus::Completed => AttemptOutcome::Done,
        _ => AttemptOutcome::Released,
    };
    let kinds: Vec<_> = seen.tasks.keys().copied().collect();
    for kind in kinds {
        let Some(task) = seen.tasks.get_mut(&kind).map(Arc::make_mut) else {
            continue;
        };
        for attempt in std::mem::take(&mut task.live) {
            task.history.push((attempt, ended, outcome.clone()));
        }
        if job.status == JobStatus::Completed && !task.is_done() {
            task.phase = TaskPhase::Done(None);
        }
    }
    last
}
