//! One member of the raft group: its storage, its core, and how to talk to both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::error::{CheckIsLeaderError, ClientWriteError, Fatal, RaftError};
use openraft::{BasicNode, Config, ServerState, SnapshotPolicy};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::covered_log::CoveredLog;
use super::disk::Disk;
use super::log_store::{LogStore, LogVolume};
use super::snapshot::{Records, Snapshots};
use super::state_machine::{Published, StateMachine};
use super::writer::SNAPSHOT;
use super::{Peers, Raft, RaftMetrics, Reserve, Router, StoreError, leadership};
use crate::command::{Outcome, Stamped};
use crate::coordinator::{
    Error, Leadership, MachineClock, Member as GroupMember, ProposeError, RaftRole, RaftStatus,
    ReadError, Voter,
};
use crate::model::{LogIndex, NodeId};
use crate::state::State;

/// How often a leader sends heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// A follower that gets no heartbeat for a time between these asks for votes.
const ELECTION_MIN: Duration = Duration::from_secs(1);
const ELECTION_MAX: Duration = Duration::from_secs(2);
/// One snapshot chunk, sent and installed.
const INSTALL_SNAPSHOT: Duration = Duration::from_secs(10);
/// A proposal that is not applied within this is unknown to its proposer.
const CLIENT_WRITE: Duration = Duration::from_secs(3);
/// A read whose leadership is not confirmed within this is refused.
const READ_BARRIER: Duration = Duration::from_secs(2);
/// A founder of a cluster of one leads within this, or something is badly wrong.
const FIRST_LEADERSHIP: Duration = Duration::from_secs(10);
/// The member's tasks let go of its log within this after a stop.
const RELEASE: Duration = Duration::from_secs(5);

/// Entries, and bytes of entries, after which a snapshot is taken.
const SNAPSHOT_ENTRIES: u64 = 20_000;
const SNAPSHOT_BYTES: u64 = 64 * 1024 * 1024;

/// What a member is started with.
#[derive(Debug)]
pub(crate) struct MemberOptions {
    pub(crate) id: NodeId,
    pub(crate) cluster_id: String,
    pub(crate) advertise: String,
    /// Holds the log and the snapshots.
    pub(crate) directory: PathBuf,
    /// The machine's clocks, used while this member leads.
    pub(crate) clock: Arc<dyn MachineClock>,
    /// What the log grows on when the disk is full.
    pub(crate) reserve: Arc<Reserve>,
}

/// A running member.
pub(crate) struct Member {
    id: NodeId,
    cluster_id: String,
    raft: Raft,
    peers: Peers,
    state: watch::Receiver<Arc<State>>,
    applied: watch::Receiver<LogIndex>,
    leadership: watch::Receiver<Leadership>,
    log: Mutex<Option<LogStore>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What a running member is made of.
pub(super) struct Parts {
    pub(super) id: NodeId,
    pub(super) cluster_id: String,
    pub(super) raft: Raft,
    pub(super) peers: Peers,
    pub(super) state: watch::Receiver<Arc<State>>,
    pub(super) applied: watch::Receiver<LogIndex>,
    /// Of the log: decides when a snapshot is taken.
    pub(super) volume: LogVolume,
    /// To be closed when the member stops.
    pub(super) log: Option<LogStore>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Opens the storage of a member: its log, and the state as far as its snapshot goes.
pub(super) fn open_storage(
    directory: &Path,
    reserve: &Arc<Reserve>,
    published: Published,
    disk: Disk,
) -> Result<(LogStore, StateMachine), StoreError> {
    let log = LogStore::open(&directory.join("log.redb"), reserve)?;
    let (snapshots, stored) = Snapshots::open(
        directory.join("snapshots"),
        log.get(SNAPSHOT)?,
        Records::Log(Arc::clone(log.writer())),
        disk,
    )?;
    let machine = StateMachine::open(snapshots, stored, log.volume().clone(), published);
    Ok((log, machine))
}

impl Member {
    /// Opens the storage and starts the core. A pristine member founds a cluster of itself;
    /// the only voter of one stands for election at once.
    pub(crate) async fn start(options: MemberOptions, router: Router) -> Result<Self, Error> {
        let (published, state, applied) = Published::new();
        let storage = |error: StoreError| Error::Storage {
            reason: error.to_string(),
        };
        let (log, machine) = open_storage(
            &options.directory,
            &options.reserve,
            published,
            Disk::default(),
        )
        .map_err(storage)?;
        let raft = Raft::new(
            options.id.0,
            Arc::new(configuration(&options.cluster_id)?),
            router.clone(),
            CoveredLog::new(log.clone(), machine.covered()),
            machine,
        )
        .await
        .map_err(raft_error)?;
        router.connect(options.id.0, raft.clone(), options.clock);
        let member = Self::assemble(Parts {
            id: options.id,
            cluster_id: options.cluster_id,
            raft,
            peers: Peers::InProcess(router),
            state,
            applied,
            volume: log.volume().clone(),
            log: Some(log),
        });
        member.found_or_stand(&options.advertise).await?;
        Ok(member)
    }

    /// A member of a core that runs, and what follows that.
    pub(super) fn assemble(parts: Parts) -> Self {
        let Parts {
            id,
            cluster_id,
            raft,
            peers,
            state,
            applied,
            volume,
            log,
        } = parts;
        let (leadership_sender, leadership) = watch::channel(Leadership::Other);
        let tasks = vec![
            tokio::spawn(leadership::follow(raft.metrics(), leadership_sender)),
            tokio::spawn(snapshot_by_volume(raft.clone(), applied.clone(), volume)),
        ];
        Self {
            id,
            cluster_id,
            raft,
            peers,
            state,
            applied,
            leadership,
            log: Mutex::new(log),
            tasks: Mutex::new(tasks),
        }
    }

    async fn found_or_stand(&self, advertise: &str) -> Result<(), Error> {
        if !self.raft.is_initialized().await.map_err(raft_error)? {
            let founders = BTreeMap::from([(self.id.0, BasicNode::new(advertise))]);
            self.raft.initialize(founders).await.map_err(raft_error)?;
        } else {
            let (is_sole, is_leader) = {
                let metrics = self.raft.metrics();
                let metrics = metrics.borrow();
                let voters: Vec<u64> = metrics.membership_config.voter_ids().collect();
                (voters == [self.id.0], metrics.state == ServerState::Leader)
            };
            if !is_sole {
                return Ok(());
            }
            // No other member can lead, so there is nothing to wait for.
            if !is_leader {
                self.raft.trigger().elect().await.map_err(raft_error)?;
            }
        }
        let mut leadership = self.leadership.clone();
        let leads = leadership.wait_for(|now| matches!(now, Leadership::Leader { .. }));
        match timeout(FIRST_LEADERSHIP, leads).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(raft_error("the core ended while starting")),
            Err(_) => Err(raft_error("the only voter did not become leader")),
        }
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.state.borrow().clone()
    }

    pub(crate) fn applied(&self) -> watch::Receiver<LogIndex> {
        self.applied.clone()
    }

    pub(crate) fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Commits and applies an entry.
    pub(crate) async fn propose(&self, stamped: Stamped) -> Result<Outcome, ProposeError> {
        if self.raft.metrics().borrow().running_state.is_err() {
            return Err(ProposeError::Stopped);
        }
        match timeout(CLIENT_WRITE, self.raft.client_write(stamped)).await {
            Ok(Ok(response)) => response.data.0.ok_or(ProposeError::Unknown),
            // Refused before it was appended, or removed from the log by another leader.
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => {
                Err(ProposeError::NoLeader)
            }
            // It may be in the log, so the next leader may commit it.
            Ok(Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(_))))
            | Ok(Err(RaftError::Fatal(_)))
            | Err(_) => Err(ProposeError::Unknown),
        }
    }

    /// Confirms leadership and waits until everything committed before that is applied.
    pub(crate) async fn confirm(&self) -> Result<(), ReadError> {
        let confirmed = async {
            self.raft
                .ensure_linearizable()
                .await
                .map_err(|error| match error {
                    RaftError::APIError(CheckIsLeaderError::ForwardToLeader(_)) => {
                        ReadError::NoLeader
                    }
                    RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_)) => {
                        ReadError::Timeout
                    }
                    RaftError::Fatal(_) => ReadError::Stopped,
                })?;
            // openraft lets a leader that was restarted lead on in its term, with the commits
            // that it had noted: fewer, perhaps, than it had acknowledged. All of them are in
            // its log, and it leads by our count once it has applied that.
            let mut leadership = self.leadership.clone();
            let leads = leadership.wait_for(|now| matches!(now, Leadership::Leader { .. }));
            leads.await.map(drop).map_err(|_| ReadError::Stopped)
        };
        timeout(READ_BARRIER, confirmed)
            .await
            .unwrap_or(Err(ReadError::Timeout))
    }

    /// Takes a snapshot now, whatever the log's size.
    #[cfg(test)]
    pub(crate) async fn snapshot(&self) -> Result<(), Error> {
        self.raft.trigger().snapshot().await.map_err(raft_error)?;
        let applied = self.raft.metrics().borrow().last_applied;
        self.raft
            .wait(Some(Duration::from_secs(10)))
            .metrics(|metrics| metrics.snapshot >= applied, "snapshot")
            .await
            .map(|_| ())
            .map_err(raft_error)
    }

    /// Lets the next write to the log fail as on a broken disk.
    #[cfg(test)]
    pub(crate) fn break_disk(&self) {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.as_ref().expect("the member runs").break_disk();
    }

    /// The voters of the group, as far as they answer.
    pub(crate) async fn voters(&self) -> Vec<Voter> {
        let ids: Vec<u64> = {
            let receiver = self.raft.metrics();
            let metrics = receiver.borrow();
            metrics.membership_config.voter_ids().collect()
        };
        let mut voters = Vec::new();
        for id in ids {
            voters.push(self.peers.voter(id).await);
        }
        voters
    }

    pub(crate) fn status(&self) -> RaftStatus {
        let receiver = self.raft.metrics();
        let metrics = receiver.borrow();
        let membership = metrics.membership_config.membership();
        let voters: Vec<u64> = membership.voter_ids().collect();
        let (voting, learning) = membership
            .nodes()
            .map(|(id, node)| self.describe(&metrics, *id, node))
            .partition(|member| voters.contains(&member.id.0));
        RaftStatus {
            node_id: self.id,
            cluster_id: self.cluster_id.clone(),
            state: role(metrics.state),
            leader_id: metrics.current_leader.map(NodeId),
            term: metrics.current_term,
            last_log_index: LogIndex(metrics.last_log_index.unwrap_or(0)),
            applied_index: LogIndex(metrics.last_applied.map_or(0, |log_id| log_id.index)),
            voters: voting,
            learners: learning,
        }
    }

    fn describe(&self, metrics: &RaftMetrics, id: u64, node: &BasicNode) -> GroupMember {
        let is_self = id == self.id.0;
        // A follower that has acknowledged any entry since this member leads counts as reachable.
        // Members that do not lead know this only of themselves and of the leader.
        let is_followed = metrics
            .replication
            .as_ref()
            .and_then(|replication| replication.get(&id))
            .is_some_and(Option::is_some);
        GroupMember {
            id: NodeId(id),
            address: node.addr.clone(),
            reachable: is_self || is_followed || metrics.current_leader == Some(id),
        }
    }

    /// Waits until the core has failed for good, and returns the reason; never returns after
    /// a stop.
    pub(crate) async fn failed(&self) -> String {
        let mut metrics = self.raft.metrics();
        loop {
            let running = metrics.borrow_and_update().running_state.clone();
            match running {
                Err(Fatal::Stopped) => std::future::pending().await,
                Err(fatal) => return fatal.to_string(),
                Ok(()) => {}
            }
            if metrics.changed().await.is_err() && metrics.borrow().running_state.is_ok() {
                return "the raft core ended without an error".to_owned();
            }
        }
    }

    /// Stops the core and waits until the log is closed.
    pub(crate) async fn shutdown(&self) {
        self.peers.disconnect(self.id.0);
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "raft core did not stop in order");
        }
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
            // Either it ended or it was aborted: both are what is wanted.
            drop(task.await);
        }
        let log = self
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(log) = log
            && timeout(RELEASE, log.close()).await.is_err()
        {
            tracing::warn!("log is still in use after the stop");
        }
    }
}

fn configuration(cluster: &str) -> Result<Config, Error> {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Config {
        cluster_name: cluster.to_owned(),
        heartbeat_interval: millis(HEARTBEAT),
        election_timeout_min: millis(ELECTION_MIN),
        election_timeout_max: millis(ELECTION_MAX),
        install_snapshot_timeout: millis(INSTALL_SNAPSHOT),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_ENTRIES),
        ..Config::default()
    }
    .validate()
    .map_err(raft_error)
}

/// Takes a snapshot when the log has grown by enough bytes since the last one.
async fn snapshot_by_volume(raft: Raft, mut applied: watch::Receiver<LogIndex>, volume: LogVolume) {
    while applied.changed().await.is_ok() {
        if volume.bytes() < SNAPSHOT_BYTES {
            continue;
        }
        volume.reset();
        if raft.trigger().snapshot().await.is_err() {
            return;
        }
    }
}

fn role(state: ServerState) -> RaftRole {
    match state {
        ServerState::Leader => RaftRole::Leader,
        ServerState::Follower => RaftRole::Follower,
        ServerState::Candidate => RaftRole::Candidate,
        ServerState::Learner => RaftRole::Learner,
        ServerState::Shutdown => RaftRole::Shutdown,
    }
}

fn raft_error(error: impl std::fmt::Display) -> Error {
    Error::Raft {
        reason: error.to_string(),
    }
}
