//! Takes a worker's output away from it. Afterwards it is an ordinary file, in a directory the
//! worker cannot reach, that no other process holds open for writing: what is hashed
//! then is what is stored.
//!
//! Looking first and moving later would not do: between the two, a hostile worker can put
//! something else in the file's place, or go on writing to it.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat, renameat};

use crate::worker::scratch::RunDirs;

/// Why an output was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum TakeError {
    /// It is not in the directory of outputs.
    #[error("the worker named a file that is not its own")]
    Foreign,
    /// It is a link, a directory, a pipe, or has a second name.
    #[error("the worker's output is not an ordinary file")]
    NotPlain,
    /// It could not be moved or read.
    #[error("the worker's output cannot be taken")]
    Io(#[from] io::Error),
}

/// Moves the output that the worker calls `named` into the run's own directory, and returns
/// its new path.
pub(super) fn take(dirs: &RunDirs, named: &Path) -> Result<PathBuf, TakeError> {
    let name = match (named.parent(), named.file_name()) {
        (Some(parent), Some(name)) if parent == dirs.output => name,
        _ => return Err(TakeError::Foreign),
    };
    let outputs = directory(&dirs.output)?;
    let own = directory(&dirs.own)?;
    let taken = format!("taken-{:016x}", rand::random::<u64>());
    renameat(&outputs, name, &own, &taken).map_err(io::Error::from)?;
    // Not waiting for the other end of a pipe, not following a link.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(&own, &taken, flags, Mode::empty()) {
        Ok(file) => file,
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Err(TakeError::NotPlain),
        Err(error) => return Err(io::Error::from(error).into()),
    };
    let about = fstat(&file).map_err(io::Error::from)?;
    // A second name may be in the worker's reach, or be an input's.
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile || about.st_nlink != 1 {
        return Err(TakeError::NotPlain);
    }
    let path = dirs.own.join(&taken);
    if has_no_writer(&file) {
        return Ok(path);
    }
    copied(file, &path, &dirs.own)
}

fn directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

/// Whether no process, in particular the worker, has the file open for writing. The kernel grants a
/// read lease only then; and the worker can no longer open it anew.
fn has_no_writer(file: &OwnedFd) -> bool {
    let lease = |kind: i32| {
        #[expect(unsafe_code, reason = "rustix has no leases")]
        // SAFETY: the descriptor is open, and the argument is a number.
        let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) };
        result == 0
    };
    lease(libc::F_RDLCK) && lease(libc::F_UNLCK)
}

/// A file system without leases, or a writer that is still there: the bytes as they are now,
/// in a file that was never anybody else's.
fn copied(file: OwnedFd, from: &Path, beside: &Path) -> Result<PathBuf, TakeError> {
    let mut source = File::from(file);
    let mut copy = tempfile::Builder::new()
        .prefix("copied-")
        .tempfile_in(beside)?;
    io::copy(&mut source, copy.as_file_mut())?;
    std::fs::remove_file(from)?;
    let (_, path) = copy.keep().map_err(|error| error.error)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::worker::scratch::Scratch;
    use cluster::model::Incarnation;

    fn run() -> (tempfile::TempDir, RunDirs) {
        let data = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(data.path(), Incarnation(1), 1).unwrap();
        let dirs = scratch.fresh(0, "run").unwrap();
        (data, dirs)
    }

    #[test]
    fn an_output_is_moved_out_of_the_workers_reach() {
        let (_data, dirs) = run();
        let named = dirs.output.join("a.mp4");
        fs::write(&named, "bytes").unwrap();
        let taken = take(&dirs, &named).unwrap();
        assert!(taken.starts_with(&dirs.own));
        assert_eq!(fs::read(taken).unwrap(), b"bytes");
        assert!(!named.try_exists().unwrap());
    }

    #[test]
    fn what_a_worker_goes_on_writing_does_not_change_what_was_taken() {
        let (_data, dirs) = run();
        let named = dirs.output.join("a.mp4");
        let mut held = File::create(&named).unwrap();
        held.write_all(b"before").unwrap();
        let taken = take(&dirs, &named).unwrap();
        held.write_all(b" and after").unwrap();
        assert_eq!(fs::read(taken).unwrap(), b"before");
    }

    #[test]
    fn links_pipes_and_files_elsewhere_are_not_taken() {
        let (data, dirs) = run();
        let secret = data.path().join("secret");
        fs::write(&secret, "key").unwrap();
        let at = |name: &str| dirs.output.join(name);
        symlink(&secret, at("symlink")).unwrap();
        fs::hard_link(&secret, at("hardlink")).unwrap();
        fs::create_dir(at("directory")).unwrap();
        rustix::fs::mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        for name in ["symlink", "hardlink", "directory", "pipe"] {
            let error = take(&dirs, &at(name)).unwrap_err();
            assert!(matches!(error, TakeError::NotPlain), "{name}: {error}");
        }
        for foreign in [
            secret.clone(),
            at("../../../secret"),
            at("in/deeper"),
            at(""),
        ] {
            assert!(take(&dirs, &foreign).is_err(), "{}", foreign.display());
        }
        assert_eq!(fs::read(secret).unwrap(), b"key");
    }
}
