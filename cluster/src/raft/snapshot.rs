//! Snapshot files: written whole, recorded in the log's database, verified before use.
//!
//! A file counts only once it is recorded, and the record carries its checksum, so a torn,
//! altered or forgotten file is never taken for the state. Which one counts only moves
//! forward: raft builds one snapshot beside installing another, and the log up to the newer
//! one may be gone when the older one is complete.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tempfile::TempPath;
use tokio::sync::watch;

use super::disk::{Disk, Step};
use super::reserve;
use super::snapshot_file::{SnapshotFile, Temporary, digest, read_state, write_state};
use super::writer::{SNAPSHOT, Write, Writer};
use super::{RaftLogId, RaftSnapshotMeta, StoreError};
use crate::codec;
use crate::model::Digest;
use crate::state::State;

/// How the name of a complete file ends.
const COMPLETE: &str = ".snapshot";

/// Where snapshots are, and which one counts. Clones share both.
#[derive(Debug, Clone)]
pub(super) struct Snapshots {
    directory: PathBuf,
    records: Records,
    disk: Disk,
    current: Arc<Mutex<Option<Record>>>,
    /// How far the log is covered by the snapshot that counts.
    covered: watch::Sender<Option<RaftLogId>>,
    /// Held from before a file is named until what does not count is removed, so that saves
    /// do not remove one another's files and the newest one counts in the end.
    saving: Arc<tokio::sync::Mutex<()>>,
}

/// Where the record of the snapshot that counts is made durable.
#[derive(Debug, Clone)]
pub(super) enum Records {
    /// In the database of the log.
    Log(Arc<Writer>),
    /// In the log of a simulated member.
    #[cfg(test)]
    Simulated(super::simulation::SimulatedLog),
}

impl Records {
    async fn put(&self, value: Vec<u8>) -> Result<(), StoreError> {
        match self {
            Self::Log(writer) => {
                writer
                    .write(|done| Write::Put {
                        name: SNAPSHOT,
                        value,
                        done,
                    })
                    .await
            }
            #[cfg(test)]
            Self::Simulated(log) => log.record_snapshot(value).await,
        }
    }
}

/// The snapshot that counted when the member was started.
#[derive(Debug)]
pub(super) struct StoredSnapshot {
    /// What it covers.
    pub(super) meta: RaftSnapshotMeta,
    /// The state in it.
    pub(super) state: State,
}

/// The database's record of the snapshot that counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    file: String,
    sha256: Digest,
    meta: RaftSnapshotMeta,
}

impl Snapshots {
    /// Opens the directory and reads the snapshot that counts by `record`, if there is one.
    pub(super) fn open(
        directory: PathBuf,
        record: Option<Record>,
        records: Records,
        disk: Disk,
    ) -> Result<(Self, Option<StoredSnapshot>), StoreError> {
        fs::create_dir_all(&directory).map_err(|error| StoreError::io(&directory, error))?;
        let stored = match &record {
            None => None,
            Some(record) => {
                let path = directory.join(&record.file);
                let file = verify(&path, open_file(&path)?, record)?;
                Some(StoredSnapshot {
                    meta: record.meta.clone(),
                    state: read_state(&file, &path)?,
                })
            }
        };
        // No save runs yet, so what does not count is of no use to anyone.
        remove_others(&directory, record.as_ref(), |_| true);
        let last_log_id = record.as_ref().and_then(|record| record.meta.last_log_id);
        let snapshots = Self {
            directory,
            covered: watch::Sender::new(last_log_id),
            records,
            disk,
            current: Arc::new(Mutex::new(record)),
            saving: Arc::default(),
        };
        Ok((snapshots, stored))
    }

    /// How far the log is covered by the snapshot that counts: what may be purged.
    pub(super) fn covered(&self) -> watch::Receiver<Option<RaftLogId>> {
        self.covered.subscribe()
    }

    /// Writes `state` and makes it the snapshot that counts, unless a newer one does.
    pub(super) async fn save(
        &self,
        meta: RaftSnapshotMeta,
        state: State,
    ) -> Result<(), StoreError> {
        let directory = self.directory.clone();
        let (path, sha256) = self
            .disk
            .run(Step::Build, move || {
                with_spare(&directory, || {
                    let Temporary { file, path } = SnapshotFile::temporary(&directory)?;
                    let sha256 = write_state(&state, &file, &path)?;
                    Ok((path, sha256))
                })
            })
            .await?;
        self.keep(meta, path, sha256).await
    }

    /// A file to receive a snapshot into.
    pub(super) async fn receive(&self) -> Result<SnapshotFile, StoreError> {
        let directory = self.directory.clone();
        let temporary = self
            .disk
            .run(Step::Create, move || SnapshotFile::temporary(&directory))
            .await?;
        Ok(self.opened(SnapshotFile::receiving(temporary)))
    }

    /// Reads the state in a file that was received and makes it the snapshot that counts,
    /// unless a newer one does. A file that does not hold a state is removed.
    pub(super) async fn install(
        &self,
        meta: RaftSnapshotMeta,
        received: SnapshotFile,
    ) -> Result<State, StoreError> {
        let (file, path) = received.into_parts().await;
        let directory = self.directory.clone();
        let (state, path, sha256) = self
            .disk
            .run(Step::Install, move || {
                let Temporary { file, path } = match path {
                    Some(path) => Temporary { file, path },
                    // It is of another member, which keeps it.
                    None => copy(file, &directory)?,
                };
                let state = read_state(&file, &path)?;
                file.sync_all()
                    .map_err(|error| StoreError::io(&path, error))?;
                let sha256 = digest(&file).map_err(|error| StoreError::io(&path, error))?;
                Ok((state, path, sha256))
            })
            .await?;
        self.keep(meta, path, sha256).await?;
        Ok(state)
    }

    /// Makes a complete, durable file the one that counts; one that is not newer than the one
    /// that does is removed.
    async fn keep(
        &self,
        meta: RaftSnapshotMeta,
        path: TempPath,
        sha256: Digest,
    ) -> Result<(), StoreError> {
        let _saving = self.saving.lock().await;
        let is_newer = self
            .record()
            .as_ref()
            .is_none_or(|counts| counts.meta.last_log_id < meta.last_log_id);
        if !is_newer {
            tracing::info!(snapshot = %meta.snapshot_id, "snapshot is not newer than the one that counts");
            return Ok(());
        }
        let index = meta.last_log_id.map_or(0, |log_id| log_id.index);
        // Named by content, so that it never takes the place of the file that still counts.
        let record = Record {
            file: format!("{index:020}-{}{COMPLETE}", sha256),
            sha256,
            meta,
        };
        let target = self.directory.join(&record.file);
        let directory = self.directory.clone();
        self.disk
            .run(Step::Name, move || {
                path.persist(&target)
                    .map_err(|error| StoreError::io(&target, error.error))?;
                File::open(&directory)
                    .and_then(|directory| directory.sync_all())
                    .map_err(|error| StoreError::io(&directory, error))
            })
            .await?;
        self.records.put(codec::encode(&record)?).await?;
        *self.record() = Some(record.clone());
        self.covered.send_replace(record.meta.last_log_id);
        let directory = self.directory.clone();
        self.disk
            .run(Step::Remove, move || {
                // Files with temporary names are in use, and their users remove them.
                remove_others(&directory, Some(&record), |name| name.ends_with(COMPLETE));
                Ok(())
            })
            .await
    }

    /// The snapshot that counts, verified again.
    pub(super) async fn current(
        &self,
    ) -> Result<Option<(RaftSnapshotMeta, SnapshotFile)>, StoreError> {
        let (record, path, file) = {
            // A save that ends now would remove the file before it is open.
            let _saving = self.saving.lock().await;
            let Some(record) = self.record().clone() else {
                return Ok(None);
            };
            let path = self.directory.join(&record.file);
            let file = open_file(&path)?;
            (record, path, file)
        };
        let meta = record.meta.clone();
        let file = self
            .disk
            .run(Step::Read, move || verify(&path, file, &record))
            .await?;
        Ok(Some((meta, self.opened(SnapshotFile::sending(file)))))
    }

    /// Reads and writes of a file of these go where all work on files goes.
    fn opened(&self, file: SnapshotFile) -> SnapshotFile {
        match self.disk {
            Disk::Threads => file,
            #[cfg(test)]
            Disk::Stepped(_) | Disk::Full(_) => file.inline(),
        }
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Option<Record>> {
        // A record is replaced in one step, so a panic elsewhere cannot have torn it.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a snapshot; on a full disk once more, with the space of the log's spare file.
fn with_spare<T>(
    directory: &Path,
    write: impl Fn() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    match write() {
        Err(error) if error.is_full() => {
            let spare = directory.with_file_name(reserve::SPARE);
            if fs::remove_file(&spare).is_err() {
                return Err(error);
            }
            tracing::error!("the disk is full: a snapshot takes the log's spare file");
            write()
        }
        written => written,
    }
}

/// Removes files that do not count and may go. One that stays behind is removed the next time.
fn remove_others(directory: &Path, record: Option<&Record>, may_go: impl Fn(&str) -> bool) {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(%error, "failed to list snapshots");
            return;
        }
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if record.is_some_and(|record| record.file == name) || !may_go(&name) {
            continue;
        }
        if let Err(error) = fs::remove_file(entry.path()) {
            tracing::warn!(%error, path = %entry.path().display(), "failed to remove a snapshot");
        }
    }
}

fn open_file(path: &Path) -> Result<File, StoreError> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => damaged(path, "it is missing"),
        _ => StoreError::io(path, error),
    })
}

/// Gives `file` back, at its beginning, if it is what was recorded.
fn verify(path: &Path, file: File, record: &Record) -> Result<File, StoreError> {
    let found = digest(&file).map_err(|error| StoreError::io(path, error))?;
    if found != record.sha256 {
        return Err(damaged(path, "its checksum is not the recorded one"));
    }
    Ok(file)
}

fn copy(mut from: File, directory: &Path) -> Result<Temporary, StoreError> {
    let mut temporary = SnapshotFile::temporary(directory)?;
    io::Seek::rewind(&mut from)
        .and_then(|()| io::copy(&mut from, &mut temporary.file))
        .map_err(|error| StoreError::io(&temporary.path, error))?;
    Ok(temporary)
}

fn damaged(path: &Path, reason: &str) -> StoreError {
    StoreError::DamagedSnapshot {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}
