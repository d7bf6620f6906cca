//! How far a download has come.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes received of one import, and of how many. Shared with observers.
#[derive(Debug, Default)]
pub struct Progress {
    received: AtomicU64,
    /// 0: not known.
    total: AtomicU64,
    /// Signs of life while the download waits for its turn.
    waits: AtomicU64,
}

impl Progress {
    /// Bytes received. Falls back where a download has to begin again.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes that there are to receive, once the server has sent the length.
    pub fn total(&self) -> Option<u64> {
        Some(self.total.load(Ordering::Relaxed)).filter(|&total| total > 0)
    }

    /// Rises while the download waits for its turn.
    pub fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }
}

/// Counts the bytes that arrive.
pub(super) trait Meter: Send + Sync {
    /// `more` bytes came; they make `so_far` of `total`.
    fn arrived(&self, more: u64, so_far: u64, total: Option<u64>);
    /// The download waits for its turn.
    fn waiting(&self);
}

impl Meter for Progress {
    fn arrived(&self, _more: u64, so_far: u64, total: Option<u64>) {
        self.received.store(so_far, Ordering::Relaxed);
        self.total.store(total.unwrap_or(0), Ordering::Relaxed);
    }

    fn waiting(&self) {
        self.waits.fetch_add(1, Ordering::Relaxed);
    }
}

/// A sign of life: rises with every byte, whatever it belongs to.
impl Meter for AtomicU64 {
    fn arrived(&self, more: u64, _so_far: u64, _total: Option<u64>) {
        self.fetch_add(more, Ordering::Relaxed);
    }

    fn waiting(&self) {
        self.fetch_add(1, Ordering::Relaxed);
    }
}
