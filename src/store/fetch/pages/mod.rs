//! Web pages that show a video, by way of `yt-dlp`, a program that an operator may install.
//!
//! It is third-party code that connects to whatever a page names, so it is restricted: to the
//! network guard by our own proxy, which is the only thing it can connect to; to a
//! directory of its own; and to limits of time, bytes and memory.

mod fence;
mod proxy;
mod run;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use url::Url;

use super::error::FetchError;
use super::guard::Guard;
use super::limits::FetchLimits;
use super::progress::Meter;
use run::{Found, ProgramRun};

/// For saying its version: it is a large Python program.
const START: Duration = Duration::from_secs(30);

/// The program, where it is installed.
#[derive(Debug, Clone)]
pub struct YtDlp {
    program: PathBuf,
    /// Joins separate pictures and sound, which most large sites send.
    ffmpeg: bool,
}

impl YtDlp {
    /// What the setting `media.yt_dlp` means here: `auto` is one on the path, if there is
    /// one; nothing is none; anything else is the program's own path.
    pub fn find(setting: &str) -> Option<Self> {
        let program = match setting {
            "" => return None,
            "auto" => on_path("yt-dlp")?,
            path => path.into(),
        };
        Some(Self {
            program,
            ffmpeg: on_path("ffmpeg").is_some(),
        })
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Whether it can join pictures and sound that a site sends separately.
    pub fn joins(&self) -> bool {
        self.ffmpeg
    }

    /// Its version, as it reports it.
    ///
    /// # Errors
    /// The reason, when it cannot be run.
    pub async fn version(&self) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.args(["--ignore-config", "--version"]);
        command
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(START, command.output())
            .await
            .map_err(|_| format!("it printed nothing within {START:?}"))?
            .map_err(|error| error.to_string())?;
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && !version.is_empty() {
            Ok(version)
        } else {
            Err(format!("it ended with {}", output.status))
        }
    }

    /// Downloads the video that a page shows.
    pub(super) async fn download(
        &self,
        guard: &Guard,
        limits: &FetchLimits,
        page: &Url,
        scratch: &Path,
        meter: &dyn Meter,
    ) -> Result<Found, FetchError> {
        let run = ProgramRun {
            tool: self,
            guard,
            limits,
            page,
        };
        run.to_the_end(scratch, meter).await
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let directories = std::env::var_os("PATH")?;
    std::env::split_paths(&directories)
        .map(|directory| directory.join(OsStr::new(name)))
        .find(|program| is_executable(program))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}
