//! What goes wrong: failures that attempts report, attempts lost with their node, and the
//! point at which either ends the job.

use super::job::task_mut;
use super::job_editor::JobEditor;
use super::{Job, State};
use crate::command::{Outcome, Rejection};
use crate::model::{
    Attempt, AttemptOutcome, Epoch, Failure, JobError, JobId, Level, RanTime, TaskKind,
};

/// Reported failures of one task that end its job.
pub(super) const MAX_FAILURES: u32 = 3;

/// Times a task may be lost with its node before its job ends.
pub(super) const MAX_LOSSES: u32 = 3;

impl State {
    pub(super) fn fail(&mut self, job: JobId, error: JobError) -> Outcome {
        let Some((job, mut editor)) = self.open_job(job) else {
            return Outcome::Rejected(Rejection::UnknownJob);
        };
        if job.status.is_terminal() {
            return Outcome::Rejected(Rejection::JobEnded);
        }
        editor.fail(job, error);
        Outcome::Accepted
    }
}

/// Ends the attempt as failed; a permanent failure, or one too many, ends the job with it. At
/// level 1, a failure of rendering for want of space counts for nothing: whoever filled the disk,
/// it is not this render's fault, and it goes on once there is room.
pub(super) fn count_failure(
    job: &mut Job,
    editor: &mut JobEditor<'_>,
    kind: TaskKind,
    epoch: Epoch,
    failure: Failure,
    retry_at: RanTime,
) {
    let Some(task) = task_mut(&mut job.tasks, kind) else {
        return;
    };
    let Some(attempt) = task.take(epoch) else {
        return;
    };
    task.record(attempt, editor.now, AttemptOutcome::Failed(failure.clone()));
    task.not_before = task.not_before.max(retry_at);
    let is_for_want_of_space = failure.is_for_want_of_space() && editor.level > Level(0);
    if is_for_want_of_space && is_rendering(kind) {
        return;
    }
    task.failures += 1;
    if failure.permanent || task.failures >= MAX_FAILURES {
        let Failure {
            code,
            message,
            path,
            permanent: _,
        } = failure;
        let error = JobError {
            code,
            message,
            path: path.filter(|_| !is_for_want_of_space),
        };
        editor.fail(job, error);
    }
}

/// Counts an attempt, taken from its task already, as lost with its node; one too many ends
/// the job.
pub(super) fn count_loss(
    job: &mut Job,
    editor: &mut JobEditor<'_>,
    kind: TaskKind,
    attempt: Attempt,
) {
    let Some(task) = task_mut(&mut job.tasks, kind) else {
        return;
    };
    let node = attempt.node;
    task.record(attempt, editor.now, AttemptOutcome::Lost);
    task.losses += 1;
    if task.losses >= MAX_LOSSES {
        let work = work_of(kind);
        let error = JobError {
            code: "engine_error".to_owned(),
            message: format!("{work} was lost {MAX_LOSSES} times, last with node {node}"),
            path: None,
        };
        editor.fail(job, error);
    }
}

/// Whether a task of this kind makes a render from what is here already.
fn is_rendering(kind: TaskKind) -> bool {
    match kind {
        TaskKind::Prepare | TaskKind::Segment(_) | TaskKind::Audio | TaskKind::Join => true,
        TaskKind::Fetch | TaskKind::Ingest | TaskKind::Deliver => false,
    }
}

/// What a task does, as the subject of a sentence.
pub(super) fn work_of(kind: TaskKind) -> String {
    match kind {
        TaskKind::Fetch => "fetching the sources".to_owned(),
        TaskKind::Prepare => "preparing the render".to_owned(),
        TaskKind::Audio => "mixing the sound".to_owned(),
        TaskKind::Segment(segment) => format!("rendering segment {segment}"),
        TaskKind::Join => "joining the segments".to_owned(),
        TaskKind::Ingest => "taking in the file".to_owned(),
        TaskKind::Deliver => "copying the file to its destination".to_owned(),
    }
}
