//! Jobs by what is to be done about them, so that nobody has to look at all of them: the
//! scheduler sees the first few of each workspace however many wait behind them. Follows from
//! the jobs alone; not in snapshots.

use imbl::OrdMap;

use super::{Job, State};
use crate::model::{JobId, JobStatus};

/// The jobs that go on, each in one place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Queues {
    /// Renders that could begin, by workspace, then priority (highest first), then age.
    ready: OrdMap<String, OrdMap<(i8, JobId), ()>>,
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
    Ready { workspace: String, key: (i8, JobId) },
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
            JobStatus::Queued if job.waits_on.is_empty() => Self::Ready {
                workspace: job.workspace.clone(),
                // Priorities are −10…10.
                key: (job.priority.saturating_neg(), job.id),
            },
            JobStatus::Queued => Self::Waiting,
        }
    }
}

impl Queues {
    /// Workspaces with renders that could begin, in order of name, and how many they have.
    pub fn ready_workspaces(&self) -> impl Iterator<Item = (&str, usize)> {
        self.ready
            .iter()
            .map(|(workspace, jobs)| (workspace.as_str(), jobs.len()))
    }

    /// A workspace's renders that could begin, in order of service.
    pub fn ready_of(&self, workspace: &str) -> impl Iterator<Item = JobId> + '_ {
        let jobs = self.ready.get(workspace);
        jobs.into_iter()
            .flat_map(|jobs| jobs.keys().map(|(_, job)| *job))
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
            Place::Ready { workspace, key } => {
                self.ready.entry(workspace).or_default().insert(key, ());
            }
            Place::Waiting => drop(self.waiting.insert(id, ())),
            Place::Begun => drop(self.begun.insert(id, ())),
            Place::Transfer => drop(self.transfers.insert(id, ())),
            Place::Nowhere => {}
        }
    }

    fn remove(&mut self, id: JobId, place: &Place) {
        match place {
            Place::Ready { workspace, key } => {
                let is_last = self.ready.get_mut(workspace).is_some_and(|jobs| {
                    jobs.remove(key);
                    jobs.is_empty()
                });
                if is_last {
                    self.ready.remove(workspace);
                }
            }
            Place::Waiting => drop(self.waiting.remove(&id)),
            Place::Begun => drop(self.begun.remove(&id)),
            Place::Transfer => drop(self.transfers.remove(&id)),
            Place::Nowhere => {}
        }
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
        let ready = self.queues.ready.get(workspace).map_or(0, OrdMap::len);
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
