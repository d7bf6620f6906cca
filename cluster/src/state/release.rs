//! Attempts that end without a report: a lease ran out, or was handed back.

use super::job::task_mut;
use super::{State, TaskPhase, fail};
use crate::command::{Release, ReleaseCause};
use crate::model::AttemptOutcome;

impl State {
    /// An attempt that is gone already stays gone: there is nothing to answer.
    pub(super) fn release(&mut self, release: &Release) {
        let Some((job, mut editor)) = self.open_job(release.task.job) else {
            return;
        };
        let kind = release.task.kind;
        let Some(task) = task_mut(&mut job.tasks, kind) else {
            return;
        };
        let live = task
            .live
            .iter()
            .position(|live| live.epoch == release.epoch);
        match (release.cause, live) {
            (ReleaseCause::HandedBack, Some(_)) => {
                if let Some(attempt) = task.take(release.epoch) {
                    task.record(attempt, editor.now, AttemptOutcome::Released);
                }
            }
            (ReleaseCause::HandedBack, None) => {
                task.take(release.epoch);
            }
            (ReleaseCause::Expired { is_charged }, Some(at)) => {
                debug_assert_eq!(task.phase, TaskPhase::Open);
                let attempt = task.live.remove(at);
                // Cut off is not dead: its report is welcome until another node has the task.
                task.lingering = Some(attempt.clone());
                if is_charged {
                    fail::count_loss(job, &mut editor, kind, attempt);
                } else {
                    task.record(attempt, editor.now, AttemptOutcome::Lost);
                }
            }
            (ReleaseCause::Expired { .. }, None) => {}
        }
    }
}
