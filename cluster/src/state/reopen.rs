//! Committed inputs of a join turned out missing or damaged, or fetched sources are gone with
//! their node: the tasks that made them are open again. Lost files count as no failure.

use super::job::task_mut;
use super::job_editor::JobEditor;
use super::{Job, State, TaskPhase, fail};
use crate::command::{Outcome, Rejection};
use crate::model::{Generation, JobError, JobId, Level, TaskKind};

/// Times one task may be opened again; a store that keeps losing its file fails the job.
pub(super) const MAX_REOPENS: u32 = 3;

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
        for &kind in kinds {
            if kind == TaskKind::Fetch {
                fetch_again(job, &editor);
                continue;
            }
            // Only what leaves a file can have lost it; an open task is being done again.
            let Some(task) = task_mut(&mut job.tasks, kind).filter(|task| task.mark().is_some())
            else {
                continue;
            };
            if editor.level > Level(0) {
                task.reopens += 1;
                if task.reopens > MAX_REOPENS {
                    let error = JobError {
                        code: "storage_unavailable".to_owned(),
                        message: format!(
                            "what came of {} was found damaged {} times",
                            fail::work_of(kind),
                            MAX_REOPENS + 1
                        ),
                        path: None,
                    };
                    editor.fail(job, error);
                    return Outcome::Accepted;
                }
            }
            task.phase = TaskPhase::Open;
            task.no_cache = true;
            if let TaskKind::Segment(segment) = kind {
                job.accepted.remove(&segment);
            }
            is_changed = true;
        }
        if is_changed {
            if let Some(join) = task_mut(&mut job.tasks, TaskKind::Join) {
                join.drop_attempts(editor.now);
                join.phase = TaskPhase::Blocked;
                if editor.level > Level(0) {
                    // It failed for its inputs' sake.
                    join.failures = 0;
                }
            }
            job.rendered_at = None;
            job.segments_from_cache = job.count_from_cache();
            editor.touch(job);
        }
        Outcome::Accepted
    }
}

/// The sources are to be fetched once more, before the job is prepared.
fn fetch_again(job: &mut Job, editor: &JobEditor<'_>) {
    let is_lost = job.plan.is_none()
        && job
            .tasks
            .get(&TaskKind::Fetch)
            .is_some_and(|fetch| fetch.is_done());
    if !is_lost {
        return;
    }
    if let Some(fetch) = task_mut(&mut job.tasks, TaskKind::Fetch) {
        fetch.phase = TaskPhase::Open;
    }
    if let Some(prepare) = task_mut(&mut job.tasks, TaskKind::Prepare) {
        prepare.drop_attempts(editor.now);
        prepare.phase = TaskPhase::Blocked;
    }
}
