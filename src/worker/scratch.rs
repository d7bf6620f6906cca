//! Working files: one directory per start of a node, one below it per run. What a start that
//! was killed left behind is swept by the next one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cluster::model::Incarnation;

/// This start's scratch directory.
#[derive(Debug, Clone)]
pub struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// Makes the directory of `incarnation` below `data_dir`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(data_dir: &Path, incarnation: Incarnation) -> io::Result<Self> {
        let root = all(data_dir).join(name(incarnation));
        fs::create_dir_all(&root)?;
        // Children work in it, and their own directory may be another.
        Ok(Self {
            root: root.canonicalize()?,
        })
    }

    /// A fresh directory for one run.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn fresh(&self, label: &str) -> io::Result<PathBuf> {
        let directory = self
            .root
            .join(format!("{label}-{:016x}", rand::random::<u64>()));
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// Whether `file` is one of this start's working files, links followed.
    pub fn holds(&self, file: &Path) -> bool {
        file.canonicalize()
            .is_ok_and(|file| file.starts_with(&self.root))
    }
}

/// Removes what other starts left below `data_dir`. A data directory has one process at a
/// time: whoever holds it may call this.
///
/// # Errors
/// When the directory cannot be read; what cannot be removed is logged and left.
pub fn sweep_scratch(data_dir: &Path, keep: Incarnation) -> io::Result<()> {
    let entries = match fs::read_dir(all(data_dir)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name() == name(keep).as_str() {
            continue;
        }
        if let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "old scratch stays");
        }
    }
    Ok(())
}

fn all(data_dir: &Path) -> PathBuf {
    data_dir.join("scratch")
}

fn name(incarnation: Incarnation) -> String {
    format!("{:032x}", incarnation.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_sweeps_what_others_left_and_nothing_of_its_own() {
        let data = tempfile::tempdir().unwrap();
        let old = Scratch::open(data.path(), Incarnation(1)).unwrap();
        let left = old.fresh("run").unwrap();
        let new = Scratch::open(data.path(), Incarnation(2)).unwrap();
        let own = new.fresh("run").unwrap();
        sweep_scratch(data.path(), Incarnation(2)).unwrap();
        assert!(!left.try_exists().unwrap());
        assert!(own.try_exists().unwrap());
    }

    #[test]
    fn only_files_below_it_are_its_own() {
        let data = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(data.path(), Incarnation(1)).unwrap();
        let run = scratch.fresh("run").unwrap();
        fs::write(run.join("a"), "").unwrap();
        fs::write(data.path().join("b"), "").unwrap();
        std::os::unix::fs::symlink(data.path().join("b"), run.join("c")).unwrap();
        assert!(scratch.holds(&run.join("a")));
        for foreign in [run.join("../../../b"), run.join("c"), run.join("missing")] {
            assert!(!scratch.holds(&foreign), "{}", foreign.display());
        }
    }

    #[test]
    fn a_fresh_data_directory_has_nothing_to_sweep() {
        let data = tempfile::tempdir().unwrap();
        sweep_scratch(data.path(), Incarnation(1)).unwrap();
    }
}
