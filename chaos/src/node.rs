//! One `framelane serve` as a child process: started, asked, killed, started again on the
//! same data.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::api::Api;
use crate::process::{Process, descendants};
use crate::s3::S3Server;

/// A node that does not say that it listens within this time has failed to start.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How to start a node.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    binary: PathBuf,
    settings: Vec<(String, String)>,
    port: u16,
}

impl NodeOptions {
    /// A node of `binary` that may fetch from loopback and keeps no segment cache, so that
    /// every render is really rendered.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            settings: Vec::new(),
            port: 0,
        }
        .with("MEDIA__ALLOW_PRIVATE_NETWORKS", &true)
        .with("CACHE__MAX_BYTES", &"0")
    }

    /// Sets one configuration key, `SECTION__KEY`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &impl ToString) -> Self {
        self.settings
            .push((format!("FRAMELANE__{key}"), value.to_string()));
        self
    }

    /// Sets a variable of its environment that is no configuration key.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Keeps objects in a bucket of `server`, under `framelane/`.
    #[must_use]
    pub fn in_bucket(mut self, server: &S3Server, bucket: &str) -> Self {
        let credentials = [
            ("AWS_ACCESS_KEY_ID", &server.access_key),
            ("AWS_SECRET_ACCESS_KEY", &server.secret_key),
        ];
        let credentials = credentials.map(|(name, value)| (name.to_owned(), value.clone()));
        self.settings.extend(credentials);
        self.with("STORAGE__URL", &format!("s3://{bucket}/framelane"))
            .with("STORAGE__ENDPOINT", &server.endpoint)
    }

    /// Listens on this port, through all starts, instead of a fresh one each time.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The number of worker processes.
    #[must_use]
    pub fn slots(self, slots: u32) -> Self {
        self.with("RENDER__SLOTS", &slots)
    }

    /// The length of a segment in frames.
    #[must_use]
    pub fn segment_frames(self, frames: u64) -> Self {
        self.with("RENDER__SEGMENT_FRAMES", &frames)
    }

    /// Starts a node on a data directory of its own.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(&self) -> Result<Node> {
        let home = tempfile::Builder::new()
            .prefix("framelane-")
            .tempdir()
            .context("failed to make a data directory")?;
        let running = Running::start(self, home.path()).await?;
        Ok(Node {
            options: self.clone(),
            running: Some(running),
            home,
        })
    }
}

/// A running node and its data. Dropping it kills it and removes the data.
#[derive(Debug)]
pub struct Node {
    options: NodeOptions,
    running: Option<Running>,
    home: TempDir,
}

#[derive(Debug)]
struct Running {
    child: Child,
    process: Process,
    edge: String,
    admin: String,
    listening: Instant,
}

impl Running {
    async fn start(options: &NodeOptions, home: &Path) -> Result<Self> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(home.join("stderr.log"))
            .context("failed to open the node's log")?;
        let mut child = Command::new(&options.binary)
            .args(["serve", "--listen"])
            .arg(format!("127.0.0.1:{}", options.port))
            .arg("--data-dir")
            .arg(home.join("data"))
            .envs(options.settings.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {}", options.binary.display()))?;
        let pid = child.id().context("the node ended at once")?;
        let process = Process::of(pid).context("the node ended at once")?;
        let stdout = child.stdout.take().context("the node has no stdout")?;
        let line = match tokio::time::timeout(START_LIMIT, listening_line(stdout)).await {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => bail!("{error:#}; its log ends: {}", log_tail(home)),
            Err(_) => bail!(
                "no listening line in time; its log ends: {}",
                log_tail(home)
            ),
        };
        let address = |name: &str| {
            line.get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .with_context(|| format!("the listening line names no {name}"))
        };
        Ok(Self {
            process,
            edge: address("edge")?,
            admin: address("admin")?,
            listening: Instant::now(),
            child,
        })
    }
}

/// Reads up to the listening line; what follows on stdout is read and dropped, so that the
/// node never blocks on a full pipe.
async fn listening_line(stdout: tokio::process::ChildStdout) -> Result<Value> {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        let Ok(value) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        if value.get("event").and_then(Value::as_str) == Some("listening") {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(value);
        }
    }
    bail!("the node ended before it listened")
}

fn log_tail(home: &Path) -> String {
    let log = std::fs::read_to_string(home.join("stderr.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

impl Node {
    fn running(&self) -> Result<&Running> {
        self.running.as_ref().context("the node is not running")
    }

    /// A client of its API.
    ///
    /// # Errors
    /// When the node is not running.
    pub fn api(&self) -> Result<Api> {
        let running = self.running()?;
        Api::new(&running.edge, &running.admin)
    }

    /// When its listening line was read.
    ///
    /// # Errors
    /// When the node is not running.
    pub fn listening_since(&self) -> Result<Instant> {
        Ok(self.running()?.listening)
    }

    /// The server process.
    ///
    /// # Errors
    /// When the node is not running.
    pub fn process(&self) -> Result<Process> {
        Ok(self.running()?.process)
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// From the next start on, these options.
    pub fn reconfigure(&mut self, options: NodeOptions) {
        self.options = options;
    }

    /// The last lines it logged.
    pub fn log_tail(&self) -> String {
        log_tail(self.home.path())
    }

    /// Its worker processes.
    ///
    /// # Errors
    /// When the node is not running.
    pub fn workers(&self) -> Result<Vec<Process>> {
        Ok(descendants(self.process()?.pid)
            .into_iter()
            .filter(|process| {
                process
                    .arguments()
                    .get(1)
                    .is_some_and(|arg| arg == "worker")
            })
            .collect())
    }

    /// The worker that uses most processor time during the next moments.
    ///
    /// # Errors
    /// When there is no worker.
    pub async fn busiest_worker(&self) -> Result<Process> {
        let workers = self.workers()?;
        let before: Vec<u64> = workers.iter().map(|worker| worker.cpu_ticks()).collect();
        tokio::time::sleep(Duration::from_millis(60)).await;
        workers
            .into_iter()
            .zip(before)
            .max_by_key(|(worker, before)| worker.cpu_ticks().saturating_sub(*before))
            .map(|(worker, _)| worker)
            .context("the node has no worker")
    }

    /// Kills the server outright, as a power cut would, and reaps it.
    ///
    /// # Errors
    /// When the node is not running.
    pub async fn kill(&mut self) -> Result<()> {
        let mut running = self.running.take().context("the node is not running")?;
        running
            .child
            .kill()
            .await
            .context("failed to kill the node")
    }

    /// Asks the server to stop, and waits until it has.
    ///
    /// # Errors
    /// When it is not running or does not stop within `limit`.
    pub async fn stop(&mut self, limit: Duration) -> Result<()> {
        let mut running = self.running.take().context("the node is not running")?;
        running.process.signal(Signal::TERM)?;
        let status = tokio::time::timeout(limit, running.child.wait())
            .await
            .context("the node did not stop in time")??;
        anyhow::ensure!(status.success(), "the node stopped with {status}");
        Ok(())
    }

    /// Starts the server again on the same data.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_again(&mut self) -> Result<()> {
        self.running = Some(Running::start(&self.options, self.home.path()).await?);
        Ok(())
    }
}
