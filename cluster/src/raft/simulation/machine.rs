//! The product's state machine, with the checker looking over its shoulder.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use openraft::storage::RaftStateMachine;
use openraft::{Entry, OptionalSend, RaftSnapshotBuilder, Snapshot};

use super::world::Life;
use crate::raft::state_machine::{SnapshotBuilder, StateMachine};
use crate::raft::{
    RaftLogId, RaftMembership, RaftSnapshotMeta, RaftStorageError, Reply, SnapshotFile, TypeConfig,
};

/// The state machine of one start of a member.
#[derive(Debug)]
pub(super) struct WatchedMachine {
    life: Life,
    inner: StateMachine,
}

impl WatchedMachine {
    pub(super) fn new(life: Life, inner: StateMachine) -> Self {
        let state = inner.state();
        let applied = state.applied.0;
        let elapsed = life.world.elapsed();
        let mut world = life.world.lock();
        world.checker.time.started(life.member, elapsed);
        world.checker.started(life.member, applied, state);
        drop(world);
        Self { life, inner }
    }
}

impl RaftStateMachine<TypeConfig> for WatchedMachine {
    type SnapshotBuilder = WatchedBuilder;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<RaftLogId>, RaftMembership), RaftStorageError> {
        self.inner.applied_state().await
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Reply>, RaftStorageError>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut replies = Vec::new();
        let entries: Vec<_> = entries.into_iter().collect();
        if self.life.world.chance(10) {
            self.life.world.pause(1..40).await;
        }
        for entry in entries {
            let applied = AssertUnwindSafe(self.inner.apply([entry.clone()]));
            let Ok(applied) = applied.catch_unwind().await else {
                let mut world = self.life.world.lock();
                world.checker.violate(format!("{entry} cannot be applied"));
                drop(world);
                return Ok(replies);
            };
            let reply = applied?.remove(0);
            if self.life.is_current() {
                let elapsed = self.life.world.elapsed();
                let mut world = self.life.world.lock();
                let member = self.life.member;
                let state = self.inner.state();
                world.checker.applied(member, &entry, &reply, state);
                let term = entry.log_id.leader_id.term;
                let kept = world.checker.time.applied(term, elapsed, state);
                world.checker.expect(kept);
            }
            replies.push(reply);
        }
        Ok(replies)
    }

    async fn get_snapshot_builder(&mut self) -> WatchedBuilder {
        let inner = self.inner.get_snapshot_builder().await;
        let mut world = self.life.world.lock();
        world.checker.counts.builds += 1;
        *world.building.entry(self.life.key()).or_default() += 1;
        drop(world);
        WatchedBuilder {
            life: self.life.clone(),
            inner,
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<SnapshotFile>, RaftStorageError> {
        self.inner.begin_receiving_snapshot().await
    }

    async fn install_snapshot(
        &mut self,
        meta: &RaftSnapshotMeta,
        snapshot: Box<SnapshotFile>,
    ) -> Result<(), RaftStorageError> {
        let is_beside_build = self.life.world.lock().building.get(&self.life.key()) > Some(&0);
        self.inner.install_snapshot(meta, snapshot).await?;
        if self.life.is_current() {
            let mut world = self.life.world.lock();
            world.checker.counts.installs_beside_builds += u64::from(is_beside_build);
            let state = self.inner.state();
            world
                .checker
                .installed(self.life.member, state.applied.0, state);
        }
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<Snapshot<TypeConfig>>, RaftStorageError> {
        self.inner.get_current_snapshot().await
    }
}

/// A builder that is known to be at work.
#[derive(Debug)]
pub(super) struct WatchedBuilder {
    life: Life,
    inner: SnapshotBuilder,
}

impl RaftSnapshotBuilder<TypeConfig> for WatchedBuilder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, RaftStorageError> {
        self.inner.build_snapshot().await
    }
}

impl Drop for WatchedBuilder {
    fn drop(&mut self) {
        let mut world = self.life.world.lock();
        if let Some(count) = world.building.get_mut(&self.life.key()) {
            *count -= 1;
        }
    }
}
