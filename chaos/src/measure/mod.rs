//! Judging finished files with `ffprobe` and `ffmpeg`, never with the product's own code.

pub mod boxes;
pub mod pictures;
pub mod probe;
pub mod sound;

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

/// No single look at a file takes longer than this.
const TOOL_LIMIT: Duration = Duration::from_secs(300);

/// Runs a tool and returns what it printed; what it complained of is in the error.
///
/// # Errors
/// When it is not there, fails or does not end.
pub async fn run<I, S>(program: &str, arguments: I) -> Result<Vec<u8>>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let running = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(TOOL_LIMIT, running)
        .await
        .with_context(|| format!("{program} did not end in time"))?
        .with_context(|| format!("failed to run {program}"))?;
    if !output.status.success() {
        bail!(
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}
