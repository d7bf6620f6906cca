//! The one thread that writes to redb. Appends, votes, truncates, purges and records go into
//! it in arrival order; what has gathered while the last transaction was being made durable
//! becomes the next one, with one fsync.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use openraft::storage::LogFlushed;
use redb::{Database, Durability, TableDefinition};
use tokio::sync::oneshot;

use super::reserve::Reserve;
use super::{StoreError, TypeConfig};

/// Log entries by index, encoded.
pub(super) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

/// Single values, encoded, by the names below.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// The vote.
pub(super) const VOTE: &str = "vote";
/// The last log id known to be committed.
pub(super) const COMMITTED: &str = "committed";
/// The last log id that was purged.
pub(super) const PURGED: &str = "purged";
/// Which snapshot file counts.
pub(super) const SNAPSHOT: &str = "snapshot";

/// Most writes that share a transaction, so that none waits long for its own.
const MAX_BATCH: usize = 512;

/// Answers a write once it is durable.
pub(super) type Done = oneshot::Sender<Result<(), StoreError>>;

/// One thing to be made durable.
pub(super) enum Write {
    /// Entries at the end of the log.
    Append {
        entries: Vec<(u64, Vec<u8>)>,
        flushed: LogFlushed<TypeConfig>,
        done: Done,
    },
    /// Removes every entry from this index on.
    Truncate { from: u64, done: Done },
    /// Removes every entry up to this index and remembers the log id it belongs to.
    Purge {
        upto: u64,
        log_id: Vec<u8>,
        done: Done,
    },
    /// Sets a single value.
    Put {
        name: &'static str,
        value: Vec<u8>,
        done: Done,
    },
    /// Sets the committed log id along with whatever is written next: losing it costs
    /// nothing but a later commit of the same entries, so it is not worth a fsync.
    Committed(Vec<u8>),
    /// Makes its transaction fail as a broken disk would.
    #[cfg(test)]
    BreakDisk,
}

/// Sends writes to the thread; the last one dropped ends it after its last write.
#[derive(Debug)]
pub(super) struct Writer {
    writes: Option<Sender<Write>>,
    thread: Option<JoinHandle<()>>,
    reserve: Arc<Reserve>,
}

impl Writer {
    /// Starts the thread. From here on a write that finds the disk full waits for space.
    pub(super) fn start(
        database: Arc<Database>,
        reserve: Arc<Reserve>,
    ) -> Result<Self, StoreError> {
        let (writes, inbox) = mpsc::channel();
        reserve.set_patient(true);
        let thread = std::thread::Builder::new()
            .name("raft-log".to_owned())
            .spawn(move || run(&database, &inbox))
            .map_err(|error| StoreError::Database(error.to_string()))?;
        Ok(Self {
            writes: Some(writes),
            thread: Some(thread),
            reserve,
        })
    }

    /// Hands a write over without waiting for it.
    pub(super) fn send(&self, write: Write) -> Result<(), StoreError> {
        let closed = || StoreError::Closed("its writer has ended".to_owned());
        let writes = self.writes.as_ref().ok_or_else(closed)?;
        writes.send(write).map_err(|_| closed())
    }

    /// Hands a write over and waits until it is durable.
    pub(super) async fn write(&self, write: impl FnOnce(Done) -> Write) -> Result<(), StoreError> {
        let (done, durable) = oneshot::channel();
        self.send(write(done))?;
        durable
            .await
            .map_err(|_| StoreError::Closed("its writer has ended".to_owned()))?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.writes = None;
        self.reserve.set_patient(false);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("log writer thread panicked");
        }
    }
}

fn run(database: &Database, inbox: &Receiver<Write>) {
    let mut committed = None;
    let mut failure: Option<String> = None;
    while let Ok(first) = inbox.recv() {
        let mut batch = vec![first];
        while batch.len() < MAX_BATCH
            && let Ok(write) = inbox.try_recv()
        {
            batch.push(write);
        }
        batch.retain_mut(|write| match write {
            Write::Committed(log_id) => {
                committed = Some(std::mem::take(log_id));
                false
            }
            _ => true,
        });
        if batch.is_empty() {
            continue;
        }
        if failure.is_none() {
            match commit(database, &batch, committed.as_deref()) {
                Ok(()) => committed = None,
                Err(error) => {
                    tracing::error!(%error, "failed to write the log");
                    // What reached the disk is not known, so nothing may be added to it.
                    failure = Some(error.to_string());
                }
            }
        }
        for write in batch {
            answer(write, failure.as_deref());
        }
    }
    if failure.is_none()
        && committed.is_some()
        && let Err(error) = commit(database, &[], committed.as_deref())
    {
        tracing::warn!(%error, "failed to note the committed index at the end");
    }
}

fn commit(
    database: &Database,
    batch: &[Write],
    committed: Option<&[u8]>,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    {
        let mut log = transaction.open_table(LOG)?;
        let mut meta = transaction.open_table(META)?;
        for write in batch {
            match write {
                Write::Append { entries, .. } => {
                    for (index, entry) in entries {
                        log.insert(*index, entry.as_slice())?;
                    }
                }
                Write::Truncate { from, .. } => log.retain_in(*from.., |_, _| false)?,
                Write::Purge { upto, log_id, .. } => {
                    meta.insert(PURGED, log_id.as_slice())?;
                    log.retain_in(..=*upto, |_, _| false)?;
                }
                Write::Put { name, value, .. } => {
                    meta.insert(*name, value.as_slice())?;
                }
                Write::Committed(log_id) => {
                    meta.insert(COMMITTED, log_id.as_slice())?;
                }
                #[cfg(test)]
                Write::BreakDisk => {
                    return Err(redb::Error::Io(std::io::Error::other("the disk is broken")));
                }
            }
        }
        if let Some(log_id) = committed {
            meta.insert(COMMITTED, log_id)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Sends the result to the caller that waits; one that has stopped waiting is ignored.
fn answer(write: Write, failure: Option<&str>) {
    let result = || match failure {
        None => Ok(()),
        Some(reason) => Err(StoreError::Closed(reason.to_owned())),
    };
    match write {
        Write::Append { flushed, done, .. } => {
            flushed.log_io_completed(result().map_err(std::io::Error::other));
            drop(done.send(result()));
        }
        Write::Truncate { done, .. } | Write::Purge { done, .. } | Write::Put { done, .. } => {
            drop(done.send(result()));
        }
        Write::Committed(_) => {}
        #[cfg(test)]
        Write::BreakDisk => {}
    }
}
