//! Admission: a job, its idempotency row and its first event, all or none.

use std::sync::Arc;

use imbl::OrdMap;

use super::{Job, State, Task, TaskPhase};
use crate::command::{Outcome, Rejection};
use crate::model::{Generation, JobStatus, LogTime, Seq, Submission, TaskKind};

/// How long an idempotency key finds the job it admitted, in log time.
pub const IDEMPOTENCY_WINDOW_MILLIS: u64 = 24 * 60 * 60 * 1000;

impl State {
    pub(super) fn submit(&mut self, submission: Submission) -> Outcome {
        // The proposal sent twice: the same answer and no second effect.
        if let Some(known) = self.jobs.get(&submission.job) {
            return if known.request == submission.request && known.workspace == submission.workspace
            {
                Outcome::Submitted(known.id)
            } else {
                Outcome::Rejected(Rejection::IdempotencyConflict)
            };
        }
        let row = submission.idempotency.map(|row| {
            let key = row.key.clone();
            (
                (submission.workspace.clone(), row.scope, row.key),
                row.body,
                key,
            )
        });
        if let Some((place, body, _)) = &row
            && let Some((job, known_body, at)) = self.idempotency.get(place)
            && self.is_replayable(*at)
        {
            return if known_body == body {
                Outcome::Replayed(*job)
            } else {
                Outcome::Rejected(Rejection::IdempotencyConflict)
            };
        }
        let id = submission.job;
        let mut idempotency_key = None;
        if let Some((place, body, key)) = row {
            idempotency_key = Some(key);
            self.idempotency.insert(place, (id, body, self.now));
        }
        let job = Job {
            id,
            workspace: submission.workspace,
            priority: submission.priority.clamp(-10, 10),
            status: JobStatus::Queued,
            sequence: Seq(0),
            changed_at: self.applied,
            request: submission.request,
            idempotency_key,
            submitted_at: self.now,
            started_at: None,
            rendered_at: None,
            finished_at: None,
            generation: Generation(0),
            plan: None,
            fingerprint: None,
            tasks: OrdMap::unit(TaskKind::Prepare, Task::new(TaskPhase::Open)),
            error: None,
            artifact: None,
            segment_count: 0,
            segments_from_cache: 0,
            frames: None,
            frames_done: 0,
        };
        self.jobs.insert(id, Arc::new(job));
        if let Some((job, mut ledger)) = self.open_job(id) {
            ledger.enter(job, JobStatus::Queued);
        }
        Outcome::Submitted(id)
    }

    /// Whether an idempotency row written at `at` still finds its job.
    pub fn is_replayable(&self, at: LogTime) -> bool {
        self.now.millis_since(at) < IDEMPOTENCY_WINDOW_MILLIS
    }
}
