//! A job starts over under another fingerprint: the plan stands, its generation rises, and
//! nothing rendered so far counts.

use super::job::task_mut;
use super::{State, TaskPhase};
use crate::command::{Outcome, Rejection};
use crate::model::{Generation, JobId, RanTime, TaskKind};

impl State {
    pub(super) fn replan(&mut self, job: JobId, generation: Generation) -> Outcome {
        let Some((job, mut editor)) = self.open_job(job) else {
            return Outcome::Rejected(Rejection::UnknownJob);
        };
        if job.status.is_terminal() {
            return Outcome::Rejected(Rejection::JobEnded);
        }
        if job.generation != generation {
            return Outcome::Rejected(Rejection::StaleGeneration);
        }
        if job.plan.is_none() {
            return Outcome::Rejected(Rejection::TaskNotOpen);
        }
        let kinds: Vec<TaskKind> = job.tasks.keys().copied().collect();
        for kind in kinds {
            let phase = match kind {
                TaskKind::Fetch | TaskKind::Prepare | TaskKind::Ingest | TaskKind::Deliver => {
                    continue;
                }
                TaskKind::Audio | TaskKind::Segment(_) => TaskPhase::Open,
                TaskKind::Join => TaskPhase::Blocked,
            };
            if let Some(task) = task_mut(&mut job.tasks, kind) {
                task.drop_attempts(editor.now);
                task.phase = phase;
                // Failures under the old fingerprint are no evidence about the new one.
                task.failures = 0;
                task.losses = 0;
                task.not_before = RanTime::default();
            }
        }
        job.generation = Generation(generation.0 + 1);
        job.fingerprint = None;
        job.rendered_at = None;
        job.segments_from_cache = 0;
        job.accepted.clear();
        editor.touch(job);
        Outcome::Accepted
    }
}
