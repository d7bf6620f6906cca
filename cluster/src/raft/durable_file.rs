//! Whole files that are either there and complete, or not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::reserve;

/// Writes `bytes` to `path`: a temporary file beside it, fsync, rename, fsync of the
/// directory. After a crash at any point `path` holds its old content or all of the new. On a
/// full disk the spare file of the log's reserve takes the bytes, if it is large enough.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path
        .parent()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let temporary = path.with_extension("tmp");
    match write(&mut File::create(&temporary)?, bytes) {
        Err(error) if reserve::is_full(&error) => {
            fs::remove_file(&temporary)?;
            let spare = spare_near(directory).ok_or(error)?;
            write_over(&spare, &temporary, bytes)?;
        }
        written => written?,
    }
    fs::rename(&temporary, path)?;
    File::open(directory)?.sync_all()
}

fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// The spare file of a log in `directory` or in the one above it.
fn spare_near(directory: &Path) -> Option<PathBuf> {
    let spare =
        |directory: &Path| Some(directory.join(reserve::SPARE)).filter(|path| path.is_file());
    spare(directory).or_else(|| spare(directory.parent()?))
}

/// Makes `spare` the file `to` with `bytes` in it, which uses the blocks that it has.
fn write_over(spare: &Path, to: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::metadata(spare)?.len() < bytes.len() as u64 {
        return Err(io::ErrorKind::StorageFull.into());
    }
    fs::rename(spare, to)?;
    let mut file = File::options().write(true).open(to)?;
    write(&mut file, bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spare_file_becomes_the_file_if_it_is_large_enough() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("snapshots");
        fs::create_dir(&below).unwrap();
        assert_eq!(spare_near(&below), None);
        let spare = directory.path().join(reserve::SPARE);
        fs::write(&spare, [0; 100]).unwrap();
        assert_eq!(spare_near(&below), Some(spare.clone()));
        let file = below.join("file");
        assert!(write_over(&spare, &file, &[1; 101]).is_err());
        assert!(spare.try_exists().unwrap() && !file.try_exists().unwrap());
        write_over(&spare, &file, &[1; 7]).unwrap();
        assert_eq!(fs::read(&file).unwrap(), [1; 7]);
        assert!(!spare.try_exists().unwrap());
    }
}
