//! What a worker process takes away from itself before it is given anything to read.
//!
//! Decoders meet files that strangers made, and one day one of them will be taken over. What
//! it can then do is what is left here: read its run's inputs, write its run's outputs, use
//! the graphics card, talk to its parent through a pipe. The layers overlap on purpose; each is
//! used where the kernel gives it, and [`Report`] lists which it gave.
//!
//! | layer | takes away |
//! | --- | --- |
//! | privileges | capabilities, set-user-id programs, being traced, outliving the parent |
//! | namespace | the machine's network interfaces, loopback included |
//! | files | every file but libraries, devices and the slot's two directories (Landlock) |
//! | limits | memory, open files, file sizes, core dumps |
//! | system calls | programs, processes, sockets, others' processes, the kernel's corners (seccomp) |
//!
//! Two steps, because libraries need more while they start than while they work:
//! [`confine`] before there is a second thread, [`Confined::seal`] before the first order.
//!
//! What stays possible: using a core until the slot's time limit, filling the disk with files
//! of the slot, and spoiling the later runs of the same process, which lives until it is killed.

mod calls;
mod check;
mod files;
mod limits;
mod privileges;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::program::{self, AskError};

pub use check::Check;

/// Longest that finding out may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// How much of a sandbox there must be: `render.sandbox`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every layer that the kernel gives.
    #[default]
    Auto,
    /// No rendering without the files and system calls layers.
    Required,
    /// None, for finding out whether it is to blame.
    Off,
}

/// What a worker is left with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// How much is needed.
    pub mode: Mode,
    /// A directory below which everything may be read.
    pub input: Option<PathBuf>,
    /// A directory below which files may be read, made, written and removed.
    pub output: Option<PathBuf>,
    /// The media library's list of its plugins.
    pub registry: Option<PathBuf>,
    /// Private memory in bytes; 0: no limit.
    pub memory: u64,
    /// Address space in bytes, which drivers reserve far more of than they use; 0: no limit.
    pub address_space: u64,
}

/// The parts of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxLayer {
    /// No capabilities, no way to regain any.
    Privileges,
    /// A network namespace of its own, with nothing in it.
    Namespace,
    /// Landlock.
    Files,
    /// Resource limits.
    Limits,
    /// seccomp.
    SystemCalls,
}

/// What became of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which.
    pub layer: SandboxLayer,
    /// Whether it is in place.
    pub given: bool,
    /// What it comes to here, or why it is not there.
    pub detail: String,
}

/// What this kernel gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Layer by layer, in the order they were put on; none with [`Mode::Off`].
    pub layers: Vec<Outcome>,
    /// What was then tried; only where the process was started to find out.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// Why a worker must not begin.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The operator asked for more than the kernel gives.
    #[error("render.sandbox is \"required\", and the kernel does not give the {0:?} layer: {1}")]
    Missing(SandboxLayer, String),
}

impl Report {
    /// The layers that are not in place.
    pub fn missing(&self) -> impl Iterator<Item = &Outcome> {
        self.layers.iter().filter(|outcome| !outcome.given)
    }

    /// Holds the report to what `mode` asks for.
    ///
    /// # Errors
    /// When a layer is required and missing.
    pub fn suffices(&self, mode: Mode) -> Result<(), SandboxError> {
        let needed = [SandboxLayer::Files, SandboxLayer::SystemCalls];
        match self.missing().find(|gap| needed.contains(&gap.layer)) {
            Some(gap) if mode == Mode::Required => {
                Err(SandboxError::Missing(gap.layer, gap.detail.clone()))
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, layer: SandboxLayer, came_to: Result<String, String>) {
        let given = came_to.is_ok();
        let detail = came_to.unwrap_or_else(|why| why);
        self.layers.push(Outcome {
            layer,
            given,
            detail,
        });
    }
}

/// A process between the two steps.
#[derive(Debug)]
#[must_use = "a process that is not sealed can still start others"]
pub struct Confined {
    mode: Mode,
    report: Report,
}

/// The first step: everything that must happen while the process has one thread.
///
/// # Errors
/// When the operator requires a layer that is not to be had.
pub fn confine(policy: &Policy) -> Result<Confined, SandboxError> {
    let mut report = Report::default();
    if policy.mode != Mode::Off {
        report.note(SandboxLayer::Namespace, privileges::leave_network());
        report.note(SandboxLayer::Privileges, privileges::drop_all());
        report.note(SandboxLayer::Files, files::restrict(policy));
        report.note(SandboxLayer::Limits, limits::set(policy));
        report.suffices(policy.mode)?;
    }
    Ok(Confined {
        mode: policy.mode,
        report,
    })
}

impl Confined {
    /// The second step, on all threads, once libraries have started what they start.
    ///
    /// # Errors
    /// When the operator requires a layer that is not to be had.
    pub fn seal(mut self) -> Result<Report, SandboxError> {
        if self.mode != Mode::Off {
            self.report.note(SandboxLayer::SystemCalls, calls::refuse());
            self.report.suffices(self.mode)?;
        }
        Ok(self.report)
    }
}

/// Asks a process of `program` what this kernel gives (`framelane worker --probe-sandbox`).
///
/// # Errors
/// [`AskError`] when it does not answer: a process cannot even be confined here.
pub async fn ask(
    program: &std::path::Path,
    environment: Vec<(String, String)>,
) -> Result<Report, AskError> {
    program::ask(program, "--probe-sandbox", environment, PATIENCE).await
}

/// Prints what this kernel gives, as JSON, after putting all of it on this process and trying
/// what must then fail: `framelane worker --probe-sandbox`.
///
/// # Errors
/// When stdout cannot be written.
pub fn print_report(policy: &Policy) -> anyhow::Result<()> {
    use std::io::Write;
    let mut report = confine(policy)?.seal()?;
    report.checks = check::all();
    let mut output = std::io::stdout();
    serde_json::to_writer(&mut output, &report)?;
    writeln!(output)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(given: [bool; 2]) -> Report {
        let mut report = Report::default();
        let layers = [SandboxLayer::Files, SandboxLayer::SystemCalls];
        for (layer, given) in layers.into_iter().zip(given) {
            let detail = || "a detail".to_owned();
            report.note(layer, if given { Ok(detail()) } else { Err(detail()) });
        }
        report.note(SandboxLayer::Namespace, Err("not allowed".to_owned()));
        report
    }

    #[test]
    fn only_a_required_layer_that_is_missing_keeps_a_worker_from_beginning() {
        let all = [Mode::Auto, Mode::Required, Mode::Off];
        for (given, mode) in all.iter().flat_map(|mode| {
            [[true, true], [true, false], [false, true]].map(|given| (given, *mode))
        }) {
            let begins = mode != Mode::Required || given == [true, true];
            let report = report(given);
            assert_eq!(report.suffices(mode).is_ok(), begins, "{given:?} {mode:?}");
            assert!(
                report
                    .missing()
                    .any(|gap| gap.layer == SandboxLayer::Namespace)
            );
        }
    }

    #[test]
    fn a_report_survives_the_way_through_json() {
        let report = report([true, false]);
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
