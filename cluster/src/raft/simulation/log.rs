//! A log in memory that knows what a crash would leave of it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard};

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{Entry, LogState, OptionalSend, RaftLogReader};

use super::world::Life;
use crate::raft::{RaftLogId, RaftStorageError, RaftVote, StoreError, TypeConfig};

/// Entries handed out by one read for replication.
const READ_ENTRIES: usize = 8;

/// The log of one start of a member. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::raft) struct SimulatedLog {
    life: Life,
    platter: Arc<Mutex<Platter>>,
}

/// What is on the disk, and what is on its way there.
#[derive(Debug, Default)]
struct Platter {
    durable: Contents,
    /// Writes that were asked for and may or may not outlive a crash; in order.
    in_flight: Vec<(u64, Change)>,
    asked: u64,
    /// Goes to the disk with the next write.
    committed: Option<RaftLogId>,
}

/// What a restart finds.
#[derive(Debug, Default, Clone)]
pub(super) struct Contents {
    vote: Option<RaftVote>,
    committed: Option<RaftLogId>,
    purged: Option<RaftLogId>,
    entries: BTreeMap<u64, Entry<TypeConfig>>,
    /// The record of the snapshot that counts, encoded.
    pub(super) snapshot: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Change {
    Vote(RaftVote),
    Append(Vec<Entry<TypeConfig>>),
    Truncate(u64),
    Purge(RaftLogId),
    Snapshot(Vec<u8>),
}

impl Contents {
    fn change(&mut self, change: Change) {
        match change {
            Change::Vote(vote) => self.vote = Some(vote),
            Change::Append(entries) => self
                .entries
                .extend(entries.into_iter().map(|entry| (entry.log_id.index, entry))),
            Change::Truncate(from) => drop(self.entries.split_off(&from)),
            Change::Purge(upto) => {
                self.entries = self.entries.split_off(&(upto.index + 1));
                self.purged = Some(upto);
            }
            Change::Snapshot(record) => self.snapshot = Some(record),
        }
    }
}

impl Platter {
    /// Makes every write durable that was asked for up to this one.
    fn land(&mut self, upto: u64) {
        let rest = self.in_flight.iter().position(|(number, _)| *number > upto);
        let rest = rest.unwrap_or(self.in_flight.len());
        for (_, change) in self.in_flight.drain(..rest) {
            self.durable.change(change);
            self.durable.committed = self.committed;
        }
    }
}

impl SimulatedLog {
    pub(super) fn open(life: Life, contents: Contents) -> Self {
        let committed = contents.committed;
        Self {
            life,
            platter: Arc::new(Mutex::new(Platter {
                durable: contents,
                committed,
                ..Platter::default()
            })),
        }
    }

    /// What a crash leaves: all that is durable, and of what is not, as much as the seed says.
    pub(super) fn crash(&self) -> Contents {
        let mut platter = self.platter();
        let asked = platter.asked;
        let oldest = platter.in_flight.first().map(|(number, _)| *number);
        if let Some(oldest) = oldest {
            let upto = self.life.world.draw(oldest..asked + 2);
            platter.land(upto.saturating_sub(1));
        }
        platter.durable.clone()
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().expect("nothing panics with it")
    }

    async fn write(&self, change: Change) {
        let number = {
            let mut platter = self.platter();
            platter.asked += 1;
            let number = platter.asked;
            platter.in_flight.push((number, change));
            number
        };
        let world = &self.life.world;
        let millis = if world.chance(3) { 50..400 } else { 0..12 };
        world.pause(millis).await;
        self.platter().land(number);
    }

    /// Makes the record of a snapshot durable.
    pub(in crate::raft) async fn record_snapshot(&self, record: Vec<u8>) -> Result<(), StoreError> {
        self.write(Change::Snapshot(record)).await;
        Ok(())
    }
}

impl RaftLogReader<TypeConfig> for SimulatedLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<TypeConfig>>, RaftStorageError> {
        let platter = self.platter();
        let entries = platter.durable.entries.values();
        Ok(entries
            .filter(|entry| range.contains(&entry.log_id.index))
            .cloned()
            .collect())
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry<TypeConfig>>, RaftStorageError> {
        let mut entries = self.try_get_log_entries(start..end).await?;
        entries.truncate(READ_ENTRIES);
        Ok(entries)
    }
}

impl RaftLogStorage<TypeConfig> for SimulatedLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, RaftStorageError> {
        let platter = self.platter();
        let last = platter.durable.entries.values().next_back();
        Ok(LogState {
            last_purged_log_id: platter.durable.purged,
            last_log_id: last.map(|entry| entry.log_id).or(platter.durable.purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &RaftVote) -> Result<(), RaftStorageError> {
        self.write(Change::Vote(*vote)).await;
        Ok(())
    }

    async fn read_vote(&mut self) -> Result<Option<RaftVote>, RaftStorageError> {
        Ok(self.platter().durable.vote)
    }

    async fn save_committed(
        &mut self,
        committed: Option<RaftLogId>,
    ) -> Result<(), RaftStorageError> {
        self.platter().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<RaftLogId>, RaftStorageError> {
        Ok(self.platter().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), RaftStorageError>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry<TypeConfig>> = entries.into_iter().collect();
        for entry in &entries {
            let leader = &entry.log_id.leader_id;
            let elapsed = self.life.world.elapsed();
            let mut world = self.life.world.lock();
            let time = &mut world.checker.time;
            time.written(leader.term, leader.node_id, elapsed);
        }
        self.write(Change::Append(entries)).await;
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: RaftLogId) -> Result<(), RaftStorageError> {
        self.write(Change::Truncate(log_id.index)).await;
        Ok(())
    }

    async fn purge(&mut self, log_id: RaftLogId) -> Result<(), RaftStorageError> {
        self.write(Change::Purge(log_id)).await;
        Ok(())
    }
}
