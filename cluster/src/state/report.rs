//! What an attempt says of itself, and whether it is still entitled to say it.

use super::{Job, State, TaskPhase};
use crate::command::{Rejection, Report};
use crate::model::{AttemptOutcome, TaskKind, TaskOutput};

impl State {
    pub(super) fn report(&mut self, report: Report) -> Result<(), Rejection> {
        let nodes = self.nodes.clone();
        let (job, mut editor) = self
            .open_job(report.task.job)
            .ok_or(Rejection::UnknownJob)?;
        if is_repeated(job, &report) {
            return Ok(());
        }
        admit(job, &report)?;
        if !job.is_render() && report.result.is_ok() {
            return self.finish_transfer(report);
        }
        match report.result {
            Ok(output) => {
                let fits = match (&output, report.task.kind) {
                    (TaskOutput::Plan { facts, .. }, TaskKind::Prepare) => {
                        super::plan::is_sound(facts)
                    }
                    (TaskOutput::Segment { .. }, TaskKind::Segment(_))
                    | (TaskOutput::Audio { .. }, TaskKind::Audio)
                    | (TaskOutput::Artifact(_), TaskKind::Join) => true,
                    _ => false,
                };
                if !fits {
                    return Err(Rejection::MisfitReport);
                }
                super::complete::accept(
                    job,
                    &mut editor,
                    report.task.kind,
                    report.epoch,
                    output,
                    |node| nodes.get(&node).map(|info| info.fingerprint),
                );
            }
            Err(failure) => {
                super::fail::count_failure(
                    job,
                    &mut editor,
                    report.task.kind,
                    report.epoch,
                    failure,
                    report.retry_at,
                );
            }
        }
        Ok(())
    }
}

/// The fence: the job goes on, the task is open, the generation current, the epoch live.
fn admit(job: &Job, report: &Report) -> Result<(), Rejection> {
    if job.status.is_terminal() {
        return Err(Rejection::JobEnded);
    }
    let task = job
        .tasks
        .get(&report.task.kind)
        .ok_or(Rejection::TaskNotOpen)?;
    // A prepare works before there is any plan, so generation 0 is its own.
    if report.generation != job.generation && report.task.kind != TaskKind::Prepare {
        return Err(Rejection::StaleGeneration);
    }
    if task.phase != TaskPhase::Open {
        return Err(Rejection::TaskNotOpen);
    }
    let attempt = task.attempt(report.epoch).ok_or(Rejection::StaleEpoch)?;
    if attempt.generation != report.generation {
        return Err(Rejection::StaleGeneration);
    }
    Ok(())
}

/// Whether this very report was accepted before: its answer is the same again.
fn is_repeated(job: &Job, report: &Report) -> bool {
    if let Ok(TaskOutput::Artifact(artifact)) = &report.result
        && report.task.kind == TaskKind::Join
        && job.artifact.as_ref() == Some(artifact)
    {
        return true;
    }
    let Some(task) = job.tasks.get(&report.task.kind) else {
        return false;
    };
    match &report.result {
        Err(failure) => task.ended_as(report.epoch, &AttemptOutcome::Failed(failure.clone())),
        Ok(TaskOutput::Plan { object, .. }) => {
            task.is_done()
                && task.ended_as(report.epoch, &AttemptOutcome::Done)
                && job.plan.as_ref().is_some_and(|plan| plan.object == *object)
        }
        Ok(TaskOutput::Segment { object, .. } | TaskOutput::Audio { object, .. }) => task
            .mark()
            .is_some_and(|mark| mark.epoch == report.epoch && mark.object == *object),
        Ok(TaskOutput::Artifact(_) | TaskOutput::Ingested(_) | TaskOutput::Delivered) => false,
    }
}
