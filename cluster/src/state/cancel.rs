//! A client ends its job: a compare-and-set on the terminal state, like completing and
//! failing it; whichever is first in the log wins.

use super::State;
use crate::command::{Outcome, Rejection};
use crate::model::{JobId, JobStatus};

impl State {
    pub(super) fn cancel(&mut self, job: JobId, workspace: &str) -> Outcome {
        let Some((job, mut editor)) = self.open_job(job) else {
            return Outcome::Rejected(Rejection::UnknownJob);
        };
        if job.workspace != workspace || !job.is_render() {
            return Outcome::Rejected(Rejection::UnknownJob);
        }
        match job.status {
            JobStatus::Queued | JobStatus::Processing => {
                editor.cancel(job);
                Outcome::Accepted
            }
            JobStatus::Cancelled => Outcome::Accepted,
            JobStatus::Completed | JobStatus::Failed => Outcome::Rejected(Rejection::JobEnded),
        }
    }
}
