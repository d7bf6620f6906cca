//! Jobs by what is to be done about them, so that no caller has to scan all of them: the
//! scheduler sees the first few of each workspace however many wait behind them. Follows from
//! the jobs alone; not in snapshots.

use imbl::OrdMap;

use super::{Job, State};
use crate::model::{JobId, JobStatus, TaskKind};

/// Jobs by workspace, then priority (highest first), then age.
type ByWorkspace = OrdMap<String, OrdMap<(i8, JobId), ()>>;

/// The jobs that go on, each in one place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Queues {
    /// Renders that could be prepared.
    ready: ByWorkspace,
    /// Renders whose sources could be fetched.
    to_fetch: ByWorkspace,
    /// Renders that wait for an upload or import.
    waiting: OrdMap<JobId, ()>,
    /// Renders that have begun.
    begun: OrdMap<JobId, ()>,
    /// The server's own transfer jobs.
    transfers: OrdMap<JobId, ()>,
}

/// Where a job is filed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    Ready(String, (i8, JobId)),
    ToFetch(String, (i8, JobId)),
    Waiting,
    Begun,
    Transfer,
    Nowhere,
}

impl Place {
    fn of(job: &Job) -> Self {
        match job.status {
            JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => Self::Nowhere,
            JobStatus::Queued | JobStatus::Processing if !job.is_render() => Self::Transfer,
            JobStatus::Processing => Self::Begun,
            JobStatus::Queued if job.waits_on.is_empty() => {
                // Priorities are −10…10.
                let key = (job.priority.saturating_neg(), job.id);
                if job.tasks.contains_key(&TaskKind::Fetch) {
                    Self::ToFetch(job.workspace.clone(), key)
                } else {
                    Self::Ready(job.workspace.clone(), key)
                }
            }
            JobStatus::Queued => Self::Waiting,
        }
    }
}

impl Queues {
    /// The first `most` renders of each workspace that could be prepared.
    pub fn ready(&self, most: usize) -> impl Iterator<Item = JobId> + '_ {
        first_of_each(&self.ready, most)
    }

    /// The first `most` renders of each workspace whose sources could be fetched.
    pub fn to_fetch(&self, most: usize) -> impl Iterator<Item = JobId> + '_ {
        first_of_each(&self.to_fetch, most)
    }

    /// Renders that have begun, by age.
    pub fn begun(&self) -> impl Iterator<Item = JobId> + '_ {
        self.begun.keys().copied()
    }

    /// The server's own jobs, by age.
    pub fn transfers(&self) -> impl Iterator<Item = JobId> + '_ {
        self.transfers.keys().copied()
    }

    /// Renders that wait for an upload or import, by age.
    pub fn waiting(&self) -> impl Iterator<Item = JobId> + '_ {
        self.waiting.keys().copied()
    }

    fn insert(&mut self, id: JobId, place: Place) {
        match place {
            Place::Ready(workspace, key) => add(&mut self.ready, workspace, key),
            Place::ToFetch(workspace, key) => add(&mut self.to_fetch, workspace, key),
            Place::Waiting => drop(self.waiting.insert(id, ())),
            Place::Begun => drop(self.begun.insert(id, ())),
            Place::Transfer => drop(self.transfers.insert(id, ())),
            Place::Nowhere => {}
        }
    }

    fn remove(&mut self, id: JobId, place: &Place) {
        match place {
            Place::Ready(workspace, key) => take(&mut self.ready, workspace, key),
            Place::ToFetch(workspace, key) => take(&mut self.to_fetch, workspace, key),
            Place::Waiting => drop(self.waiting.remove(&id)),
            Place::Begun => drop(self.begun.remove(&id)),
            Place::Transfer => drop(self.transfers.remove(&id)),
            Place::Nowhere => {}
        }
    }
}

fn first_of_each(queue: &ByWorkspace, most: usize) -> impl Iterator<Item = JobId> + '_ {
    queue
        .values()
        .flat_map(move |jobs| jobs.keys().take(most).map(|(_, job)| *job))
}

fn add(queue: &mut ByWorkspace, workspace: String, key: (i8, JobId)) {
    queue.entry(workspace).or_default().insert(key, ());
}

fn take(queue: &mut ByWorkspace, workspace: &str, key: &(i8, JobId)) {
    let is_last = queue.get_mut(workspace).is_some_and(|jobs| {
        jobs.remove(key);
        jobs.is_empty()
    });
    if is_last {
        queue.remove(workspace);
    }
}

impl State {
    /// A job is about to change, or to go: it may have another place afterwards.
    pub(super) fn note_place(touched: &mut Vec<(JobId, Place)>, job: &Job) {
        touched.push((job.id, Place::of(job)));
    }

    /// Files every job that the command has changed.
    pub(super) fn file_jobs(&mut self) {
        for (id, former) in std::mem::take(&mut self.touched) {
            self.queues.remove(id, &former);
            if let Some(job) = self.jobs.get(&id) {
                self.queues.insert(id, Place::of(job));
            }
        }
    }

    /// The queues as they follow from the jobs.
    pub(super) fn queues_of_jobs(&self) -> Queues {
        let mut queues = Queues::default();
        for job in self.active.keys().filter_map(|id| self.jobs.get(id)) {
            queues.insert(job.id, Place::of(job));
        }
        queues
    }

    /// Renders of a workspace that have not begun.
    pub fn queued_of(&self, workspace: &str) -> usize {
        let count = |queue: &ByWorkspace| queue.get(workspace).map_or(0, OrdMap::len);
        let ready = count(&self.queues.ready) + count(&self.queues.to_fetch);
        let waiting = self
            .queues
            .waiting()
            .filter_map(|id| self.jobs.get(&id))
            .filter(|job| job.workspace == workspace);
        ready + waiting.count()
    }

    /// Jobs that may hold leases: renders that have begun, and the server's own.
    pub fn leasing(&self) -> impl Iterator<Item = &std::sync::Arc<Job>> {
        self.queues
            .begun()
            .chain(self.queues.transfers())
            .filter_map(|id| self.jobs.get(&id))
    }
}
