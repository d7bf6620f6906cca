//! From when on a source must have been used for an active job to need it.
//!
//! The store dates the last use of an object by its own clock, which may differ from this
//! machine's. So its dates are compared with its dates alone: in every round an object of its
//! own, the marker, is touched, and what a job uses that was not there in one round is dated
//! after that round's mark. A job that was there in the first round may need anything.

use std::collections::BTreeMap;
use std::time::Instant;

use cluster::model::{JobId, LogTime, ObjectKey};

use crate::store::{ObjectStore, StoreError, keys};

/// A moment: by the store's clock, and by this process's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// As the store dates uses.
    pub(super) store: LogTime,
    /// For uses of this process. `None`: before it began.
    pub(super) here: Option<Instant>,
}

/// Before everything.
const ALWAYS: Mark = Mark {
    store: LogTime(0),
    here: None,
};

impl Mark {
    fn earlier(self, other: Self) -> Self {
        Self {
            store: self.store.min(other.store),
            here: self.here.min(other.here),
        }
    }
}

/// The marks of active jobs.
#[derive(Debug, Default)]
pub(super) struct SourceMarks {
    last: Option<Mark>,
    jobs: BTreeMap<JobId, Mark>,
}

impl SourceMarks {
    /// Takes the mark of a round. Call it before the jobs of that round are read.
    pub(super) async fn take(&self, store: &dyn ObjectStore) -> Mark {
        let here = Some(Instant::now());
        match marker(store).await {
            Ok(store) => Mark { store, here },
            Err(error) => {
                tracing::debug!(%error, "the store's time was not read");
                self.last.unwrap_or(ALWAYS)
            }
        }
    }

    /// From when on a source is needed, in a round with this mark and these active jobs.
    pub(super) fn needed_from(&mut self, mark: Mark, active: impl Iterator<Item = JobId>) -> Mark {
        let since = self.last.unwrap_or(ALWAYS);
        self.jobs = active
            .map(|id| (id, self.jobs.get(&id).copied().unwrap_or(since)))
            .collect();
        self.last = Some(mark);
        self.jobs.values().copied().fold(mark, Mark::earlier)
    }
}

/// The store's current time.
async fn marker(store: &dyn ObjectStore) -> Result<LogTime, StoreError> {
    let key: ObjectKey = keys::marker();
    if store.head(&key).await?.is_none() {
        store
            .put(key.clone(), bytes::Bytes::from_static(b"marker"))
            .await?;
    }
    store.touch(&key).await?;
    let listed = store.list(keys::MARKERS).await?;
    let found = listed.into_iter().find(|listed| listed.key == key);
    found
        .map(|listed| listed.used_at)
        .ok_or(StoreError::NotFound(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(store: u64) -> Mark {
        Mark {
            store: LogTime(store),
            here: None,
        }
    }

    #[test]
    fn a_job_needs_what_was_used_since_the_round_before_it_came() {
        let mut marks = SourceMarks::default();
        let mut round = |store, jobs: &[u128]| {
            let jobs = jobs.iter().map(|id| JobId(*id));
            marks.needed_from(mark(store), jobs).store.0
        };
        assert_eq!(round(100, &[1]), 0, "it was there when this process began");
        assert_eq!(round(200, &[1, 2]), 0);
        assert_eq!(round(300, &[2, 3]), 100, "2 came after the first round");
        assert_eq!(round(400, &[3]), 200);
        assert_eq!(round(500, &[]), 500);
        assert_eq!(round(600, &[4]), 500);
    }

    #[tokio::test]
    async fn the_store_dates_the_mark() {
        let directory = tempfile::tempdir().unwrap();
        let store = crate::store::LocalStore::open(directory.path()).unwrap();
        let marks = SourceMarks::default();
        let first = marks.take(&store).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let second = marks.take(&store).await;
        assert!(first.store > LogTime(0) && first.store < second.store);
        assert!(first.here < second.here);
    }
}
