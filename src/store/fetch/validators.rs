//! What is known of URLs fetched before, so that an unchanged source is not downloaded
//! twice. Only ever used to ask the server: nothing is reused without its 304.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cluster::model::ObjectRef;
use serde::{Deserialize, Serialize};

/// URLs remembered; the least recently stored go first.
const CAPACITY: usize = 2000;

/// One URL's last download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// The server's `ETag`, as sent.
    pub(super) etag: Option<String>,
    /// The server's `Last-Modified`, as sent.
    pub(super) last_modified: Option<String>,
    /// What the bytes became.
    pub(super) object: ObjectRef,
    /// Rises with every store: which entry is oldest.
    stored: u64,
}

/// Remembers downloads by URL, in memory and in one small file.
#[derive(Debug)]
pub(super) struct Validators {
    file: PathBuf,
    known: Mutex<HashMap<String, Known>>,
}

impl Validators {
    /// Reads the file; one that is missing or unreadable is an empty memory.
    pub(super) fn open(file: &Path) -> Self {
        let known = std::fs::read(file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self {
            file: file.to_owned(),
            known: Mutex::new(known),
        }
    }

    pub(super) fn get(&self, url: &str) -> Option<Known> {
        self.lock().get(url).cloned()
    }

    /// Remembers a download, if the server gave anything to ask it by later.
    pub(super) fn store(
        &self,
        url: &str,
        etag: Option<String>,
        last_modified: Option<String>,
        object: ObjectRef,
    ) {
        let mut known = self.lock();
        if etag.is_none() && last_modified.is_none() {
            known.remove(url);
            return;
        }
        let stored = known.values().map(|entry| entry.stored).max().unwrap_or(0) + 1;
        known.insert(
            url.to_owned(),
            Known {
                etag,
                last_modified,
                object,
                stored,
            },
        );
        if known.len() > CAPACITY
            && let Some(oldest) = known
                .iter()
                .min_by_key(|(_, entry)| entry.stored)
                .map(|(url, _)| url.clone())
        {
            known.remove(&oldest);
        }
        // The file only saves downloads after a restart: failing to write it loses nothing.
        if let Err(error) = write(&self.file, &known) {
            tracing::debug!(%error, "validators were not written down");
        }
    }

    pub(super) fn forget(&self, url: &str) {
        self.lock().remove(url);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(file: &Path, known: &HashMap<String, Known>) -> std::io::Result<()> {
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, serde_json::to_vec(known)?)?;
    std::fs::rename(&fresh, file)
}
