//! How much room a file system has left.

use std::io;
use std::path::Path;

/// Room on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// What this process may still write.
    pub available: u64,
    /// What is written and what may still be: without the part that is kept for the superuser.
    pub total: u64,
}

impl DiskSpace {
    /// That of the file system that holds `path`.
    ///
    /// # Errors
    /// When the system call fails.
    pub fn of(path: &Path) -> io::Result<Self> {
        let about = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(about.f_frsize);
        let used = about.f_blocks.saturating_sub(about.f_bfree);
        Ok(Self {
            available: bytes(about.f_bavail),
            total: bytes(used.saturating_add(about.f_bavail)),
        })
    }
}
