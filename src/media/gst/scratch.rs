//! A file on the way to another, removed when done with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the muxer writes before its index is made exact.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A name beside `out`, so that it lies on the same file system and quota.
    pub(super) fn beside(out: &Path) -> Self {
        let mut name = OsString::from(out.as_os_str());
        name.push(".muxing");
        Self(PathBuf::from(name))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been made, and nothing depends on its absence.
        let _ = std::fs::remove_file(&self.0);
    }
}
