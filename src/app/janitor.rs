//! Removes what retention no longer keeps: files of ended renders, old renders, idempotency
//! rows, fetched sources beyond the cache's room, and orphaned files. Runs on the leader;
//! a lost round is made up for by the next.
//!
//! It deletes files only by facts that stay true after a change of leader: a job that has ended
//! and is old, an id that is unknown behind a read barrier and old, a source that no job can have
//! used.

mod relief;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use actors::ports::{Clock, Coordinator, Leadership};
use cluster::command::{Command, Retention};
use cluster::model::{JobId, LogTime, ObjectKey};
use cluster::state::Job;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::orphans::{Barrier, Orphans};
use super::source_marks::{Mark, SourceMarks};
use crate::settings::Settings;
use crate::store::fetch::{Fetcher, Needs};
use crate::store::{ObjectStore, StoreError, keys};

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(60);

/// Longest time between two sweeps for orphans: each lists every job's directory.
const ORPHANS_EVERY: Duration = Duration::from_secs(3600);

/// How long an idempotency key is remembered (API.md §3).
const IDEMPOTENCY: Duration = Duration::from_secs(24 * 3600);

/// Cleans up.
pub(super) struct Janitor {
    coordinator: Arc<dyn Coordinator>,
    clock: Arc<dyn Clock>,
    store: Arc<dyn ObjectStore>,
    fetcher: Arc<Fetcher>,
    barrier: Arc<dyn Barrier>,
    orphans: Orphans,
    /// When orphans were last looked for.
    swept: Option<Instant>,
    marks: SourceMarks,
    jobs: Duration,
    attempt_files: Duration,
    artifacts: Duration,
    source_bytes: u64,
    /// Jobs whose attempt files are gone already.
    cleaned: std::collections::BTreeSet<JobId>,
    /// Ended jobs whose working files were removed since the disk became full.
    relieved: std::collections::BTreeSet<JobId>,
    /// Jobs whose finished files are gone already.
    emptied: std::collections::BTreeSet<JobId>,
}

impl Janitor {
    pub(super) fn new(
        coordinator: Arc<dyn Coordinator>,
        clock: Arc<dyn Clock>,
        store: Arc<dyn ObjectStore>,
        fetcher: Arc<Fetcher>,
        barrier: Arc<dyn Barrier>,
        settings: &Settings,
    ) -> Self {
        let orphans = Orphans {
            store: Arc::clone(&store),
            barrier: Arc::clone(&barrier),
            age: settings.retention.orphans,
        };
        Self {
            coordinator,
            clock,
            store,
            fetcher,
            barrier,
            orphans,
            swept: None,
            marks: SourceMarks::default(),
            jobs: settings.retention.jobs,
            attempt_files: settings.retention.attempt_files,
            artifacts: settings.retention.artifacts,
            source_bytes: settings.cache.max_bytes.as_u64(),
            cleaned: std::collections::BTreeSet::new(),
            relieved: std::collections::BTreeSet::new(),
            emptied: std::collections::BTreeSet::new(),
        }
    }

    async fn round(&mut self) -> Result<(), StoreError> {
        if !self.leads() {
            return Ok(());
        }
        // Each goes on for itself: what is in the way of one must not keep the disk full.
        let kept = self.retain().await;
        let trimmed = self.trim_sources().await;
        let swept = self.sweep_orphans().await;
        kept.and(trimmed).and(swept)
    }

    fn leads(&self) -> bool {
        let leadership = self.coordinator.leadership();
        matches!(*leadership.borrow(), Leadership::Leader { .. })
    }

    async fn sweep_orphans(&mut self) -> Result<(), StoreError> {
        let every = self.orphans.age.min(ORPHANS_EVERY);
        if self.swept.is_some_and(|at| at.elapsed() < every) {
            return Ok(());
        }
        self.orphans.sweep().await?;
        self.swept = Some(Instant::now());
        Ok(())
    }

    async fn retain(&mut self) -> Result<(), StoreError> {
        let now = self.clock.log_time();
        let state = self.coordinator.state();
        let due = before(now, self.attempt_files);
        for job in state.jobs.values().filter(|job| ended_before(job, due)) {
            if !self.cleaned.contains(&job.id) {
                self.remove_attempt_files(job).await?;
                self.cleaned.insert(job.id);
            }
        }
        let due = before(now, self.artifacts);
        for job in state.jobs.values().filter(|job| ended_before(job, due)) {
            if !self.emptied.contains(&job.id) {
                self.remove_finished_files(job).await?;
                self.emptied.insert(job.id);
            }
        }
        let jobs_before = before(now, self.jobs);
        let expired: Vec<JobId> = state
            .jobs
            .values()
            .filter(|job| ended_before(job, jobs_before))
            .map(|job| job.id)
            .collect();
        // The rows go first: a row without its files could be asked for, files without a
        // row are only removed twice. What is too old is decided where it is applied.
        let retain = Command::Retain(Retention {
            idempotency: millis(IDEMPOTENCY),
            jobs: millis(self.jobs),
            ..Retention::NONE
        });
        let has_old_keys = state
            .idempotency
            .values()
            .any(|(_, _, at)| *at < before(now, IDEMPOTENCY));
        if has_old_keys || !expired.is_empty() {
            if let Err(error) = self.coordinator.propose(retain).await {
                tracing::debug!(%error, "retention was not committed");
                return Ok(());
            }
            let state = self.coordinator.state();
            for job in expired {
                if state.jobs.contains_key(&job) {
                    continue;
                }
                self.store.delete_prefix(&keys::job_prefix(job)).await?;
                self.cleaned.remove(&job);
                self.emptied.remove(&job);
            }
        }
        Ok(())
    }

    async fn remove_attempt_files(&self, job: &Job) -> Result<(), StoreError> {
        for prefix in keys::intermediate_prefixes(job.id, job.segment_count) {
            self.store.delete_prefix(&prefix).await?;
        }
        // Joins whose report came too late. An ended job's artifact never changes.
        let is_named = |key: &ObjectKey| {
            let artifact = job.artifact.iter();
            let named = artifact.flat_map(|artifact| {
                std::iter::once(&artifact.object).chain(artifact.thumbnail.as_ref())
            });
            named.into_iter().any(|object| object.key == *key)
        };
        for left in self.store.list(&keys::join_prefix(job.id)).await? {
            if !is_named(&left.key) {
                self.store.delete(&left.key).await?;
            }
        }
        let findings = job.findings.as_ref().map(|findings| &findings.key);
        for left in self.store.list(&keys::findings_prefix(job.id)).await? {
            if findings != Some(&left.key) {
                self.store.delete(&left.key).await?;
            }
        }
        Ok(())
    }

    /// What clients were given links to. The edge gives none any more by the same reckoning.
    async fn remove_finished_files(&self, job: &Job) -> Result<(), StoreError> {
        let Some(artifact) = &job.artifact else {
            return Ok(());
        };
        self.store.delete(&artifact.object.key).await?;
        if let Some(thumbnail) = &artifact.thumbnail {
            self.store.delete(&thumbnail.key).await?;
        }
        Ok(())
    }

    /// A source that an active job may have used stays. So do those of uploads and imports, for
    /// as long as these are kept.
    async fn trim_sources(&mut self) -> Result<(), StoreError> {
        let mark = self.marks.take(&*self.store).await;
        // So that every job of another leader's time is seen.
        if let Err(error) = self.barrier.read().await {
            tracing::debug!(%error, "sources are left for another round");
            return Ok(());
        }
        let (marks, coordinator) = (&mut self.marks, &self.coordinator);
        let needs = || {
            let state = coordinator.state();
            let Mark { store, here } = marks.needed_from(mark, state.active.keys().copied());
            let ingested = state.assets.values().filter_map(|a| a.ingested.as_ref());
            Needs {
                used_from: store,
                used_here_from: here,
                named: ingested.map(|taken| taken.object.key.clone()).collect(),
            }
        };
        self.fetcher.trim(self.source_bytes, needs).await
    }
}

/// Cleans until `stop` is cancelled.
pub(super) async fn run(mut janitor: Janitor, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(ROUND);
    let mut reliefs = tokio::time::interval(relief::ROUND);
    reliefs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let cleaned = tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => janitor.round().await,
            _ = reliefs.tick() => janitor.relieve().await,
        };
        if let Err(error) = cleaned {
            tracing::warn!(%error, "clean-up met a problem");
        }
    }
}

fn before(now: LogTime, age: Duration) -> LogTime {
    now.minus_millis(millis(age))
}

/// An age as commands carry it.
pub(super) fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

fn ended_before(job: &Job, time: LogTime) -> bool {
    job.finished_at.is_some_and(|finished| finished < time)
}
