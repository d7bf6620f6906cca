//! Who waits for which render, and the one task that wakes them. It looks once at every applied
//! change and at every second's progress, and wakes only those whose render changed. What a
//! waiter has not taken yet is replaced by what is newer, so nothing piles up behind a slow one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::model::{JobId, JobStatus};
use cluster::state::Job;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::context::{Edge, Shared};
use super::event_body::ProgressEventBody;
use super::high_water::Reached;

/// Between two progress events of one render.
const PROGRESS: Duration = Duration::from_secs(1);

/// The renders that are waited for.
#[derive(Debug, Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<BTreeMap<JobId, Channels>>>);

/// The channels to the waits for one render.
#[derive(Debug)]
struct Channels {
    job: watch::Sender<Option<Arc<Job>>>,
    progress: watch::Sender<Option<Arc<str>>>,
}

/// A wait for one render. Dropping it ends the wait.
#[derive(Debug)]
pub(super) struct Watch {
    id: JobId,
    watchers: Watchers,
    /// The render as last applied; `None` once retention has removed it.
    pub(super) job: watch::Receiver<Option<Arc<Job>>>,
    /// How far it has got, as the data of an event.
    pub(super) progress: watch::Receiver<Option<Arc<str>>>,
}

impl Watchers {
    // A std mutex: held for map operations and never across an await. A panic cannot leave an
    // entry half made.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, Channels>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many renders are waited for.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.lock().len()
    }

    /// Waits for `id`. `current` is called under the lock, so no change is published between it
    /// and the first wake.
    fn watch(&self, id: JobId, current: impl FnOnce() -> Option<Arc<Job>>) -> Watch {
        let mut waiting = self.lock();
        let channels = waiting.entry(id).or_insert_with(|| Channels {
            job: watch::channel(current()).0,
            progress: watch::channel(None).0,
        });
        Watch {
            id,
            watchers: self.clone(),
            job: channels.job.subscribe(),
            progress: channels.progress.subscribe(),
        }
    }

    /// Publishes the renders that have changed. `current` is called under the lock, when no new
    /// wait can begin, so that its state is never older than the one a wait began with.
    fn publish_changes<S: Fn(JobId) -> Option<Arc<Job>>>(&self, current: impl FnOnce() -> S) {
        let waiting = self.lock();
        let current = current();
        for (id, channels) in waiting.iter() {
            let now = current(*id);
            channels.job.send_if_modified(|known| {
                let changed_at = |job: &Option<Arc<Job>>| job.as_ref().map(|job| job.changed_at);
                let is_changed = changed_at(known) != changed_at(&now);
                if is_changed {
                    *known = now;
                }
                is_changed
            });
        }
    }

    /// Those of `ids` that are waited for; all that are, for none.
    fn among(&self, ids: Option<BTreeSet<JobId>>) -> Vec<JobId> {
        let waiting = self.lock();
        match ids {
            Some(ids) => ids
                .into_iter()
                .filter(|id| waiting.contains_key(id))
                .collect(),
            None => waiting.keys().copied().collect(),
        }
    }

    fn publish_progress(&self, id: JobId, data: &str) {
        if let Some(channels) = self.lock().get(&id) {
            channels.progress.send_if_modified(|known| {
                let is_changed = known.as_deref() != Some(data);
                if is_changed {
                    *known = Some(data.into());
                }
                is_changed
            });
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut waiting = self.watchers.lock();
        // This one's own receiver still counts.
        if waiting
            .get(&self.id)
            .is_some_and(|channels| channels.job.receiver_count() <= 1)
        {
            waiting.remove(&self.id);
        }
    }
}

impl Shared {
    /// Waits for changes of a render.
    pub(super) fn watch(&self, id: JobId) -> Watch {
        self.watchers
            .watch(id, || self.state().jobs.get(&id).cloned())
    }

    fn publish_jobs(&self) {
        self.watchers.publish_changes(|| {
            let state = self.state();
            move |id| state.jobs.get(&id).cloned()
        });
    }

    fn publish_progress(&self, moved: Option<BTreeSet<JobId>>) {
        for id in self.watchers.among(moved) {
            if let Some(data) = self.progress_data(id) {
                self.watchers.publish_progress(id, &data);
            }
        }
    }

    /// The data of a progress event; `None` if the render is not being processed.
    fn progress_data(&self, id: JobId) -> Option<String> {
        let state = self.state();
        let job = state
            .jobs
            .get(&id)
            .filter(|job| job.status == JobStatus::Processing)?;
        let observed = self.parts.observer.progress(id)?;
        let reached = self.reached(
            job,
            Reached {
                frames: observed.frames_done,
                fraction: observed.fraction,
            },
        );
        let body = ProgressEventBody::new(job, reached, &observed);
        serde_json::to_string(&body).ok()
    }
}

/// Follows applied state and progress and wakes waits, until `stop` is cancelled.
pub async fn publish_changes(edge: Edge, stop: CancellationToken) {
    let mut applied = edge.parts.coordinator.applied();
    let mut progress = edge.parts.observer.progress_changes();
    let mut seconds = tokio::time::interval(PROGRESS);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Renders whose progress changed since the last second. `None`: the receiver lagged.
    let mut moved = Some(BTreeSet::new());
    let mut is_progress_open = true;
    // A wait may have begun before the first look.
    edge.publish_jobs();
    let mut keys = edge.state().keys.clone();
    edge.key_changes.send_modify(|changes| *changes += 1);
    loop {
        let has_moved = moved.as_ref().is_none_or(|moved| !moved.is_empty());
        tokio::select! {
            () = stop.cancelled() => return,
            changed = applied.changed() => {
                if changed.is_err() {
                    return;
                }
                edge.publish_jobs();
                let state = edge.state();
                if !state.keys.ptr_eq(&keys) {
                    keys = state.keys.clone();
                    edge.key_changes.send_modify(|changes| *changes += 1);
                }
            }
            received = progress.recv(), if is_progress_open => match received {
                Ok(id) => if let Some(moved) = &mut moved {
                    moved.insert(id);
                },
                Err(RecvError::Lagged(_)) => moved = None,
                Err(RecvError::Closed) => is_progress_open = false,
            },
            _ = seconds.tick(), if has_moved => {
                edge.publish_progress(moved.replace(BTreeSet::new()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cluster::State;
    use cluster::command::{Command, Stamped};
    use cluster::model::{Digest, LogIndex, LogTime, ObjectKey, ObjectRef, Submission};

    use super::*;

    fn job(id: JobId, changed_at: u64) -> Arc<Job> {
        let mut state = State::default();
        let submission = Submission {
            job: id,
            workspace: "default".to_owned(),
            priority: 0,
            request: ObjectRef {
                key: ObjectKey("request".to_owned()),
                sha256: Digest([0; 32]),
                size: 0,
            },
            idempotency: None,
        };
        let command = Command::SubmitJob(submission);
        let at = LogTime(0);
        state.apply(
            LogIndex(changed_at),
            Stamped {
                at,
                ran: None,
                command,
            },
        );
        Arc::clone(&state.jobs[&id])
    }

    #[test]
    fn only_those_are_woken_whose_render_changed() {
        let (one, two) = (JobId(1), JobId(2));
        let watchers = Watchers::default();
        let mut first = watchers.watch(one, || Some(job(one, 5)));
        let mut second = watchers.watch(one, || unreachable!("it is known already"));
        let mut other = watchers.watch(two, || Some(job(two, 6)));
        watchers.publish_changes(|| move |id: JobId| Some(job(id, if id == one { 7 } else { 6 })));
        for (watch, is_woken) in [(&mut first, true), (&mut second, true), (&mut other, false)] {
            assert_eq!(watch.job.has_changed().expect("a sender"), is_woken);
            watch.job.mark_unchanged();
        }
        // A render that retention removed is a change, once.
        watchers.publish_changes(|| |_| None);
        assert!(first.job.has_changed().expect("a sender"));
        assert!(first.job.borrow_and_update().is_none());
        watchers.publish_changes(|| |_| None);
        assert!(!first.job.has_changed().expect("a sender"));
    }

    #[test]
    fn progress_reaches_those_who_wait_and_the_same_again_nobody() {
        let one = JobId(1);
        let watchers = Watchers::default();
        let mut watch = watchers.watch(one, || Some(job(one, 5)));
        assert_eq!(watchers.among(Some([one, JobId(2)].into())), [one]);
        assert_eq!(watchers.among(None), [one]);
        watchers.publish_progress(JobId(2), "{}");
        assert!(!watch.progress.has_changed().expect("a sender"));
        watchers.publish_progress(one, "{}");
        assert_eq!(watch.progress.borrow_and_update().as_deref(), Some("{}"));
        watchers.publish_progress(one, "{}");
        assert!(!watch.progress.has_changed().expect("a sender"));
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_forgotten() {
        let watchers = Watchers::default();
        let first = watchers.watch(JobId(1), || None);
        let second = watchers.watch(JobId(1), || None);
        drop(first);
        assert_eq!(watchers.count(), 1);
        drop(second);
        assert_eq!(watchers.count(), 0);
    }
}
