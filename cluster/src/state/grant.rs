//! New attempts: who may have one, and the epoch that fences it.

use super::job::task_mut;
use super::{Job, State, TaskPhase};
use crate::command::{Grant, Granted, Rejection};
use crate::model::{Attempt, Epoch, JobStatus, NodeInfo, NodeState, RunNumber, TaskKind, TaskRef};

/// Live attempts a task may have: one, and one more beside a straggler.
const MAX_LIVE: usize = 2;

impl State {
    /// Makes one attempt for each task of the run that may have one.
    pub(super) fn grant(&mut self, grant: &Grant) -> Vec<Result<Granted, Rejection>> {
        let run = RunNumber(self.next_epoch.0);
        grant
            .tasks
            .iter()
            .map(|&kind| self.grant_task(grant, kind, run))
            .collect()
    }

    fn grant_task(
        &mut self,
        grant: &Grant,
        kind: TaskKind,
        run: RunNumber,
    ) -> Result<Granted, Rejection> {
        let epoch = self.next_epoch;
        let node = self.nodes.get(&grant.node).cloned();
        let (job, mut editor) = self.open_job(grant.job).ok_or(Rejection::UnknownJob)?;
        check(job, node.as_ref(), grant, kind)?;
        let generation = job.generation;
        let task = task_mut(&mut job.tasks, kind).ok_or(Rejection::TaskNotOpen)?;
        task.attempts += 1;
        let number = task.attempts;
        // Replaced: from here on only reports of epochs in `live` are accepted.
        task.lingering = None;
        task.live.push(Attempt {
            epoch,
            number,
            node: grant.node,
            incarnation: grant.incarnation,
            generation,
            granted_at: editor.now,
            run,
        });
        let frames = match kind {
            TaskKind::Segment(segment) => {
                job.fingerprint = Some(grant.fingerprint);
                job.segment_frames(segment)
            }
            _ => None,
        };
        if job.status == JobStatus::Queued {
            job.started_at = Some(editor.now);
            editor.enter(job, JobStatus::Processing);
        }
        let granted = Granted {
            task: TaskRef {
                job: grant.job,
                kind,
            },
            epoch,
            run,
            attempt: number,
            generation,
            frames,
        };
        self.next_epoch = Epoch(epoch.0 + 1);
        Ok(granted)
    }
}

fn check(
    job: &Job,
    node: Option<&NodeInfo>,
    grant: &Grant,
    kind: TaskKind,
) -> Result<(), Rejection> {
    if job.status.is_terminal() {
        return Err(Rejection::JobEnded);
    }
    let node = node.ok_or(Rejection::UnknownNode)?;
    if node.incarnation != grant.incarnation {
        return Err(Rejection::StaleIncarnation);
    }
    if node.state != NodeState::Ready {
        return Err(Rejection::NodeNotReady);
    }
    let task = job
        .tasks
        .get(&kind)
        .filter(|task| task.phase == TaskPhase::Open)
        .ok_or(Rejection::TaskNotOpen)?;
    let allowed = if grant.extra { MAX_LIVE } else { 1 };
    if task.live.len() >= allowed {
        return Err(Rejection::EnoughAttempts);
    }
    // A plan is the same on every node; everything after it is bound to one fingerprint.
    let is_bound = match kind {
        TaskKind::Audio | TaskKind::Segment(_) | TaskKind::Join => true,
        TaskKind::Fetch | TaskKind::Prepare | TaskKind::Ingest | TaskKind::Deliver => false,
    };
    let is_other = job.fingerprint.is_some_and(|own| own != grant.fingerprint);
    if node.fingerprint != grant.fingerprint || (is_bound && is_other) {
        return Err(Rejection::WrongFingerprint);
    }
    Ok(())
}
