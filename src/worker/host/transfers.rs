//! How far the imports of this node are, for those who ask while they go on. Memory only:
//! losing it loses nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cluster::model::AssetId;

use crate::store::fetch::Progress;

/// The imports that go on here.
#[derive(Debug, Clone, Default)]
pub struct Transfers(Arc<Mutex<BTreeMap<AssetId, Arc<Progress>>>>);

impl Transfers {
    /// Bytes received of an import that goes on here, and how many there are if that is known.
    pub fn get(&self, asset: AssetId) -> Option<(u64, Option<u64>)> {
        let progress = Arc::clone(self.lock().get(&asset)?);
        Some((progress.received(), progress.total()))
    }

    /// An import begins; it is forgotten when what this returns is dropped.
    pub(super) fn begin(&self, asset: AssetId) -> Transfer {
        let progress = Arc::new(Progress::default());
        self.lock().insert(asset, Arc::clone(&progress));
        Transfer {
            all: self.clone(),
            asset,
            progress,
        }
    }

    // Held for one map operation; a poisoned lock still guards whole values.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<AssetId, Arc<Progress>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An import that goes on.
#[derive(Debug)]
pub(super) struct Transfer {
    all: Transfers,
    asset: AssetId,
    progress: Arc<Progress>,
}

impl Transfer {
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.all.lock().remove(&self.asset);
    }
}
