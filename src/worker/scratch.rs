//! Working files: one directory per start of a node. What a start that was killed left behind
//! is swept by the next one.
//!
//! ```text
//! scratch/{start}/slot-{n}/in/{run}    a worker reads it: links to the run's inputs
//!                 slot-{n}/out/{run}   a worker writes it
//!                 own/{run}            the node's alone: downloads, outputs taken over
//! ```
//! A slot's two directories live as long as the start: a worker confines itself to them before it
//! gets any run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cluster::model::Incarnation;
use tempfile::TempDir;

use crate::store::{Marks, Purpose};

/// This start's scratch directory.
#[derive(Debug, Clone)]
pub struct Scratch {
    root: PathBuf,
    marks: Option<Arc<Marks>>,
}

/// What the workers of one slot may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotDirs {
    /// To read.
    pub input: PathBuf,
    /// To write.
    pub output: PathBuf,
}

impl SlotDirs {
    /// Those of `slot` below a start's scratch directory.
    pub fn of(scratch: &Path, slot: usize) -> Self {
        let slot = scratch.join(format!("slot-{slot}"));
        Self {
            input: slot.join("in"),
            output: slot.join("out"),
        }
    }
}

/// The directories of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDirs {
    /// Where the worker finds its inputs.
    pub input: PathBuf,
    /// Where it leaves its outputs; names the run.
    pub output: PathBuf,
    /// Where it never looks.
    pub own: PathBuf,
}

impl RunDirs {
    /// Those of the run whose outputs lie in `output`.
    pub fn of(output: &Path) -> Option<Self> {
        let run = output.file_name()?;
        let slot = output.parent()?.parent()?;
        Some(Self {
            input: slot.join("in").join(run),
            output: output.to_owned(),
            own: slot.parent()?.join("own").join(run),
        })
    }

    /// Removes all three, and what the worker left beside its run's directory.
    ///
    /// # Errors
    /// The first that could not be removed, after trying the others.
    pub fn remove(&self) -> io::Result<()> {
        let mut result = Ok(());
        for directory in [&self.input, &self.output, &self.own] {
            result = result.and(fine_if_missing(fs::remove_dir_all(directory)));
        }
        let beside = self.output.parent().map(fs::read_dir);
        for entry in beside.into_iter().flatten().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
                result = result.and(fine_if_missing(fs::remove_file(entry.path())));
            }
        }
        result
    }
}

impl Scratch {
    /// Makes the directory of `incarnation` below `data_dir`, with those of `slots` slots.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(data_dir: &Path, incarnation: Incarnation, slots: usize) -> io::Result<Self> {
        let root = all(data_dir).join(name(incarnation));
        fs::create_dir_all(&root)?;
        // Children work in it, and their own directory may be another.
        let root = root.canonicalize()?;
        for slot in 0..slots {
            let dirs = SlotDirs::of(&root, slot);
            fs::create_dir_all(dirs.input)?;
            fs::create_dir_all(dirs.output)?;
        }
        Ok(Self { root, marks: None })
    }

    /// Keeps to the marks of its disk.
    #[must_use]
    pub fn within(self, marks: Arc<Marks>) -> Self {
        Self {
            marks: Some(marks),
            ..self
        }
    }

    /// Takes `bytes` into account that are about to be written.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] when the disk has no room for them.
    pub fn admit(&self, purpose: Purpose, bytes: u64) -> io::Result<()> {
        let admitted = self
            .marks
            .as_ref()
            .map_or(Ok(()), |marks| marks.admit(purpose, bytes));
        admitted.map_err(|_| io::ErrorKind::StorageFull.into())
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Fresh directories for one run of `slot`.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn fresh(&self, slot: usize, label: &str) -> io::Result<RunDirs> {
        let run = format!("{label}-{:016x}", rand::random::<u64>());
        let slot = SlotDirs::of(&self.root, slot);
        let dirs = RunDirs {
            input: slot.input.join(&run),
            output: slot.output.join(&run),
            own: self.root.join("own").join(&run),
        };
        for directory in [&dirs.input, &dirs.output, &dirs.own] {
            fs::create_dir_all(directory)?;
        }
        Ok(dirs)
    }

    /// A fresh directory of the node's alone, for a task without a slot. It goes with what is
    /// returned.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn own(&self, label: &str) -> io::Result<TempDir> {
        let own = self.root.join("own");
        fs::create_dir_all(&own)?;
        tempfile::Builder::new()
            .prefix(&format!("{label}-"))
            .tempdir_in(own)
    }
}

fn fine_if_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what other starts left below `data_dir`. A data directory has one process at a
/// time: only that process may call this.
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
        let old = Scratch::open(data.path(), Incarnation(1), 1).unwrap();
        let left = old.fresh(0, "run").unwrap();
        let new = Scratch::open(data.path(), Incarnation(2), 1).unwrap();
        let own = new.fresh(0, "run").unwrap();
        sweep_scratch(data.path(), Incarnation(2)).unwrap();
        assert!(!left.output.try_exists().unwrap());
        assert!(own.output.try_exists().unwrap());
    }

    #[test]
    fn a_run_is_known_by_its_outputs_and_leaves_its_slot_as_it_was() {
        let data = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(data.path(), Incarnation(1), 2).unwrap();
        let run = scratch.fresh(1, "run").unwrap();
        assert_eq!(RunDirs::of(&run.output).as_ref(), Some(&run));
        let next = scratch.fresh(1, "next").unwrap();
        let slot = SlotDirs::of(scratch.root(), 1);
        fs::write(slot.output.join("stray"), "").unwrap();
        fs::write(run.own.join("download"), "").unwrap();
        run.remove().unwrap();
        run.remove().unwrap();
        let left: Vec<_> = fs::read_dir(slot.output).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(next.input.try_exists().unwrap() && slot.input.try_exists().unwrap());
        assert!(!run.own.try_exists().unwrap());
    }

    #[test]
    fn a_fresh_data_directory_has_nothing_to_sweep() {
        let data = tempfile::tempdir().unwrap();
        sweep_scratch(data.path(), Incarnation(1)).unwrap();
    }
}
