//! The tasks of a job and the attempts at them, as operators read them.

use cluster::model::{Attempt, AttemptOutcome, LogTime, TaskKind};
use cluster::state::{Job, Task, TaskPhase};
use serde::Serialize;
use utoipa::ToSchema;

use crate::edge::timestamp::rfc3339;

/// A leased piece of a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Task)]
pub(crate) struct TaskBody {
    /// `prepare`, `segment`, `audio` or `join`.
    kind: &'static str,
    /// Position among the segments; 0 for other kinds.
    index: u32,
    /// First frame and one past the last, of a segment.
    frames: Option<[u64; 2]>,
    /// `blocked`, `open`, `running` or `done`.
    state: &'static str,
    /// The fencing number of the attempt that runs or was accepted.
    epoch: Option<u64>,
    /// The last few attempts and those that run, oldest first.
    attempts: Vec<AttemptBody>,
}

/// A try at a task.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
struct AttemptBody {
    /// Counts from 1 within the task.
    attempt: u32,
    /// The node that ran it.
    node: u64,
    /// When it was granted.
    started_at: String,
    /// When it ended.
    finished_at: Option<String>,
    /// `done`, `failed`, `lost` or `released`; null while it runs.
    outcome: Option<&'static str>,
    /// Why it failed.
    error: Option<FailureBody>,
}

/// Why an attempt failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AttemptFailure)]
struct FailureBody {
    /// Machine-readable code.
    code: String,
    /// A sentence.
    message: String,
}

/// The tasks of `job`, in the order in which a job needs them.
pub(super) fn tasks(job: &Job) -> Vec<TaskBody> {
    job.tasks
        .iter()
        .map(|(kind, task)| {
            let (name, index) = name(*kind);
            let frames = match kind {
                TaskKind::Segment(segment) => job.segment_frames(*segment),
                _ => None,
            };
            TaskBody {
                kind: name,
                index,
                frames: frames.map(|frames| [frames.start, frames.end]),
                state: state(task),
                epoch: epoch(task),
                attempts: attempts(task),
            }
        })
        .collect()
}

fn name(kind: TaskKind) -> (&'static str, u32) {
    match kind {
        TaskKind::Fetch => ("fetch", 0),
        TaskKind::Prepare => ("prepare", 0),
        TaskKind::Audio => ("audio", 0),
        TaskKind::Segment(index) => ("segment", index),
        TaskKind::Join => ("join", 0),
        TaskKind::Ingest => ("ingest", 0),
        TaskKind::Deliver => ("deliver", 0),
    }
}

fn state(task: &Task) -> &'static str {
    match task.phase {
        TaskPhase::Blocked => "blocked",
        TaskPhase::Open if task.live.is_empty() => "open",
        TaskPhase::Open => "running",
        TaskPhase::Done(_) => "done",
    }
}

fn epoch(task: &Task) -> Option<u64> {
    let accepted = task.mark().map(|mark| mark.epoch);
    let running = task.live.last().map(|attempt| attempt.epoch);
    accepted.or(running).map(|epoch| epoch.0)
}

fn attempts(task: &Task) -> Vec<AttemptBody> {
    let ended = task
        .history
        .iter()
        .map(|(attempt, at, outcome)| body(attempt, Some((*at, outcome))));
    let running = task.live.iter().map(|attempt| body(attempt, None));
    ended.chain(running).collect()
}

fn body(attempt: &Attempt, end: Option<(LogTime, &AttemptOutcome)>) -> AttemptBody {
    let outcome = end.map(|(_, outcome)| outcome);
    AttemptBody {
        attempt: attempt.number,
        node: attempt.node.0,
        started_at: rfc3339(attempt.granted_at),
        finished_at: end.map(|(at, _)| rfc3339(at)),
        outcome: outcome.map(|outcome| match outcome {
            AttemptOutcome::Done => "done",
            AttemptOutcome::Failed(_) => "failed",
            AttemptOutcome::Lost => "lost",
            AttemptOutcome::Released => "released",
        }),
        error: outcome.and_then(|outcome| match outcome {
            AttemptOutcome::Failed(failure) => Some(FailureBody {
                code: failure.code.clone(),
                message: failure.message.clone(),
            }),
            AttemptOutcome::Done | AttemptOutcome::Lost | AttemptOutcome::Released => None,
        }),
    }
}
