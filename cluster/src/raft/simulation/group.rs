//! The three members of a run: starting, crashing and restarting them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openraft::error::Fatal;
use openraft::{BasicNode, Config, ServerState, SnapshotPolicy};
use tempfile::TempDir;
use tokio::task::AbortHandle;

use super::clock::{SimulatedClock, SimulatedVoters};
use super::log::{Contents, SimulatedLog};
use super::machine::WatchedMachine;
use super::network::SimulatedNetwork;
use super::world::{Life, World};
use crate::codec;
use crate::coordinator::clock::Clocks;
use crate::coordinator::{Leadership, ReadBarrier, upkeep};
use crate::model::NodeId;
use crate::raft::Raft;
use crate::raft::covered_log::CoveredLog;
use crate::raft::member::{Member, Parts};
use crate::raft::network::Peers;
use crate::raft::snapshot::{Records, Snapshots};
use crate::raft::state_machine::{Published, StateMachine};

/// The ids of the members.
pub(super) const MEMBERS: std::ops::RangeInclusive<u64> = 1..=3;

/// All members, running or not. Clones share them.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) world: World,
    directory: Arc<TempDir>,
    running: Arc<Mutex<BTreeMap<u64, Running>>>,
    /// What the disk of a member that does not run holds.
    disks: Arc<Mutex<BTreeMap<u64, (Contents, PathBuf)>>>,
    starts: Arc<Mutex<u64>>,
}

/// One start of a member.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) life: Life,
    pub(super) member: Arc<Member>,
    pub(super) barrier: Arc<ReadBarrier>,
    pub(super) raft: Raft,
    pub(super) clocks: Arc<Clocks>,
    upkeep: AbortHandle,
    log: SimulatedLog,
    directory: PathBuf,
}

impl Group {
    /// Three new members that know of one another.
    pub(super) async fn found(world: World) -> Self {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let group = Self {
            world,
            directory: Arc::new(directory.unwrap()),
            running: Arc::default(),
            disks: Arc::default(),
            starts: Arc::default(),
        };
        for id in MEMBERS {
            let directory = group.directory.path().join(id.to_string());
            let disk = (Contents::default(), directory);
            group.disks.lock().unwrap().insert(id, disk);
            group.start(id).await;
        }
        let first = group.running(1).unwrap();
        let founders: BTreeMap<u64, BasicNode> =
            MEMBERS.map(|id| (id, BasicNode::new(id))).collect();
        first.raft.initialize(founders).await.unwrap();
        group
    }

    pub(super) fn running(&self, id: u64) -> Option<Running> {
        self.running.lock().unwrap().get(&id).cloned()
    }

    /// Has a member take a snapshot, if it runs.
    pub(super) async fn snapshot(&self, id: u64) {
        if let Some(running) = self.running(id) {
            // A member that stops meanwhile takes none.
            drop(running.raft.trigger().snapshot().await);
        }
    }

    /// Starts a member from what its disk holds, if it does not run and nobody else does so.
    pub(super) async fn start(&self, id: u64) {
        let disk = self.disks.lock().unwrap().remove(&id);
        let Some((contents, directory)) = disk else {
            return;
        };
        let start = {
            let mut starts = self.starts.lock().unwrap();
            *starts += 1;
            *starts
        };
        if let Err(error) = self.launch(id, start, contents, directory).await {
            let mut world = self.world.lock();
            world
                .checker
                .violate(format!("member {id} cannot start: {error}"));
        }
    }

    async fn launch(
        &self,
        id: u64,
        start: u64,
        contents: Contents,
        directory: PathBuf,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let life = Life {
            world: self.world.clone(),
            member: id,
            start,
        };
        self.world.lock().current.insert(id, start);
        let record = contents
            .snapshot
            .as_deref()
            .map(codec::decode)
            .transpose()?;
        let log = SimulatedLog::open(life.clone(), contents);
        let records = Records::Simulated(log.clone());
        let (snapshots, stored) = Snapshots::open(directory.clone(), record, records, life.disk())?;
        let (published, state, applied) = Published::new();
        let machine = StateMachine::open(snapshots, stored, Default::default(), published);
        let covered = CoveredLog::new(log.clone(), machine.covered());
        let machine = WatchedMachine::new(life.clone(), machine);
        let config = Arc::new(self.config()?);
        let network = SimulatedNetwork(life.clone());
        let raft = Raft::new(id, config, network, covered, machine).await?;
        let member = Arc::new(Member::assemble(Parts {
            id: NodeId(id),
            cluster_id: "simulated".to_owned(),
            raft: raft.clone(),
            peers: Peers::Simulated(SimulatedVoters(life.clone())),
            state,
            applied,
            volume: Default::default(),
            log: None,
        }));
        let barrier = Arc::new(ReadBarrier::start(Arc::clone(&member)));
        let clock = SimulatedClock::new(life.clone());
        let clocks = Arc::new(Clocks::new(Arc::new(clock), false));
        let upkeep = upkeep::run(
            Arc::clone(&member),
            Arc::clone(&clocks),
            member.leadership(),
        );
        let upkeep = tokio::spawn(upkeep).abort_handle();
        let running = Running {
            life,
            member,
            barrier,
            raft: raft.clone(),
            clocks,
            upkeep,
            log,
            directory,
        };
        self.world.lock().reachable.insert(id, (start, raft));
        self.running.lock().unwrap().insert(id, running);
        Ok(())
    }

    /// The product's times, with an election timeout that the seed draws, and a log so short
    /// that snapshots matter.
    fn config(&self) -> Result<Config, openraft::ConfigError> {
        let election_timeout = self.world.draw(1_000..2_000);
        Config {
            cluster_name: "simulated".to_owned(),
            heartbeat_interval: 250,
            election_timeout_min: election_timeout,
            election_timeout_max: election_timeout + 1,
            install_snapshot_timeout: 10_000,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.world.draw(8..30)),
            max_in_snapshot_log_to_keep: self.world.draw(0..6),
            replication_lag_threshold: 30,
            snapshot_max_chunk_size: self.world.draw(512..8_192),
            ..Config::default()
        }
        .validate()
    }

    /// Ends a member as a power cut would: what was not durable may be lost.
    pub(super) fn crash(&self, id: u64) {
        let Some(running) = self.running.lock().unwrap().remove(&id) else {
            return;
        };
        {
            let elapsed = self.world.elapsed();
            let mut world = self.world.lock();
            world.current.remove(&id);
            world.reachable.remove(&id);
            world.checker.crashed(id);
            world.checker.time.crashed(id, elapsed);
        }
        let contents = running.log.crash();
        let directory = self
            .directory
            .path()
            .join(format!("{id}-after-{}", running.life.start));
        self.copy_after_crash(&running.directory, &directory);
        self.disks.lock().unwrap().insert(id, (contents, directory));
        // Whatever it still does reaches nobody and no disk that counts.
        running.barrier.stop();
        running.upkeep.abort();
        drop(tokio::spawn(async move { running.member.shutdown().await }));
    }

    /// Files with temporary names were not synced: any part of them may be there.
    fn copy_after_crash(&self, from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(from)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        for name in names {
            let is_temporary = name.to_string_lossy().ends_with(".tmp");
            let mut bytes = std::fs::read(from.join(&name)).unwrap();
            if is_temporary {
                bytes.truncate(bytes.len() / 2);
            }
            std::fs::write(to.join(name), bytes).unwrap();
        }
    }

    /// Asks every running member how it is.
    pub(super) fn look(&self) {
        let running: Vec<_> = self.running.lock().unwrap().values().cloned().collect();
        for running in running {
            let id = running.life.member;
            let metrics = running.raft.metrics().borrow().clone();
            if let Err(fatal) = &metrics.running_state
                && is_closed_replication(fatal)
            {
                self.world.lock().checker.counts.closed_replications += 1;
                self.crash(id);
                self.restart_later(vec![id]);
                continue;
            }
            let has_panicked = running.raft.metrics().has_changed().is_err();
            let mut world = self.world.lock();
            if let Err(fatal) = &metrics.running_state {
                world
                    .checker
                    .violate(format!("member {id} failed: {fatal}"));
            } else if has_panicked {
                world
                    .checker
                    .violate(format!("the core of member {id} panicked"));
            }
            // In agreement with the metrics: the two are not read at the same moment.
            if let Leadership::Leader { term } = *running.member.leadership().borrow()
                && metrics.state == ServerState::Leader
                && metrics.current_term == term
            {
                world.checker.leads(id, term);
            }
        }
    }

    /// Starts members again, one after the other.
    pub(super) fn restart_later(&self, ids: Vec<u64>) {
        let group = self.clone();
        drop(tokio::spawn(async move {
            for id in ids {
                group.world.pause(50..3_000).await;
                group.start(id).await;
            }
        }));
    }

    /// Whether all members run and have applied the same, at least up to `index`.
    pub(super) fn is_settled(&self, index: u64) -> bool {
        let running = self.running.lock().unwrap();
        let applied: Vec<u64> = running
            .values()
            .map(|running| running.member.state().applied.0)
            .collect();
        applied.len() == 3 && applied.iter().all(|at| *at == applied[0] && *at >= index)
    }

    /// How every running member sees the group.
    pub(super) fn status(&self) -> Vec<String> {
        let running = self.running.lock().unwrap();
        let metrics = running
            .values()
            .map(|running| running.raft.metrics().borrow().to_string());
        metrics.collect()
    }

    /// Stops every member.
    pub(super) async fn stop(&self) {
        let running = std::mem::take(&mut *self.running.lock().unwrap());
        for running in running.into_values() {
            running.barrier.stop();
            running.upkeep.abort();
            let stopped = running.member.shutdown();
            drop(tokio::time::timeout(Duration::from_secs(60), stopped).await);
        }
    }
}

/// Whether openraft 0.9 ended its core over a replication that had ended on its own. When a
/// follower answers a heartbeat with a higher vote, the leader's replication to it ends and
/// tells the core so in a message. Until the core has read that, perhaps after a write to the
/// disk, it takes the follower for one that it sends to. Log entries for it go nowhere, as
/// they may; but if it needs a snapshot, openraft takes the closed channel for an error of the
/// storage. A process that ends is started again, so this is a crash at a moment at which the
/// member was about to stop leading. No network or storage of ours can tell that it is coming.
fn is_closed_replication(fatal: &Fatal<u64>) -> bool {
    matches!(fatal, Fatal::StorageError(_))
        && fatal.to_string().contains("when Read Snapshot(None)")
        && fatal.to_string().contains("replication channel closed")
}
