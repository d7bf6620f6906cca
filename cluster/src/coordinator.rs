//! The handle through which the rest of the product proposes commands and reads applied
//! state. It decides nothing about jobs (that is `state`) and names no raft type.

pub(crate) mod clock;
mod error;
mod full;
mod identity;
mod lock;
mod read_barrier;
mod status;
pub(crate) mod upkeep;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use clock::{ClockNote, MachineClock, SystemClock};
pub use error::{Error, ProposeError, ReadError};
pub use identity::Identity;
pub use status::{Leadership, Member, RaftRole, RaftStatus};
pub(crate) use upkeep::Voter;

use crate::State;
use crate::command::{Command, Outcome, Stamped};
use crate::model::{Level, LogIndex, LogTime, NodeId, RanTime};
use crate::raft::{self, MemberOptions, Reserve, Router};
use clock::Clocks;
use lock::DirectoryLock;
pub(crate) use read_barrier::ReadBarrier;

/// How to open a coordinator.
#[derive(Debug, Clone)]
pub struct Options {
    /// Holds the log, snapshots and the identity file; made if it is not there.
    pub data_dir: PathBuf,
    /// Where other members reach this one.
    pub advertise: String,
    /// The id this node must have; none: the one in the data directory, or a fresh one.
    pub node_id: Option<NodeId>,
    /// The machine's clocks.
    pub clock: Arc<dyn MachineClock>,
    /// Takes the wall clock at this start, however far it is from the log's time.
    pub accept_clock: bool,
    /// Bytes of disk space that only the log can use, when everything else is full. On a small
    /// file system it is at most a sixteenth of that.
    pub log_reserve: u64,
}

/// A member of the raft group: cheap to clone, one group member behind all clones.
#[derive(Debug, Clone)]
pub struct Coordinator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: Identity,
    member: Arc<raft::Member>,
    clocks: Arc<Clocks>,
    upkeep: JoinHandle<()>,
    barrier: ReadBarrier,
    reserve: Arc<Reserve>,
    lock: Mutex<Option<DirectoryLock>>,
}

impl Coordinator {
    /// Opens the member kept in `options.data_dir`, founding a cluster of one if it is new.
    /// The only voter of a cluster leads, with all of its log applied, when this returns.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let directory = options.data_dir.join("raft");
        create(&directory)?;
        let lock = DirectoryLock::take(&directory).await?;
        let log = directory.join("log.redb");
        let has_log = log.try_exists().map_err(|source| Error::Io {
            path: log.clone(),
            source,
        })?;
        let identity = identity::establish(&directory.join("identity"), has_log, options.node_id)?;
        let reserve = Arc::new(Reserve::new(&directory, options.log_reserve));
        let member = raft::Member::start(
            MemberOptions {
                id: identity.node_id,
                cluster_id: identity.cluster_id.clone(),
                advertise: options.advertise,
                directory,
                clock: Arc::clone(&options.clock),
                reserve: Arc::clone(&reserve),
            },
            Router::default(),
        )
        .await?;
        let member = Arc::new(member);
        let clocks = Arc::new(Clocks::new(options.clock, options.accept_clock));
        let leadership = member.leadership();
        let leading = *leadership.borrow();
        if let Leadership::Leader { term } = leading
            && member.voters().await.len() == 1
        {
            clocks.start_alone(term, &member.state());
            upkeep::round(&member, &clocks, term).await;
        }
        tracing::info!(
            node = identity.node_id.0,
            cluster = identity.cluster_id,
            applied = member.state().applied.0,
            "coordinator is open"
        );
        Ok(Self {
            inner: Arc::new(Inner {
                identity,
                upkeep: tokio::spawn(upkeep::run(
                    Arc::clone(&member),
                    Arc::clone(&clocks),
                    leadership,
                )),
                clocks,
                barrier: ReadBarrier::start(Arc::clone(&member)),
                member,
                reserve,
                lock: Mutex::new(Some(lock)),
            }),
        })
    }

    /// Whether a process has the member kept in `data_dir` open now.
    pub fn is_open(data_dir: &Path) -> Result<bool, Error> {
        DirectoryLock::is_taken(&data_dir.join("raft"))
    }

    /// Whether a member was ever kept in `data_dir`.
    pub fn is_kept(data_dir: &Path) -> bool {
        data_dir.join("raft").join("log.redb").is_file()
    }

    /// Commits `command` and returns the outcome of applying it. While [`Self::is_disk_full`], only
    /// what ends work or deletes.
    pub async fn propose(&self, command: Command) -> Result<Outcome, ProposeError> {
        if self.is_disk_full() && !full::may_use_reserve(&command) {
            return Err(ProposeError::DiskFull);
        }
        propose(&self.inner.member, &self.inner.clocks, command).await
    }

    /// Log time and running time now: as this process would stamp them if it leads, else
    /// those of its applied state.
    pub fn times(&self) -> (LogTime, RanTime) {
        let state = self.inner.member.state();
        let leadership = *self.inner.member.leadership().borrow();
        match leadership {
            Leadership::Leader { term } => {
                let (now, ran) = self.inner.clocks.stamp(term, &state);
                (now, ran.unwrap_or(RanTime(now.0)).max(state.ran))
            }
            Leadership::Other => (state.now, state.ran),
        }
    }

    /// The wall clock that was not believed at this start, if it was not.
    pub fn clock_note(&self) -> Option<ClockNote> {
        self.inner.clocks.note()
    }

    /// Whether the disk that holds the log is full. Ends once space is freed.
    pub fn is_disk_full(&self) -> bool {
        self.inner.reserve.is_full()
    }

    /// Frees the part of the log's reserve that is a file of its own, for a start that finds no
    /// space. Whether there was one.
    pub fn release_spare(&self) -> bool {
        self.inner.reserve.release_spare()
    }

    /// The applied state of this process: immutable, at most a moment old.
    pub fn state(&self) -> Arc<State> {
        self.inner.member.state()
    }

    /// Applied state that holds everything committed before the call.
    pub async fn read(&self) -> Result<Arc<State>, ReadError> {
        self.inner.barrier.pass().await?;
        Ok(self.state())
    }

    /// Receives the last applied index whenever it changes.
    pub fn applied(&self) -> watch::Receiver<LogIndex> {
        self.inner.member.applied()
    }

    /// Receives whether this process leads, whenever that changes.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.member.leadership()
    }

    /// The group as this node sees it.
    pub fn raft_status(&self) -> RaftStatus {
        self.inner.member.status()
    }

    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// Waits until the member has failed for good and returns the reason; never returns after an
    /// orderly shutdown. The process must then exit.
    pub async fn failed(&self) -> String {
        self.inner.member.failed().await
    }

    /// Stops the member and waits for its last write. The data directory may be opened
    /// again when this returns.
    pub async fn shutdown(&self) {
        self.inner.barrier.stop();
        self.inner.upkeep.abort();
        self.inner.member.shutdown().await;
        let lock = self
            .inner
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(lock);
    }
}

async fn propose(
    member: &raft::Member,
    clocks: &Clocks,
    command: Command,
) -> Result<Outcome, ProposeError> {
    member.propose(stamp(member, clocks, command)).await
}

/// `command` with the cluster's clocks as this process has them.
pub(crate) fn stamp(member: &raft::Member, clocks: &Clocks, command: Command) -> Stamped {
    let state = member.state();
    let leadership = *member.leadership().borrow();
    let (at, ran) = match leadership {
        Leadership::Leader { term } => clocks.stamp(term, &state),
        // If the entry is appended after all, stamps that are already applied move no clock.
        Leadership::Other => (state.now, (state.level > Level(0)).then_some(state.ran)),
    };
    Stamped { at, ran, command }
}

fn create(directory: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(directory).map_err(|source| Error::Io {
        path: directory.to_path_buf(),
        source,
    })
}
