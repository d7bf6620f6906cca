//! What ended jobs looked like just before their end. Applied state drops the tasks of a
//! job with its last command; operators still want to know which attempts it took. Memory
//! of this process only: after a restart an ended job lists no tasks.

use std::sync::Arc;

use cluster::model::{AttemptOutcome, JobId, JobStatus};
use cluster::state::{Job, TaskPhase};
use tokio_util::sync::CancellationToken;

use super::super::context::Edge;
use super::super::recent::Recent;

/// Ended jobs whose tasks are remembered.
const REMEMBERED: usize = 256;

/// Jobs with their tasks, as last seen.
pub(in crate::edge) type JobMemory = Recent<JobId, Arc<Job>>;

/// An empty memory.
pub(in crate::edge) fn empty() -> JobMemory {
    Recent::new(REMEMBERED)
}

/// Follows applied state and keeps the tasks of active jobs, until told to stop.
pub async fn remember_jobs(edge: Edge, stop: CancellationToken) {
    let mut applied = edge.parts.coordinator.applied();
    loop {
        let state = edge.state();
        for job in state.leasing() {
            edge.jobs.put(job.id, Arc::clone(job));
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
    let Some(mut last) = memory.get(&job.id) else {
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
