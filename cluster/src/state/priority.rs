//! A job's place in the queue.

use super::State;
use crate::command::{Outcome, Rejection};
use crate::model::JobId;

impl State {
    pub(super) fn set_priority(&mut self, job: JobId, priority: i8) -> Outcome {
        let Some((job, _)) = self.open_job(job) else {
            return Outcome::Rejected(Rejection::UnknownJob);
        };
        if job.status.is_terminal() {
            return Outcome::Rejected(Rejection::JobEnded);
        }
        job.priority = priority.clamp(-10, 10);
        Outcome::Accepted
    }
}
