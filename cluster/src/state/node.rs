//! Nodes: registering, restarting, and whether they may be given work.

use super::job::task_mut;
use super::{State, fail};
use crate::command::{Outcome, Rejection};
use crate::model::{
    Attempt, AttemptOutcome, Boot, Incarnation, JobId, Level, NodeId, NodeInfo, NodeState, TaskKind,
};

impl State {
    pub(super) fn register_node(&mut self, mut info: NodeInfo, boot: Boot) -> Outcome {
        let known = self.boots.get(&info.id).copied().unwrap_or_default();
        if boot < known {
            return Outcome::Rejected(Rejection::StaleIncarnation);
        }
        info.registered_at = self.now;
        if let Some(known) = self.nodes.get(&info.id) {
            if known.incarnation == info.incarnation {
                // The same start registers again: its state is kept.
                info.state = known.state;
                info.registered_at = known.registered_at;
            } else if known.state == NodeState::Quarantined {
                // A restart is no proof of health.
                info.state = NodeState::Quarantined;
            }
        }
        let (id, incarnation) = (info.id, info.incarnation);
        self.nodes.insert(id, info);
        if boot > Boot(0) {
            self.boots.insert(id, boot);
        }
        self.release_former(id, incarnation);
        Outcome::Accepted
    }

    pub(super) fn set_node_state(&mut self, node: NodeId, state: NodeState) -> Outcome {
        match self.nodes.get_mut(&node) {
            Some(info) => {
                info.state = state;
                Outcome::Accepted
            }
            None => Outcome::Rejected(Rejection::UnknownNode),
        }
    }

    /// Ends everything that `node` held before its current incarnation. The process that
    /// held it is gone, so nothing lingers.
    ///
    /// A restart of the process is no evidence against its tasks (a worker that dies is
    /// reported by its node), so no attempt is counted. At level 0 the first open segment of
    /// each job was, and every other task.
    fn release_former(&mut self, node: NodeId, current: Incarnation) {
        let is_former = |attempt: &Attempt| attempt.node == node && attempt.incarnation != current;
        let affected: Vec<(JobId, TaskKind)> = self
            .leasing()
            .flat_map(|job| {
                job.tasks
                    .iter()
                    .filter(|(_, task)| task.live.iter().chain(&task.lingering).any(is_former))
                    .map(|(kind, _)| (job.id, *kind))
            })
            .collect();
        let mut blamed: Option<JobId> = None;
        for (id, kind) in affected {
            let Some((job, mut editor)) = self.open_job(id) else {
                continue;
            };
            let Some(task) = task_mut(&mut job.tasks, kind) else {
                // An earlier loss in this loop ended the job.
                continue;
            };
            task.lingering.take_if(|attempt| is_former(attempt));
            let (former, kept) = std::mem::take(&mut task.live)
                .into_iter()
                .partition(is_former);
            task.live = kept;
            let former: Vec<Attempt> = former;
            let is_blamed = editor.level == Level(0)
                && match kind {
                    TaskKind::Segment(_) => blamed.replace(id) != Some(id),
                    TaskKind::Fetch
                    | TaskKind::Prepare
                    | TaskKind::Audio
                    | TaskKind::Join
                    | TaskKind::Ingest
                    | TaskKind::Deliver => true,
                };
            for attempt in former {
                if is_blamed {
                    fail::count_loss(job, &mut editor, kind, attempt);
                } else if let Some(task) = task_mut(&mut job.tasks, kind) {
                    task.record(attempt, editor.now, AttemptOutcome::Lost);
                }
            }
        }
    }
}
