//! The program that worker processes run: the file that this process itself was started from,
//! even after another file took its place.
//!
//! A package upgrade replaces the program's file while the server runs. Workers started from
//! its path would then be another program than the one whose render fingerprint this node
//! registered. The kernel holds the file of a running program and offers it as [`OWN`]: it leads to
//! the same inode after a rename over the path and after an unlink, it cannot be written to while
//! the program runs, and there is no moment between the server's start and its opening.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;

/// The file of the process that opens or executes it. Between `fork` and `exec` a child still has
/// its parent's, so that executing it starts the parent's program again.
pub const OWN: &str = "/proc/self/exe";

/// What process lists show; they would show the last part of [`OWN`] otherwise.
pub(super) const NAME: &str = "framelane";

/// Why a process that was to answer one question did not.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It could not be started.
    #[error("a worker cannot be started")]
    Start(#[source] std::io::Error),
    /// It did not answer.
    #[error("the worker did not answer in {0:?}")]
    Late(Duration),
    /// It failed, or answered something else.
    #[error("the worker gave no answer: {0}")]
    Failed(String),
}

/// Starts `program worker FLAG` with `environment` and nothing else of this process's, and reads
/// its stdout as JSON. A process that has not ended within `patience` is killed.
///
/// # Errors
/// [`AskError`]; its words are the process's own where it gave some on stderr.
pub(super) async fn ask<T: DeserializeOwned>(
    program: &Path,
    flag: &str,
    environment: Vec<(String, String)>,
    patience: Duration,
) -> Result<T, AskError> {
    let mut command = std::process::Command::new(program);
    command
        .arg0(NAME)
        .args(["worker", flag])
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null());
    let answer = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output();
    let answer = tokio::time::timeout(patience, answer)
        .await
        .map_err(|_| AskError::Late(patience))?
        .map_err(AskError::Start)?;
    if !answer.status.success() {
        let words = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
        return Err(AskError::Failed(format!("{}: {words}", answer.status)));
    }
    serde_json::from_slice(&answer.stdout).map_err(|error| AskError::Failed(error.to_string()))
}

/// Gives this process the program's name in process lists; the kernel took it from [`OWN`].
pub(crate) fn set_process_name() {
    // Only for people; a kernel that refuses leaves `exe`.
    let _ = rustix::thread::set_name(c"framelane");
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(program: &str) -> Result<serde_json::Value, AskError> {
        ask(
            Path::new(program),
            "--none",
            Vec::new(),
            Duration::from_secs(20),
        )
        .await
    }

    #[tokio::test]
    async fn what_went_wrong_is_said() {
        let missing = asked("/nonexistent/program").await;
        assert!(matches!(missing, Err(AskError::Start(_))), "{missing:?}");
        for program in ["/bin/false", "/bin/true"] {
            let no_answer = asked(program).await;
            assert!(
                matches!(no_answer, Err(AskError::Failed(_))),
                "{program}: {no_answer:?}"
            );
        }
    }
}
