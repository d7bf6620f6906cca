//! Committed files that turned out missing or damaged: their tasks are to be done again.

use super::{State, TaskPhase};
use crate::command::{Outcome, Rejection};
use crate::model::{Generation, JobId, TaskKind};

impl State {
    pub(super) fn reopen(
        &mut self,
        job: JobId,
        generation: Generation,
        kinds: &[TaskKind],
    ) -> Outcome {
        let Some((job, mut editor)) = self.open_job(job) else {
            return Outcome::Rejected(Rejection::UnknownJob);
        };
        if job.status.is_terminal() {
            return Outcome::Rejected(Rejection::JobEnded);
        }
        if job.generation != generation {
            return Outcome::Rejected(Rejection::StaleGeneration);
        }
        let mut is_changed = false;
        for kind in kinds {
            // Only what leaves a file can have lost it; an open task is being done again.
            if let Some(task) = job.tasks.get_mut(kind)
                && task.mark().is_some()
            {
                task.phase = TaskPhase::Open;
                task.no_cache = true;
                if let TaskKind::Segment(segment) = kind {
                    job.accepted.remove(segment);
                }
                is_changed = true;
            }
        }
        if is_changed {
            if let Some(join) = job.tasks.get_mut(&TaskKind::Join) {
                join.drop_attempts(editor.now);
                join.phase = TaskPhase::Blocked;
            }
            job.rendered_at = None;
            job.segments_from_cache = job.count_from_cache();
            editor.touch(job);
        }
        Outcome::Accepted
    }
}
