//! Attempts that end without a report: a lease ran out, or was handed back.

use super::{State, TaskPhase, fail};
use crate::command::Release;
use crate::model::AttemptOutcome;

impl State {
    /// An attempt that is gone already stays gone: there is nothing to answer.
    pub(super) fn release(&mut self, release: &Release) {
        let Some((job, mut editor)) = self.open_job(release.task.job) else {
            return;
        };
        let kind = release.task.kind;
        let Some(task) = job.tasks.get_mut(&kind) else {
            return;
        };
        if !release.lost {
            let was_live = task.live.iter().any(|live| live.epoch == release.epoch);
            if let Some(attempt) = task.take(release.epoch)
                && was_live
            {
                task.record(attempt, editor.now, AttemptOutcome::Released);
            }
            return;
        }
        let Some(at) = task
            .live
            .iter()
            .position(|live| live.epoch == release.epoch)
        else {
            return;
        };
        debug_assert_eq!(task.phase, TaskPhase::Open);
        let attempt = task.live.remove(at);
        // Cut off is not dead: its report is still welcome until someone else has the task.
        task.lingering = Some(attempt.clone());
        fail::count_loss(job, &mut editor, kind, attempt);
    }
}
