//! What goes with every change of a job that a client can see: its sequence, its place
//! among the active ones, what follows from it elsewhere. The change itself is the caller's.

use std::sync::Arc;

use imbl::OrdMap;

use super::side_effects::SideEffect;
use super::{Job, State};
use crate::model::{Artifact, JobError, JobId, JobStatus, Level, LogIndex, LogTime};

/// Longest code, message and path of a job's error that are kept, in bytes: a finished job
/// stays small however long an engine's message is.
const CODE_LEN: usize = 32;
const MESSAGE_LEN: usize = 192;
const PATH_LEN: usize = 64;

/// The parts of the state that a change of one job writes besides the job.
pub(super) struct JobEditor<'a> {
    pub(super) index: LogIndex,
    pub(super) now: LogTime,
    pub(super) level: Level,
    active: &'a mut OrdMap<JobId, ()>,
    side_effects: &'a mut Vec<SideEffect>,
}

impl State {
    /// A job, to be changed, and the editor that the change is written to.
    pub(super) fn open_job(&mut self, job: JobId) -> Option<(&mut Job, JobEditor<'_>)> {
        let editor = JobEditor {
            index: self.applied,
            now: self.now,
            level: self.level,
            active: &mut self.active,
            side_effects: &mut self.side_effects,
        };
        let job = self.jobs.get_mut(&job)?;
        Self::note_place(&mut self.touched, job);
        Some((Arc::make_mut(job), editor))
    }
}

impl JobEditor<'_> {
    /// A client can see a difference in `job`.
    pub(super) fn touch(&mut self, job: &mut Job) {
        job.sequence.0 += 1;
        job.changed_at = self.index;
    }

    /// Moves `job` to `status`, which clients see and receivers are notified of.
    pub(super) fn enter(&mut self, job: &mut Job, status: JobStatus) {
        job.status = status;
        self.touch(job);
        job.reached.push((self.index, status));
        self.side_effects.push(SideEffect::JobReached {
            job: job.id,
            status,
            sequence: job.sequence,
        });
        if status.is_terminal() {
            self.active.remove(&job.id);
        } else {
            self.active.insert(job.id, ());
        }
    }

    /// `job` ends with its artifact.
    pub(super) fn complete(&mut self, job: &mut Job, artifact: Artifact) {
        job.frames_done = job.frames.unwrap_or(job.frames_done);
        job.artifact = Some(artifact);
        self.finish(job, JobStatus::Completed);
    }

    /// `job` ends because it cannot be rendered.
    pub(super) fn fail(&mut self, job: &mut Job, mut error: JobError) {
        clip(&mut error.code, CODE_LEN);
        clip(&mut error.message, MESSAGE_LEN);
        if let Some(path) = &mut error.path {
            clip(path, PATH_LEN);
        }
        job.error = Some(error);
        self.finish(job, JobStatus::Failed);
    }

    /// Ends `job` at its client's request.
    pub(super) fn cancel(&mut self, job: &mut Job) {
        self.finish(job, JobStatus::Cancelled);
    }

    fn finish(&mut self, job: &mut Job, status: JobStatus) {
        job.finished_at = Some(self.now);
        // Nothing of an ended job is leased or rendered again: what remains is its record.
        job.plan = None;
        job.fingerprint = None;
        job.tasks = OrdMap::new();
        job.assets = Vec::new();
        job.waits_on = Vec::new();
        job.accepted = OrdMap::new();
        self.enter(job, status);
    }
}

/// Shortens `text` to at most `len` bytes, between two characters.
fn clip(text: &mut String, len: usize) {
    text.truncate(text.floor_char_boundary(len));
}
