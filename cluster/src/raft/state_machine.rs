//! The bridge from openraft's apply loop to [`State::apply`], and from there to everyone who
//! reads applied state. It decides nothing.

use std::sync::Arc;
use std::time::Duration;

use openraft::storage::RaftStateMachine;
use openraft::{Entry, EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot};
use tokio::sync::watch;

use super::log_store::LogVolume;
use super::snapshot::{Snapshots, StoredSnapshot};
use super::snapshot_file::SnapshotFile;
use super::{
    RaftIoError, RaftLogId, RaftMembership, RaftSnapshotMeta, RaftStorageError, Reply, StoreError,
    TypeConfig,
};
use crate::command::Command;
use crate::model::{Level, LogIndex};
use crate::state::State;

/// Applied state as readers get it, published after every batch of applied entries.
#[derive(Debug)]
pub(super) struct Published {
    state: watch::Sender<Arc<State>>,
    applied: watch::Sender<LogIndex>,
}

impl Published {
    /// Nothing applied yet.
    pub(super) fn new() -> (Self, watch::Receiver<Arc<State>>, watch::Receiver<LogIndex>) {
        let (state, state_reader) = watch::channel(Arc::new(State::default()));
        let (applied, applied_reader) = watch::channel(LogIndex(0));
        (Self { state, applied }, state_reader, applied_reader)
    }

    /// The state first: a reader woken by the index finds a state that includes it.
    fn publish(&self, state: &State) {
        self.state.send_replace(Arc::new(state.clone()));
        self.applied.send_replace(state.applied);
    }
}

/// The replicated state and how far it has come.
#[derive(Debug)]
pub(super) struct StateMachine {
    state: State,
    last_applied: Option<RaftLogId>,
    membership: RaftMembership,
    published: Published,
    snapshots: Snapshots,
    volume: LogVolume,
}

impl StateMachine {
    /// Starts from the snapshot that counts, if there is one; the log brings it up to date.
    pub(super) fn open(
        snapshots: Snapshots,
        stored: Option<StoredSnapshot>,
        volume: LogVolume,
        published: Published,
    ) -> Self {
        let mut machine = Self {
            state: State::default(),
            last_applied: None,
            membership: RaftMembership::default(),
            published,
            snapshots,
            volume,
        };
        if let Some(StoredSnapshot { meta, state }) = stored {
            machine.restore(&meta, state);
        }
        machine
    }

    /// How much of the log may be purged.
    pub(super) fn covered(&self) -> watch::Receiver<Option<RaftLogId>> {
        self.snapshots.covered()
    }

    /// The applied state.
    #[cfg(test)]
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, meta: &RaftSnapshotMeta, state: State) {
        self.state = state;
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.published.publish(&self.state);
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<RaftLogId>, RaftMembership), RaftStorageError> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Reply>, RaftStorageError>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut replies = Vec::new();
        for entry in entries {
            let index = LogIndex(entry.log_id.index);
            self.last_applied = Some(entry.log_id);
            if let Some(level) = unknown_level(&entry.payload) {
                return Err(RaftIoError::apply(entry.log_id, &level).into());
            }
            let outcome = match entry.payload {
                EntryPayload::Normal(stamped) => Some(self.state.apply(index, stamped)),
                EntryPayload::Blank => None,
                EntryPayload::Membership(membership) => {
                    self.membership = RaftMembership::new(Some(entry.log_id), membership);
                    None
                }
            };
            self.state.advance(index);
            replies.push(Reply(outcome));
        }
        self.published.publish(&self.state);
        Ok(replies)
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        self.volume.reset();
        let index = self.last_applied.map_or(0, |log_id| log_id.index);
        let term = self.last_applied.map_or(0, |log_id| log_id.leader_id.term);
        let meta = RaftSnapshotMeta {
            last_log_id: self.last_applied,
            last_membership: self.membership.clone(),
            snapshot_id: format!("{term}-{index}"),
        };
        SnapshotBuilder {
            state: self.state.clone(),
            meta,
            snapshots: self.snapshots.clone(),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<SnapshotFile>, RaftStorageError> {
        let file = self
            .snapshots
            .receive()
            .await
            .map_err(|error| RaftIoError::write_snapshot(None, &error))?;
        Ok(Box::new(file))
    }

    async fn install_snapshot(
        &mut self,
        meta: &RaftSnapshotMeta,
        snapshot: Box<SnapshotFile>,
    ) -> Result<(), RaftStorageError> {
        // Raft asks for none that is not ahead of what is applied, which never goes back.
        if self.last_applied.is_some() && meta.last_log_id <= self.last_applied {
            tracing::warn!(snapshot = %meta.snapshot_id, "snapshot to install is not ahead");
            return Ok(());
        }
        let state = self
            .snapshots
            .install(meta.clone(), *snapshot)
            .await
            .map_err(|error| RaftIoError::write_snapshot(Some(meta.signature()), &error))?;
        self.restore(meta, state);
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<Snapshot<TypeConfig>>, RaftStorageError> {
        let current = self
            .snapshots
            .current()
            .await
            .map_err(|error| RaftIoError::read_snapshot(None, &error))?;
        Ok(current.map(|(meta, file)| Snapshot {
            meta,
            snapshot: Box::new(file),
        }))
    }
}

/// Between two tries of a first snapshot on a full disk.
const FULL_PAUSE: Duration = Duration::from_secs(5);

/// The log goes on in a way that this build cannot follow.
#[derive(Debug, thiserror::Error)]
#[error(
    "the cluster was raised to level {}, and this build knows levels up to {}: start a newer one",
    .0.0, Level::NEWEST.0
)]
struct UnknownLevel(Level);

fn unknown_level(payload: &EntryPayload<TypeConfig>) -> Option<UnknownLevel> {
    match payload {
        EntryPayload::Normal(stamped) => match stamped.command {
            Command::RaiseLevel(level) if level > Level::NEWEST => Some(UnknownLevel(level)),
            _ => None,
        },
        EntryPayload::Blank | EntryPayload::Membership(_) => None,
    }
}

/// A copy of the state at one index, to be written while `apply` goes on.
#[derive(Debug)]
pub(super) struct SnapshotBuilder {
    state: State,
    meta: RaftSnapshotMeta,
    snapshots: Snapshots,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    /// Gives the snapshot that counts in the end: a newer one, if one was installed while this
    /// was built; the former one, if the disk is full. openraft takes its meta alone, and passes
    /// over one that it has. Without any, waits for space: an error would end the process.
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, RaftStorageError> {
        let signature = self.meta.signature();
        let write =
            |error: StoreError| RaftIoError::write_snapshot(Some(signature.clone()), &error);
        loop {
            let saved = self.snapshots.save(self.meta.clone(), self.state.clone());
            match saved.await {
                Err(error) if error.is_full() => {
                    tracing::error!(%error, "the disk is full: no snapshot is taken");
                }
                saved => saved.map_err(write)?,
            }
            let current = self.snapshots.current().await.map_err(write)?;
            if let Some((meta, file)) = current {
                return Ok(Snapshot {
                    meta,
                    snapshot: Box::new(file),
                });
            }
            tokio::time::sleep(FULL_PAUSE).await;
        }
    }
}
