//! Limits in time, for jobs that have begun and for those that have not.

use std::time::{Duration, Instant};

use cluster::command::Command;
use cluster::model::{JobError, JobId, RanTime};
use cluster::state::Job;

use crate::config::Timings;

/// Ends a job that is older than a job may get.
pub(crate) fn past_deadline(job: &Job, ran: RanTime, timings: &Timings) -> Option<Command> {
    let age = ran.millis_since(job.submitted_ran);
    (u128::from(age) >= timings.job_deadline.as_millis()).then(|| {
        let hours = timings.job_deadline.as_secs() / 3600;
        fail(
            job.id,
            "render_timeout",
            format!("not finished within {hours} hours"),
        )
    })
}

/// Ends a job that no node has taken work of since `since`, if that is too long ago.
pub(crate) fn without_node(
    job: JobId,
    since: Option<Instant>,
    now: Instant,
    timings: &Timings,
) -> Option<Command> {
    is_over(since, now, timings.no_node).then(|| {
        let minutes = timings.no_node.as_secs() / 60;
        fail(
            job,
            "engine_error",
            format!("no render node took work for {minutes} minutes"),
        )
    })
}

/// The start of a condition that holds now, forgotten when it does not.
pub(crate) fn since(start: &mut Option<Instant>, holds: bool, now: Instant) {
    *start = if holds {
        Some(start.unwrap_or(now))
    } else {
        None
    };
}

/// Whether a condition has held for `limit`.
pub(crate) fn is_over(start: Option<Instant>, now: Instant, limit: Duration) -> bool {
    start.is_some_and(|start| now.saturating_duration_since(start) >= limit)
}

fn fail(job: JobId, code: &str, message: String) -> Command {
    Command::FailJob {
        job,
        error: JobError {
            code: code.to_owned(),
            message,
            path: None,
        },
    }
}
