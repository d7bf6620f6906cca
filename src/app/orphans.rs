//! Removes directories of the store that belong to no job and no upload: what a request left
//! that was stored and never committed, and what a stop left between a row's end and its files'.
//!
//! Runs on the leader. The store is listed first and applied state read after that, behind a read
//! barrier: what is committed by then is known. What is not yet may still be on its way, so only
//! ids from long before the log's time count; ids carry the time at which they were drawn.

use std::sync::Arc;
use std::time::Duration;

use cluster::State;
use cluster::coordinator::{Coordinator, ReadError};
use cluster::model::{AssetId, JobId, LogTime};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use ulid::Ulid;

use crate::store::{ObjectStore, StoreError, keys};

/// Reads applied state that holds everything committed before the call.
pub(super) trait Barrier: Send + Sync {
    fn read(&self) -> BoxFuture<'_, Result<Arc<State>, ReadError>>;
}

impl Barrier for Coordinator {
    fn read(&self) -> BoxFuture<'_, Result<Arc<State>, ReadError>> {
        Self::read(self).boxed()
    }
}

/// Removes orphans.
pub(super) struct Orphans {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) barrier: Arc<dyn Barrier>,
    /// How old an id must be.
    pub(super) age: Duration,
}

impl Orphans {
    /// One sweep; gives how many directories it removed.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn sweep(&self) -> Result<usize, StoreError> {
        let jobs = self.store.children(keys::JOBS).await?;
        let uploads = self.store.children(keys::UPLOADS).await?;
        let state = match self.barrier.read().await {
            Ok(state) => state,
            Err(error) => {
                tracing::debug!(%error, "orphans are left for another round");
                return Ok(0);
            }
        };
        let age = u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX);
        let before = LogTime(state.now.0.saturating_sub(age));
        let jobs = jobs.iter().filter_map(|name| {
            let id: JobId = name.parse().ok()?;
            let is_orphan = is_before(id.0, before) && !state.jobs.contains_key(&id);
            is_orphan.then(|| keys::job_prefix(id))
        });
        let uploads = uploads.iter().filter_map(|name| {
            let id: AssetId = name.parse().ok()?;
            let is_orphan = is_before(id.ulid, before) && !state.assets.contains_key(&id);
            is_orphan.then(|| keys::upload_prefix(id))
        });
        let mut removed = 0;
        for prefix in jobs.chain(uploads) {
            tracing::info!(prefix, "removed orphaned files");
            self.store.delete_prefix(&prefix).await?;
            removed += 1;
        }
        Ok(removed)
    }
}

/// Whether an id was drawn before `time`.
fn is_before(ulid: u128, time: LogTime) -> bool {
    Ulid(ulid).timestamp_ms() < time.0
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use cluster::command::{Command, Stamped};
    use cluster::model::{AssetKind, Digest, LogIndex, ObjectKey, ObjectRef, Submission};

    use super::*;
    use crate::store::LocalStore;

    const DAY: u64 = 86_400_000;

    /// Applied state that gains a job only once the barrier is passed.
    struct Late(Mutex<State>, Option<JobId>);

    impl Barrier for Late {
        fn read(&self) -> BoxFuture<'_, Result<Arc<State>, ReadError>> {
            let mut state = self.0.lock().unwrap();
            if let Some(job) = self.1 {
                submit(&mut state, job, 10 * DAY);
            }
            let state = Arc::new(state.clone());
            async move { Ok(state) }.boxed()
        }
    }

    struct NoLeader;

    impl Barrier for NoLeader {
        fn read(&self) -> BoxFuture<'_, Result<Arc<State>, ReadError>> {
            async { Err(ReadError::NoLeader) }.boxed()
        }
    }

    fn submit(state: &mut State, job: JobId, at: u64) {
        let submission = Submission {
            job,
            workspace: "w".to_owned(),
            priority: 0,
            request: ObjectRef {
                key: ObjectKey("k".to_owned()),
                sha256: Digest([0; 32]),
                size: 1,
            },
            idempotency: None,
        };
        let stamped = Stamped {
            at: LogTime(at),
            ran: None,
            command: Command::SubmitJob(submission),
        };
        let index = LogIndex(state.applied.0 + 1);
        state.apply(index, stamped);
    }

    fn job(at: u64) -> JobId {
        JobId::from_ulid(Ulid::from_parts(at, 7))
    }

    #[tokio::test]
    async fn only_what_is_unknown_after_the_barrier_and_old_goes() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(LocalStore::open(directory.path()).unwrap());
        let (known, late, old, young) = (job(DAY), job(2 * DAY), job(3 * DAY), job(9 * DAY + 1));
        let upload = AssetId {
            kind: AssetKind::Upload,
            ulid: old.0,
        };
        let mut kept: Vec<ObjectKey> = [known, late, young].map(keys::composition).to_vec();
        kept.push(ObjectKey("jobs/by-hand/x".to_owned()));
        kept.push(keys::event_body(cluster::model::EventId(1)));
        let orphans = [keys::composition(old), keys::upload_raw(upload)];
        for key in kept.iter().chain(&orphans) {
            store.put(key.clone(), Bytes::from("x")).await.unwrap();
        }
        let mut state = State::default();
        submit(&mut state, known, 10 * DAY);
        let sweep = |barrier: Arc<dyn Barrier>| Orphans {
            store: store.clone(),
            barrier,
            age: Duration::from_millis(DAY),
        };
        assert_eq!(sweep(Arc::new(NoLeader)).sweep().await.unwrap(), 0);
        let barrier = Late(Mutex::new(state), Some(late));
        assert_eq!(sweep(Arc::new(barrier)).sweep().await.unwrap(), 2);
        for key in &kept {
            assert!(store.head(key).await.unwrap().is_some(), "{key}");
        }
        for key in &orphans {
            assert!(store.head(key).await.unwrap().is_none(), "{key}");
        }
    }
}
