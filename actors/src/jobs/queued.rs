//! Limits in time of renders that have not begun. They have no actor of their own, however
//! many wait: only the oldest are looked at.

use std::collections::BTreeSet;
use std::time::Instant;

use cluster::State;
use cluster::command::Command;
use cluster::model::{JobId, JobStatus, RanTime};

use crate::config::Timings;
use crate::job::limits;

/// Renders that are ended in one look, at most.
const AT_ONCE: usize = 64;

/// What is remembered between looks.
#[derive(Debug, Default)]
pub(super) struct QueuedLimits {
    without_node_since: Option<Instant>,
    /// Renders whose end is proposed.
    ending: BTreeSet<JobId>,
}

impl QueuedLimits {
    /// The commands that end renders which have waited too long, oldest first.
    pub(super) fn look(
        &mut self,
        applied: &State,
        has_node: bool,
        (ran, now): (RanTime, Instant),
        timings: &Timings,
    ) -> Vec<(JobId, Command)> {
        limits::since(&mut self.without_node_since, !has_node, now);
        // Ids are in order of age, but for the moment an edge took to propose them.
        let oldest = applied
            .active
            .keys()
            .filter_map(|id| applied.jobs.get(id))
            .filter(|job| job.is_render() && job.status == JobStatus::Queued)
            .filter(|job| !self.ending.contains(&job.id))
            .take(AT_ONCE);
        let due: Vec<(JobId, Command)> = oldest
            .filter_map(|job| {
                let starved = || {
                    let is_ready = job.waits_on.is_empty();
                    let since = self.without_node_since.filter(|_| is_ready);
                    limits::without_node(job.id, since, now, timings)
                };
                let command = limits::past_deadline(job, ran, timings).or_else(starved)?;
                Some((job.id, command))
            })
            .collect();
        self.ending.extend(due.iter().map(|(job, _)| *job));
        due
    }

    /// A proposal has an outcome, or none: if the render still waits, it is looked at again.
    pub(super) fn settled(&mut self, job: JobId) {
        self.ending.remove(&job);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cluster::command::Stamped;
    use cluster::model::{LogIndex, LogTime};

    use super::*;
    use crate::testkit::{newest, submission};

    fn queued(count: u128) -> State {
        let mut state = newest();
        for id in 1..=count {
            let stamped = Stamped {
                at: LogTime(1_000),
                ran: Some(RanTime(1_000)),
                command: Command::SubmitJob(submission(JobId(id))),
            };
            state.apply(LogIndex(state.applied.0 + 1), stamped);
        }
        state
    }

    fn ended(due: &[(JobId, Command)]) -> Vec<u128> {
        due.iter().map(|(job, _)| job.0).collect()
    }

    #[test]
    fn a_render_that_never_begins_ends_at_the_deadline_by_running_time() {
        let timings = Timings::default();
        let deadline = u64::try_from(timings.job_deadline.as_millis()).unwrap();
        let (state, now) = (queued(2), Instant::now());
        let mut limits = QueuedLimits::default();
        let before = (RanTime(1_000 + deadline - 1), now);
        assert!(limits.look(&state, true, before, &timings).is_empty());
        let at = (RanTime(1_000 + deadline), now);
        assert_eq!(ended(&limits.look(&state, true, at, &timings)), [1, 2]);
        assert!(
            limits.look(&state, true, at, &timings).is_empty(),
            "proposed already"
        );
        limits.settled(JobId(2));
        assert_eq!(ended(&limits.look(&state, true, at, &timings)), [2]);
    }

    #[test]
    fn renders_end_when_no_node_takes_work_for_long_and_a_few_at_a_time() {
        let timings = Timings::default();
        let (state, now) = (queued(100), Instant::now());
        let mut limits = QueuedLimits::default();
        let at = |later: Duration| (RanTime(2_000), now + later);
        let mut look = |has_node, later| {
            let due = limits.look(&state, has_node, at(later), &timings);
            due.len()
        };
        assert_eq!(look(false, Duration::ZERO), 0);
        assert_eq!(look(true, timings.no_node), 0, "one came back");
        assert_eq!(look(false, timings.no_node), 0);
        assert_eq!(look(false, timings.no_node * 2), AT_ONCE);
        assert_eq!(look(false, timings.no_node * 2), 100 - AT_ONCE);
    }
}
