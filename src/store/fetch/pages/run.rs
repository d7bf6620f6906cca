//! One run of the program: its arguments, how it is watched, and what is taken from it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use url::Url;

use super::YtDlp;
use super::fence::{Fence, start};
use super::proxy::Proxy;
use crate::store::fetch::FetchLimits;
use crate::store::fetch::error::FetchError;
use crate::store::fetch::guard::Guard;
use crate::store::fetch::pace::Pace;
use crate::store::fetch::progress::Meter;

/// Pages, scripts and headers, beside the video.
const SLACK: u64 = 64 << 20;
/// Of memory, with whatever program it starts.
const MEMORY: u64 = 2 << 30;
/// For a large Python program to ask its first question.
const WARM_UP: Duration = Duration::from_secs(60);
/// For pages and scripts, until the first bytes of the video are there.
const LOOK_FOR_VIDEO: Duration = Duration::from_secs(300);
/// Between two looks at it.
const TICK: Duration = Duration::from_millis(100);
/// Where it writes the title, in its home.
const TITLE: &str = "title";
/// Bytes kept of its output.
const TAIL: usize = 16 << 10;
/// Characters of its output in an error.
const MESSAGE_LEN: usize = 300;

/// A video that was downloaded.
#[derive(Debug)]
pub(in crate::store::fetch) struct Found {
    pub(in crate::store::fetch) file: PathBuf,
    pub(in crate::store::fetch) title: Option<String>,
    /// Holds the file; removed with this.
    _directory: Directory,
}

/// What one run needs.
pub(super) struct ProgramRun<'a> {
    pub(super) tool: &'a YtDlp,
    pub(super) guard: &'a Guard,
    pub(super) limits: &'a FetchLimits,
    pub(super) page: &'a Url,
}

/// What it left behind.
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl ProgramRun<'_> {
    pub(super) async fn to_the_end(
        &self,
        scratch: &Path,
        meter: &dyn Meter,
    ) -> Result<Found, FetchError> {
        let directory = Directory::create(scratch).map_err(|e| FetchError::from_io(&e))?;
        let most = self.limits.bytes.saturating_add(SLACK);
        let proxy = Proxy::start(self.guard.clone(), self.limits.connect, most)
            .await
            .map_err(|error| FetchError::Storage(format!("no proxy: {error}")))?;
        let work = self.watched(&directory, &proxy, meter);
        let ended = timeout(self.limits.total, work)
            .await
            .map_err(|_| FetchError::TooLong(self.limits.total))??;
        let files = files_in(&directory.out()).map_err(|e| FetchError::from_io(&e))?;
        match files.as_slice() {
            [(file, size)] if ended.status.success() => {
                if *size > self.limits.bytes {
                    return Err(FetchError::TooLarge(self.limits.bytes));
                }
                Ok(Found {
                    file: file.clone(),
                    title: title(&directory.home().join(TITLE)),
                    _directory: directory,
                })
            }
            _ => Err(self.failure(&ended, &proxy, &directory)),
        }
    }

    /// Runs it until it ends by itself, or has to be ended.
    async fn watched(
        &self,
        directory: &Directory,
        proxy: &Proxy,
        meter: &dyn Meter,
    ) -> Result<Ended, FetchError> {
        let fence = Fence {
            port: proxy.address().port(),
            directory: directory.0.clone(),
            file_bytes: self.limits.bytes.saturating_add(1),
            memory_bytes: MEMORY,
        };
        let started = start(self.command(directory, proxy), fence).await;
        // However this function is left, the group is killed.
        let (mut child, _group) = started.map_err(|error| {
            tracing::warn!(program = %self.tool.program.display(), %error, "yt-dlp cannot be started");
            FetchError::Unsupported("yt-dlp cannot be started here".to_owned())
        })?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let mut talk = std::pin::pin!(async { tokio::join!(tail(out), tail(err), child.wait()) });
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let begun = Instant::now();
        let (mut seen, mut since) = ((0, 0), begun);
        let mut pace: Option<Pace> = None;
        loop {
            let ended = tokio::select! {
                (stdout, stderr, status) = &mut talk => {
                    let status = status.map_err(|error| FetchError::from_io(&error))?;
                    Some(Ended { status, stdout, stderr })
                }
                _ = ticks.tick() => None,
            };
            // Also after its end: a short download arrives and ends between two looks.
            let now = (proxy.received(), size_of(&directory.out()));
            if now != seen {
                meter.arrived(now.0 - seen.0, now.0, None);
                (seen, since) = (now, Instant::now());
            }
            if let Some(ended) = ended {
                return Ok(ended);
            }
            if proxy.exceeded() || now.1 > self.limits.bytes.saturating_mul(2) {
                return Err(FetchError::TooLarge(self.limits.bytes));
            }
            // When it joins pictures and sound at the end, nothing comes but a file grows.
            let moved = now.0.max(now.1);
            match &mut pace {
                Some(pace) => pace.check(self.limits, moved, Instant::now())?,
                None if now.1 > 0 => pace = Some(Pace::begin(self.limits, moved)),
                None if begun.elapsed() > LOOK_FOR_VIDEO => {
                    return Err(FetchError::TooLong(LOOK_FOR_VIDEO));
                }
                None => {}
            }
            let patience = if now.0 == 0 {
                WARM_UP
            } else {
                self.limits.idle
            };
            if since.elapsed() > patience.max(self.limits.idle) {
                return Err(FetchError::Idle(self.limits.idle));
            }
        }
    }

    fn command(&self, directory: &Directory, proxy: &Proxy) -> Command {
        let mut command = Command::new(&self.tool.program);
        let seconds = self.limits.idle.as_secs().max(1).to_string();
        // What the site sends as one file over HTTP, or pictures and sound where there is
        // something to join them with. Nothing that another program would have to download.
        let allowed = "[protocol~='^(https?|m3u8_native|http_dash_segments)$']";
        let formats = if self.tool.ffmpeg {
            format!("bv*{allowed}+ba{allowed}/b{allowed}/bv*{allowed}/ba{allowed}")
        } else {
            format!("b{allowed}/bv*{allowed}/ba{allowed}")
        };
        command
            .args(["--ignore-config", "--no-cache-dir", "--no-playlist"])
            .args(["--playlist-items", "1", "--match-filters", "!is_live"])
            .args(["--format", &formats])
            // What every build can decode comes before what is largest.
            .args(["--format-sort", "res:1080,vcodec:h264,acodec:aac"])
            .args(["--merge-output-format", "mp4/mkv"])
            .args(["--max-filesize", &self.limits.bytes.to_string()])
            .args(["--socket-timeout", &seconds])
            .args(["--retries", "3", "--fragment-retries", "3"])
            .args([
                "--abort-on-unavailable-fragment",
                "--no-part",
                "--no-continue",
            ])
            .args(["--no-mtime", "--no-warnings", "--no-progress"])
            .args(["--print-to-file", "after_move:%(title)j", TITLE])
            // It runs in its home: an absolute path could look like a template.
            .args(["--no-simulate", "--output", "../out/video.%(ext)s"])
            .args(["--", self.page.as_str()]);
        command.env_clear();
        for kept in ["PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        // By variables, because the option of that name leaves out ftp in older versions.
        for scheme in ["http", "https", "ftp", "all"] {
            command.env(format!("{scheme}_proxy"), proxy.url());
            command.env(format!("{}_PROXY", scheme.to_uppercase()), proxy.url());
        }
        command
            .env("LANG", "C.UTF-8")
            .env("PYTHONUTF8", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("HOME", directory.home())
            .env("XDG_CONFIG_HOME", directory.home())
            .env("XDG_CACHE_HOME", directory.home())
            .env("XDG_DATA_HOME", directory.home())
            .env("TMPDIR", directory.home())
            .current_dir(directory.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn failure(&self, ended: &Ended, proxy: &Proxy, directory: &Directory) -> FetchError {
        if let Some(forbidden) = proxy.refused() {
            return FetchError::Forbidden(forbidden);
        }
        let all = format!("{}\n{}", ended.stdout, ended.stderr);
        if all.contains("No space left on device") {
            return FetchError::StorageFull;
        }
        if all.contains("max-filesize") || all.contains("File too large") {
            return FetchError::TooLarge(self.limits.bytes);
        }
        let lines = ended.stderr.lines().rev().map(str::trim);
        let mut errors = lines.filter_map(|line| line.strip_prefix("ERROR: "));
        let Some(error) = errors.next() else {
            tracing::debug!(status = %ended.status, output = %all, "yt-dlp left no video");
            return FetchError::Unsupported(
                "the link gives a web page, and no video was found on it that can be downloaded"
                    .to_owned(),
            );
        };
        // The program's hints to its operator are not for the client.
        let error = error
            .split("; please report this issue")
            .next()
            .unwrap_or(error);
        let error = error
            .replace(&proxy.url(), "the proxy")
            .replace(&proxy.address().to_string(), "the proxy")
            .replace(&*directory.0.to_string_lossy(), "the directory");
        let error: String = error
            .chars()
            .filter(|c| !c.is_control())
            .take(MESSAGE_LEN)
            .collect();
        FetchError::Unsupported(format!(
            "the link gives a web page, and yt-dlp cannot get its video: {error}"
        ))
    }
}

/// The title from the file that the program writes, in JSON: it may contain any characters.
fn title(file: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(file).ok()?;
    file.take(TAIL as u64).read_to_string(&mut text).ok()?;
    serde_json::from_str(text.lines().next()?).ok()
}

/// Reads to the end and keeps the last of it.
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            kept.extend_from_slice(&buffer[..read]);
            kept.drain(..kept.len().saturating_sub(TAIL));
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Every regular file in a directory, with its size.
fn files_in(directory: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // Links are not followed: one that was put there could lead anywhere.
        let about = entry.metadata()?;
        if about.is_file() {
            files.push((entry.path(), about.len()));
        }
    }
    Ok(files)
}

/// Bytes in a directory's files. One that is being moved counts when it has arrived.
fn size_of(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| Some(entry.metadata().ok()?.len()));
    sizes.sum()
}

/// The directory of one run; removed when it is over.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn create(scratch: &Path) -> io::Result<Self> {
        // The program runs elsewhere: the path must hold from there.
        let scratch = std::path::absolute(scratch)?;
        let directory = Self(scratch.join(format!("page-{:016x}", rand::random::<u64>())));
        std::fs::create_dir(&directory.0)?;
        std::fs::create_dir(directory.out())?;
        std::fs::create_dir(directory.home())?;
        Ok(directory)
    }

    fn out(&self) -> PathBuf {
        self.0.join("out")
    }

    fn home(&self) -> PathBuf {
        self.0.join("home")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What was killed a moment ago may have made one more file while the first try went on.
        let removed =
            std::fs::remove_dir_all(&self.0).or_else(|_| std::fs::remove_dir_all(&self.0));
        if let Err(error) = removed {
            tracing::warn!(%error, "a working directory stays behind");
        }
    }
}
