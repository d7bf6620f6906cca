//! Applies the report of an attempt, if the attempt still holds its lease.

use super::{Job, State, TaskPhase};
use crate::command::{Rejection, Report};
use crate::model::{AttemptOutcome, Failure, Level, RanTime, TaskKind, TaskOutput};

impl State {
    /// `retry_at`: after a failure, the task is not granted again before this.
    pub(super) fn report(&mut self, report: Report, retry_at: RanTime) -> Result<(), Rejection> {
        let nodes = self.nodes.clone();
        let (job, mut editor) = self
            .open_job(report.task.job)
            .ok_or(Rejection::UnknownJob)?;
        if is_repeated(job, &report) {
            return Ok(());
        }
        admit(job, &report)?;
        let kind = report.task.kind;
        let fits = match &report.result {
            Ok(output) => is_fitting(output, kind, editor.level),
            Err(_) => true,
        };
        if !fits && editor.level == Level(0) {
            return Err(Rejection::MisfitReport);
        }
        if fits && !job.is_render() && report.result.is_ok() {
            return self.finish_transfer(report);
        }
        let result = if fits {
            report.result
        } else {
            // Rejected it would be sent again and again; its attempt is over all the same.
            Err(misfit(kind))
        };
        match result {
            Ok(output) => {
                super::complete::accept(job, &mut editor, kind, report.epoch, output, |node| {
                    nodes.get(&node).map(|info| info.fingerprint)
                });
            }
            Err(failure) => {
                super::fail::count_failure(job, &mut editor, kind, report.epoch, failure, retry_at);
            }
        }
        Ok(())
    }
}

/// Whether an output is one that a task of this kind makes.
fn is_fitting(output: &TaskOutput, kind: TaskKind, level: Level) -> bool {
    match (output, kind) {
        (TaskOutput::Plan { facts, .. }, TaskKind::Prepare) => super::plan::is_sound(facts),
        (TaskOutput::Planned { facts, .. }, TaskKind::Prepare) => {
            level > Level(0) && super::plan::is_sound(facts)
        }
        (TaskOutput::Published { .. }, TaskKind::Join) => level > Level(0),
        (TaskOutput::Segment { .. }, TaskKind::Segment(_))
        | (TaskOutput::Audio { .. }, TaskKind::Audio)
        | (TaskOutput::Artifact(_), TaskKind::Join)
        | (TaskOutput::Ingested(_), TaskKind::Ingest)
        | (TaskOutput::Delivered, TaskKind::Deliver)
        | (TaskOutput::Fetched, TaskKind::Fetch) => true,
        _ => false,
    }
}

fn misfit(kind: TaskKind) -> Failure {
    Failure {
        code: "engine_error".to_owned(),
        message: format!("{} came to something else", super::fail::work_of(kind)),
        path: None,
        permanent: false,
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
    // What comes before the plan works from generation 0, whatever is current.
    let is_before_plan = matches!(report.task.kind, TaskKind::Fetch | TaskKind::Prepare);
    if report.generation != job.generation && !is_before_plan {
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
    if let Ok(TaskOutput::Artifact(artifact) | TaskOutput::Published { artifact, .. }) =
        &report.result
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
        Ok(TaskOutput::Plan { object, .. } | TaskOutput::Planned { object, .. }) => {
            task.is_done()
                && task.ended_as(report.epoch, &AttemptOutcome::Done)
                && job.plan.as_ref().is_some_and(|plan| plan.object == *object)
        }
        Ok(TaskOutput::Segment { object, .. } | TaskOutput::Audio { object, .. }) => task
            .mark()
            .is_some_and(|mark| mark.epoch == report.epoch && mark.object == *object),
        Ok(TaskOutput::Fetched) => {
            task.is_done() && task.ended_as(report.epoch, &AttemptOutcome::Done)
        }
        Ok(
            TaskOutput::Artifact(_)
            | TaskOutput::Published { .. }
            | TaskOutput::Ingested(_)
            | TaskOutput::Delivered,
        ) => false,
    }
}
