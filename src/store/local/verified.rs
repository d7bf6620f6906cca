//! Which files' bytes were checked. Hints only: a file whose length or time is another than
//! it then was is checked again.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use cluster::model::{Digest, ObjectKey};

/// Digests of files, with the length and time the files then had.
#[derive(Debug, Default)]
pub(super) struct Verified(Mutex<HashMap<ObjectKey, (Digest, u64, SystemTime)>>);

impl Verified {
    pub(super) fn remember(&self, key: &ObjectKey, sha256: Digest, path: &Path) {
        let Ok(about) = fs::metadata(path) else {
            return;
        };
        let Ok(changed) = about.modified() else {
            return;
        };
        self.table()
            .insert(key.clone(), (sha256, about.len(), changed));
    }

    /// The digest of the object's file, if `about` describes the file that was hashed.
    pub(super) fn of(&self, key: &ObjectKey, about: &Metadata) -> Option<Digest> {
        let changed = about.modified().ok()?;
        let (sha256, size, then) = *self.table().get(key)?;
        ((size, then) == (about.len(), changed)).then_some(sha256)
    }

    pub(super) fn forget(&self, gone: impl Fn(&ObjectKey) -> bool) {
        self.table().retain(|key, _| !gone(key));
    }

    fn table(&self) -> MutexGuard<'_, HashMap<ObjectKey, (Digest, u64, SystemTime)>> {
        // The table holds hints only: what a panicking thread left in it is still true.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
