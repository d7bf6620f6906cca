//! Why a job makes no progress, derived from applied state. The scheduler decides; this only
//! explains its decisions to operators.

use cluster::State;
use cluster::model::{JobStatus, NodeInfo, NodeState};
use cluster::state::{Job, TaskPhase};

/// Why nothing of an active job runs, or `None` if something does. Of each workspace
/// `concurrent` renders go on at once; 0: as many as there are slots for.
pub(super) fn reason(state: &State, job: &Job, concurrent: u32) -> Option<&'static str> {
    if job.status.is_terminal() || job.tasks.values().any(|task| !task.live.is_empty()) {
        return None;
    }
    let mut open = job
        .tasks
        .values()
        .filter(|task| task.phase == TaskPhase::Open)
        .peekable();
    open.peek()?;
    if open.all(|task| task.not_before > state.ran) {
        return Some("retry_delay");
    }
    let takes_work = |node: &&NodeInfo| node.roles.render && node.state == NodeState::Ready;
    let nodes: Vec<&NodeInfo> = state.nodes.values().filter(takes_work).collect();
    if nodes.is_empty() {
        return Some("no_node");
    }
    let fits = |node: &&NodeInfo| {
        job.fingerprint
            .is_none_or(|needed| needed == node.fingerprint)
    };
    if !nodes.iter().any(fits) {
        return Some("fingerprint");
    }
    if concurrent > 0 && job.status == JobStatus::Queued && going_on(state, job) >= concurrent {
        return Some("quota");
    }
    Some("no_slot")
}

/// Renders of the job's workspace that have begun.
fn going_on(state: &State, job: &Job) -> u32 {
    let begun = state
        .queues
        .begun()
        .filter_map(|id| state.jobs.get(&id))
        .filter(|other| other.workspace == job.workspace);
    u32::try_from(begun.count()).unwrap_or(u32::MAX)
}
