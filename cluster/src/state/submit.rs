//! Admission: a job, its idempotency row and its first event, all or none.

use std::sync::Arc;

use imbl::OrdMap;

use super::{Job, State, Task, TaskPhase};
use crate::command::{Outcome, Rejection};
use crate::model::{
    Admission, AssetStatus, AssetUse, DestinationStatus, JobError, JobKind, JobStatus, LogTime,
    TaskKind,
};

/// How long an idempotency key finds the job it admitted, in log time.
pub const IDEMPOTENCY_WINDOW_MILLIS: u64 = 24 * 60 * 60 * 1000;

impl State {
    pub(super) fn submit(&mut self, admission: Admission, has_remote_sources: bool) -> Outcome {
        let Admission {
            submission,
            assets,
            webhook_url,
            has_destination,
        } = admission;
        // The proposal sent twice: the same answer and no second effect.
        if let Some(known) = self.jobs.get(&submission.job) {
            return if known.request == submission.request && known.workspace == submission.workspace
            {
                Outcome::Submitted(known.id)
            } else {
                Outcome::Rejected(Rejection::IdempotencyConflict)
            };
        }
        let row = submission.idempotency.map(|row| {
            let key = row.key.clone();
            (
                (submission.workspace.clone(), row.scope, row.key),
                row.body,
                key,
            )
        });
        if let Some((place, body, _)) = &row
            && let Some((job, known_body, at)) = self.idempotency.get(place)
            && self.is_replayable(*at)
        {
            return if known_body == body {
                Outcome::Replayed(*job)
            } else {
                Outcome::Rejected(Rejection::IdempotencyConflict)
            };
        }
        let id = submission.job;
        let mut idempotency_key = None;
        if let Some((place, body, key)) = row {
            idempotency_key = Some(key);
            self.idempotency.insert(place, (id, body, self.now));
        }
        let (waits_on, unusable) = self.judge_assets(&submission.workspace, &assets);
        let mut tasks = OrdMap::unit(TaskKind::Prepare, Arc::new(Task::new(TaskPhase::Blocked)));
        if has_remote_sources {
            tasks.insert(TaskKind::Fetch, Arc::new(Task::new(TaskPhase::Blocked)));
        }
        let mut job = Job {
            priority: submission.priority.clamp(-10, 10),
            idempotency_key,
            submitted_at: self.now,
            submitted_ran: self.ran,
            assets,
            waits_on,
            webhook_url,
            destination: has_destination.then_some(DestinationStatus::Pending),
            ..Job::new(
                id,
                JobKind::Render,
                submission.workspace,
                submission.request,
                tasks,
            )
        };
        if job.waits_on.is_empty() {
            job.open_first_task();
        }
        self.jobs.insert(id, Arc::new(job));
        if let Some((job, mut editor)) = self.open_job(id) {
            editor.enter(job, JobStatus::Queued);
            if let Some(error) = unusable {
                editor.fail(job, error);
            }
        }
        Outcome::Submitted(id)
    }

    /// Which of a composition's assets it must wait for, and why it cannot be rendered if
    /// one of them never will be there. Another workspace's asset is not there.
    fn judge_assets(
        &self,
        workspace: &str,
        assets: &[AssetUse],
    ) -> (Vec<AssetUse>, Option<JobError>) {
        let mut waits_on = Vec::new();
        for used in assets {
            let known = self
                .assets
                .get(&used.asset)
                .filter(|asset| asset.new.workspace == workspace);
            let Some(asset) = known else {
                let error = JobError {
                    code: "source_not_found".to_owned(),
                    message: format!("there is no {}", used.asset),
                    path: Some(used.path.clone()),
                };
                return (Vec::new(), Some(error));
            };
            match asset.status {
                AssetStatus::Ready => {}
                AssetStatus::Pending | AssetStatus::Processing => waits_on.push(used.clone()),
                AssetStatus::Failed => {
                    return (Vec::new(), Some(super::assets::failure_of(asset, used)));
                }
            }
        }
        (waits_on, None)
    }

    /// Whether an idempotency row written at `at` still finds its job.
    pub fn is_replayable(&self, at: LogTime) -> bool {
        self.now.millis_since(at) < IDEMPOTENCY_WINDOW_MILLIS
    }
}
