//! New attempts: who may have one, and the epoch that fences it.

use super::{Job, State, TaskPhase};
use crate::command::{Grant, Granted, Rejection};
use crate::model::{Attempt, Epoch, FrameRange, JobStatus, NodeInfo, NodeState, TaskKind};

/// Live attempts a task may have: one, and one more beside a straggler.
const MAX_LIVE: usize = 2;

impl State {
    pub(super) fn grant(&mut self, grant: &Grant) -> Result<Granted, Rejection> {
        let epoch = self.next_epoch;
        let node = self.nodes.get(&grant.node).cloned();
        let (job, mut editor) = self.open_job(grant.task.job).ok_or(Rejection::UnknownJob)?;
        check(job, node.as_ref(), grant)?;
        let kind = grant.task.kind;
        let generation = job.generation;
        let task = job.tasks.get_mut(&kind).ok_or(Rejection::TaskNotOpen)?;
        task.attempts += 1;
        let number = task.attempts;
        // Replaced: from here on only epochs in `live` are heard.
        task.lingering = None;
        task.live.push(Attempt {
            epoch,
            number,
            node: grant.node,
            incarnation: grant.incarnation,
            generation,
            granted_at: editor.now,
        });
        if matches!(kind, TaskKind::Segment(_)) {
            job.fingerprint = Some(grant.fingerprint);
        }
        if job.status == JobStatus::Queued {
            job.started_at = Some(editor.now);
            editor.enter(job, JobStatus::Processing);
        }
        let granted = Granted {
            task: grant.task,
            epoch,
            attempt: number,
            generation,
            frames: frames_of(job, kind),
        };
        self.next_epoch = Epoch(epoch.0 + 1);
        Ok(granted)
    }
}

fn check(job: &Job, node: Option<&NodeInfo>, grant: &Grant) -> Result<(), Rejection> {
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
        .get(&grant.task.kind)
        .filter(|task| task.phase == TaskPhase::Open)
        .ok_or(Rejection::TaskNotOpen)?;
    let allowed = if grant.extra { MAX_LIVE } else { 1 };
    if task.live.len() >= allowed {
        return Err(Rejection::EnoughAttempts);
    }
    // A plan is the same whoever makes it; everything after it is bound to one fingerprint.
    let is_bound = grant.task.kind != TaskKind::Prepare && !grant.task.kind.is_transfer();
    let is_other = job.fingerprint.is_some_and(|own| own != grant.fingerprint);
    if node.fingerprint != grant.fingerprint || (is_bound && is_other) {
        return Err(Rejection::WrongFingerprint);
    }
    Ok(())
}

fn frames_of(job: &Job, kind: TaskKind) -> Option<FrameRange> {
    let TaskKind::Segment(segment) = kind else {
        return None;
    };
    let plan = job.plan.as_ref()?;
    let segment = usize::try_from(segment).ok()?;
    plan.facts.segments.get(segment).copied()
}
