//! Retention of jobs and their idempotency rows: what is old enough goes, by log time alone.

use super::State;
use crate::command::{Outcome, Retention};
use crate::model::{JobId, LogTime};

impl State {
    /// Drops what is older than it is to be kept, as of now.
    pub(super) fn retain(&mut self, retention: Retention) -> Outcome {
        let before = |age: u64| self.now.minus_millis(age);
        let trim = retention.trim_at(self.now);
        let (idempotency, jobs) = (before(retention.idempotency), before(retention.jobs));
        self.sweep(idempotency, jobs);
        self.trim(trim)
    }

    pub(super) fn sweep(&mut self, idempotency_before: LogTime, jobs_before: LogTime) -> Outcome {
        let old: Vec<JobId> = self
            .jobs
            .values()
            .filter(|job| job.finished_at.is_some_and(|at| at < jobs_before))
            .map(|job| job.id)
            .collect();
        for id in old {
            self.jobs.remove(&id);
        }
        // A row must never lead to a job that is not there.
        let rows: Vec<_> = self
            .idempotency
            .iter()
            .filter(|(_, (job, _, at))| *at < idempotency_before || !self.jobs.contains_key(job))
            .map(|(place, _)| place.clone())
            .collect();
        for place in rows {
            self.idempotency.remove(&place);
        }
        Outcome::Accepted
    }
}
