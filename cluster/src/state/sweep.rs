//! Retention: what is old enough goes, by log time alone.

use super::State;
use crate::command::Outcome;
use crate::model::{JobId, LogTime};

impl State {
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
