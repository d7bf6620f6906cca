//! Snapshot files: written whole, recorded in the log's database, verified before use.
//!
//! A file counts only once it is recorded, and the record carries its checksum, so a torn,
//! altered or forgotten file is never taken for the state.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::log_store::LogStore;
use super::writer::{SNAPSHOT, Write, Writer};
use super::{RaftSnapshotMeta, StoreError};
use crate::codec;
use crate::model::Digest;

/// Where snapshots are, and which one counts.
#[derive(Debug, Clone)]
pub(super) struct Snapshots {
    directory: PathBuf,
    writer: Arc<Writer>,
    current: Arc<Mutex<Option<Record>>>,
}

/// A snapshot as kept and sent.
#[derive(Debug, Clone)]
pub(super) struct StoredSnapshot {
    /// What it covers.
    pub(super) meta: RaftSnapshotMeta,
    /// The encoded state.
    pub(super) state: Vec<u8>,
}

/// What the database says of the snapshot that counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    file: String,
    sha256: Digest,
    meta: RaftSnapshotMeta,
}

impl Snapshots {
    /// Opens the directory and gives the snapshot that counts, if there is one.
    pub(super) fn open(
        directory: PathBuf,
        log: &LogStore,
    ) -> Result<(Self, Option<StoredSnapshot>), StoreError> {
        fs::create_dir_all(&directory).map_err(|error| StoreError::io(&directory, error))?;
        let record: Option<Record> = log.get(SNAPSHOT)?;
        let stored = record
            .as_ref()
            .map(|record| load(&directory, record))
            .transpose()?;
        let snapshots = Self {
            directory,
            writer: Arc::clone(log.writer()),
            current: Arc::new(Mutex::new(record)),
        };
        snapshots.remove_others();
        Ok((snapshots, stored))
    }

    /// Makes a snapshot durable and the one that counts.
    pub(super) async fn save(&self, snapshot: StoredSnapshot) -> Result<(), StoreError> {
        let StoredSnapshot { meta, state } = snapshot;
        let sha256 = digest(&state);
        let index = meta.last_log_id.map_or(0, |log_id| log_id.index);
        // Named by content, so that writing it never touches the file that still counts.
        let record = Record {
            file: format!("{index:020}-{sha256}.snapshot"),
            sha256,
            meta,
        };
        let path = self.directory.join(&record.file);
        let written = tokio::task::spawn_blocking(move || {
            super::write_durably(&path, &state).map_err(|error| StoreError::io(&path, error))
        });
        written
            .await
            .map_err(|error| StoreError::Closed(error.to_string()))??;
        let value = codec::encode(&record)?;
        self.writer
            .write(|done| Write::Put {
                name: SNAPSHOT,
                value,
                done,
            })
            .await?;
        *self.record() = Some(record);
        self.remove_others();
        Ok(())
    }

    /// The snapshot that counts, read and verified again.
    pub(super) async fn current(&self) -> Result<Option<StoredSnapshot>, StoreError> {
        let Some(record) = self.record().clone() else {
            return Ok(None);
        };
        let directory = self.directory.clone();
        tokio::task::spawn_blocking(move || load(&directory, &record))
            .await
            .map_err(|error| StoreError::Closed(error.to_string()))?
            .map(Some)
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Option<Record>> {
        // A record is replaced in one step, so a panic elsewhere cannot have torn it.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes files that do not count. One that stays behind is removed the next time.
    fn remove_others(&self) {
        let kept = self.record().as_ref().map(|record| record.file.clone());
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(%error, "failed to list snapshots");
                return;
            }
        };
        for entry in entries.flatten() {
            if kept
                .as_deref()
                .is_some_and(|kept| entry.file_name() == kept)
            {
                continue;
            }
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(%error, path = %entry.path().display(), "failed to remove a snapshot");
            }
        }
    }
}

fn load(directory: &Path, record: &Record) -> Result<StoredSnapshot, StoreError> {
    let path = directory.join(&record.file);
    let state = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => damaged(&path, "it is missing"),
        _ => StoreError::io(&path, error),
    })?;
    if digest(&state) != record.sha256 {
        return Err(damaged(&path, "its checksum is not the recorded one"));
    }
    Ok(StoredSnapshot {
        meta: record.meta.clone(),
        state,
    })
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

fn damaged(path: &Path, reason: &str) -> StoreError {
    StoreError::DamagedSnapshot {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}
