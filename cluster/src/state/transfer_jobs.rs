//! The server's own jobs: taking in an asset, copying an artifact to its destination. They
//! run through the machinery of renders and are gone, with what they did kept, once ended.

use std::sync::Arc;

use imbl::OrdMap;

use super::{Job, State, Task, TaskPhase};
use crate::command::{Rejection, Report};
use crate::model::{
    Arrival, AssetId, DestinationStatus, Digest, JobError, JobId, JobKind, JobStatus, ObjectKey,
    ObjectRef, TaskKind, TaskOutput,
};

impl State {
    /// Sets up the job that takes in `asset`.
    pub(super) fn begin_ingest(&mut self, id: AssetId) {
        let job = self.free_job_id(id.ulid);
        let Some(asset) = self.assets.get_mut(&id).map(Arc::make_mut) else {
            return;
        };
        asset.job = Some(job);
        let (key, size) = match &asset.arrival {
            Some(Arrival::Whole { key, size }) => (key.clone(), *size),
            Some(Arrival::Parts { size }) => (ObjectKey(String::new()), *size),
            None => (ObjectKey(String::new()), 0),
        };
        // The digest and perhaps the size are unknown until the ingest task has read the bytes.
        let request = ObjectRef {
            key,
            sha256: Digest([0; 32]),
            size,
        };
        let workspace = asset.new.workspace.clone();
        self.begin_transfer(
            job,
            JobKind::Ingest(id),
            TaskKind::Ingest,
            workspace,
            request,
        );
    }

    /// Sets up the job that copies a completed render's artifact to its destination.
    pub(super) fn begin_deliver(&mut self, render: JobId) {
        let Some(parent) = self.jobs.get(&render) else {
            return;
        };
        let (workspace, request) = (parent.workspace.clone(), parent.request.clone());
        // Far from the ids that are drawn in the same millisecond.
        let job = self.free_job_id(render.0 ^ (1 << 79));
        let kind = JobKind::Deliver(render);
        self.begin_transfer(job, kind, TaskKind::Deliver, workspace, request);
    }

    fn begin_transfer(
        &mut self,
        id: JobId,
        kind: JobKind,
        task: TaskKind,
        workspace: String,
        request: ObjectRef,
    ) {
        let tasks = OrdMap::unit(task, Arc::new(Task::new(TaskPhase::Open)));
        let job = Job {
            submitted_at: self.now,
            submitted_ran: self.ran,
            ..Job::new(id, kind, workspace, request, tasks)
        };
        self.jobs.insert(id, Arc::new(job));
        if let Some((job, mut editor)) = self.open_job(id) {
            editor.enter(job, JobStatus::Queued);
        }
    }

    fn free_job_id(&self, seed: u128) -> JobId {
        let mut id = JobId(seed);
        while self.jobs.contains_key(&id) {
            id.0 = id.0.wrapping_add(1);
        }
        id
    }

    /// A transfer job's accepted report: it has done what it was for.
    pub(super) fn finish_transfer(&mut self, report: Report) -> Result<(), Rejection> {
        let job = report.task.job;
        let kind = self.jobs.get(&job).map(|job| job.kind);
        match (kind, report.result) {
            (Some(JobKind::Ingest(asset)), Ok(TaskOutput::Ingested(ingested))) => {
                self.remove_job(job);
                self.settle_asset(asset, Ok(ingested));
                Ok(())
            }
            (Some(JobKind::Deliver(render)), Ok(TaskOutput::Delivered)) => {
                self.remove_job(job);
                self.settle_destination(render, None);
                Ok(())
            }
            _ => Err(Rejection::MisfitReport),
        }
    }

    /// A transfer job that ended without doing what it was for.
    pub(super) fn settle_transfer(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id).cloned() else {
            return;
        };
        self.remove_job(id);
        let error = job.error.clone().unwrap_or_else(|| JobError {
            code: "engine_error".to_owned(),
            message: "it was cancelled".to_owned(),
            path: None,
        });
        match job.kind {
            JobKind::Render => {}
            JobKind::Ingest(asset) => self.settle_asset(asset, Err(error)),
            JobKind::Deliver(render) => self.settle_destination(render, Some(error)),
        }
    }

    /// Takes an active job away altogether.
    pub(super) fn remove_job(&mut self, id: JobId) {
        if let Some(job) = self.jobs.remove(&id) {
            Self::note_place(&mut self.touched, &job);
        }
        self.active.remove(&id);
    }

    fn settle_destination(&mut self, render: JobId, error: Option<JobError>) {
        let at = self.now;
        if let Some((job, mut editor)) = self.open_job(render)
            && job.destination == Some(DestinationStatus::Pending)
        {
            job.destination = Some(match error {
                None => DestinationStatus::Delivered { at },
                Some(error) => DestinationStatus::Failed(error),
            });
            editor.touch(job);
        }
    }
}
