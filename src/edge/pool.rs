//! Threads for work that takes long without waiting for anything: parsing and checking what
//! clients send. Done on an async thread, a body of two megabytes would hold up every other
//! request there. Few such jobs run at once, and of one workspace one, so that many bodies of
//! one client delay those of others by at most one body.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{ApiError, Code};

/// Bytes that are parsed where they are: it takes less than a millisecond.
const INLINE: usize = 16 * 1024;

/// Runs jobs, a bounded number at a time.
#[derive(Debug)]
pub(super) struct Pool {
    room: Arc<Semaphore>,
    /// The turn of each workspace that has jobs; no turn is lost.
    turns: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

impl Pool {
    /// Room for half as many jobs at once as there are cores.
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            room: Arc::new(Semaphore::new((cores / 2).max(1))),
            turns: Mutex::default(),
        }
    }

    /// Does `work` on `bytes` bytes of `workspace`.
    ///
    /// # Errors
    /// 500 when it panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        workspace: &str,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        if bytes <= INLINE {
            return Ok(work());
        }
        let turn = permit(self.turn(workspace)).await?;
        let room = permit(Arc::clone(&self.room)).await?;
        // The job keeps its room when the client that asked for it goes away.
        let job = tokio::task::spawn_blocking(move || {
            let _held = (turn, room);
            work()
        });
        job.await.map_err(|error| {
            tracing::error!(%error, "a request could not be checked");
            ApiError::internal()
        })
    }

    fn turn(&self, workspace: &str) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // One that only the map refers to is not in use.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        let turn = turns
            .entry(workspace.to_owned())
            .or_insert_with(|| Arc::new(Semaphore::new(1)));
        Arc::clone(turn)
    }
}

async fn permit(semaphore: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    // Neither semaphore is ever closed.
    semaphore
        .acquire_owned()
        .await
        .map_err(|_| ApiError::new(Code::Draining, "This server is stopping."))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LARGE: usize = INLINE + 1;

    #[tokio::test]
    async fn one_workspace_has_one_job_at_a_time_and_others_their_own() {
        let pool = Arc::new(Pool {
            room: Arc::new(Semaphore::new(2)),
            turns: Mutex::default(),
        });
        let (release, held) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                pool.run("hostile", LARGE, move || held.recv().is_ok())
                    .await
            }
        });
        let second = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.run("hostile", LARGE, || ()).await }
        });
        tokio::task::yield_now().await;
        // Room for one more is left, which the second of the same workspace does not take.
        let other = pool.run("other", LARGE, || 7);
        let other = tokio::time::timeout(Duration::from_secs(30), other).await;
        assert_eq!(other.expect("it has its turn").expect("it runs"), 7);
        assert!(!second.is_finished());
        release.send(()).expect("it waits");
        assert!(first.await.expect("no panic").expect("it ran"));
        second.await.expect("no panic").expect("it ran");
        drop(pool.turn("nobody"));
        assert_eq!(pool.turns.lock().expect("no panic").len(), 1);
    }

    #[tokio::test]
    async fn a_small_job_waits_for_nobody() {
        let pool = Pool {
            room: Arc::new(Semaphore::new(0)),
            turns: Mutex::default(),
        };
        let done = pool.run("any", INLINE, || 7).await;
        assert_eq!(done.expect("it runs"), 7);
    }
}
