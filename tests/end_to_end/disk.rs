//! A data directory on a disk that fills up: by uploads, and from outside.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use chaos::api::Api;
use chaos::compositions::plain;
use chaos::node::NodeOptions;
use serde_json::{Value, json};

use crate::support::server::turn;

/// A render of a short text takes a second or two on an idle machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A small disk of its own: a `tmpfs` in a mount namespace, which a process holds.
struct Disk {
    holder: Child,
    mounted: PathBuf,
}

impl Disk {
    /// `None`, with the reason on standard error, where the system allows no mounts.
    fn mount(at: &Path, size: &str) -> Result<Option<Self>> {
        std::fs::create_dir_all(at)?;
        let script = format!(
            "mount -t tmpfs -o size={size} tmpfs '{}' && echo mounted && exec sleep 600",
            at.display()
        );
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to start unshare")?;
        let mut line = String::new();
        let stdout = holder.stdout.take().context("no stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() == "mounted" {
            return Ok(Some(Self {
                holder,
                mounted: at.to_owned(),
            }));
        }
        let ended = holder.wait_with_output()?;
        let reason = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        let is_forbidden = [
            "Operation not permitted",
            "Permission denied",
            "No space left",
        ]
        .iter()
        .any(|text| reason.contains(text));
        ensure!(is_forbidden, "no disk was mounted: {reason}");
        let mut stderr = std::io::stderr();
        writeln!(
            stderr,
            "SKIPPED: this system forbids user namespaces: {reason}"
        )?;
        Ok(None)
    }

    /// Its directory as this process sees it.
    fn path(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.mounted.strip_prefix("/").unwrap_or(&self.mounted))
    }

    /// A program that is `framelane serve` with its data on this disk.
    fn server(&self, script: &Path) -> Result<NodeOptions> {
        let text = format!(
            "#!/bin/sh\nexec nsenter --target {} --user --mount --preserve-credentials \
             '{}' serve --listen 127.0.0.1:0 --data-dir '{}/data'\n",
            self.holder.id(),
            env!("CARGO_BIN_EXE_framelane"),
            self.mounted.display(),
        );
        std::fs::write(script, text)?;
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755))?;
        Ok(NodeOptions::new(script).slots(1))
    }

    /// Writes a file until nothing more fits.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.path().join("fill");
        let mut file = std::fs::File::create(&path)?;
        for size in [1 << 20, 4096] {
            let chunk = vec![1; size];
            while file.write_all(&chunk).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Sends uploads of 2 MiB until one is refused, and gives how many arrived and the refusal.
async fn upload_until_refused(api: &Api) -> Result<(usize, String)> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    for count in 0..200 {
        let body = json!({"content_type": "video/mp4", "filename": "a.mp4"}).to_string();
        let created = api.request("POST", "/v1/uploads", &[], Some(body)).await?;
        if created.status != 201 {
            return Ok((count, created.error_code().to_owned()));
        }
        let url = created.body["upload_url"].as_str().context("no link")?;
        let sent = http
            .put(url)
            .header("content-type", "video/mp4")
            .body(vec![7; 2 << 20])
            .send()
            .await?;
        if !sent.status().is_success() {
            let refusal: Value = serde_json::from_slice(&sent.bytes().await?)?;
            let code = refusal["error"]["code"].as_str();
            return Ok((count, code.unwrap_or_default().to_owned()));
        }
    }
    bail!("400 MiB of uploads fit on the disk")
}

#[tokio::test]
async fn a_disk_that_fills_up_ends_nothing_and_work_goes_on_once_there_is_space() -> Result<()> {
    let turn = turn().await?;
    let Some(disk) = Disk::mount(&turn.bench.file("disk"), "64m")? else {
        return Ok(());
    };
    let server = disk.server(&turn.bench.file("serve.sh"))?;
    let mut node = server.start().await?;
    let api = node.api()?;

    let (arrived, refusal) = upload_until_refused(&api).await?;
    ensure!(refusal == "storage_full", "uploads end with {refusal}");
    ensure!(arrived >= 4, "only {arrived} uploads arrived");
    let id = api.submit(&plain("beside uploads")).await?;
    api.completed(&id, LIMIT).await?;

    let fill = disk.fill()?;
    until_refused(&api).await?;
    let cancelled = api.cancel(&id).await?;
    ensure!(
        cancelled.status == 409,
        "a cancel is judged: {}",
        cancelled.status
    );
    ensure!(api.get("/healthz").await?.status == 200, "it does not live");

    node.kill().await?;
    node.start_again().await.context("on the full disk")?;
    let api = node.api()?;
    until_refused(&api).await?;
    api.render(&id)
        .await
        .context("what was done is not known")?;

    std::fs::remove_file(fill)?;
    let begun = Instant::now();
    let id = loop {
        let answer = api.post(&plain("again")).await?;
        if answer.status == 202 {
            break answer.id()?;
        }
        ensure!(answer.error_code() == "storage_full", "{}", answer.body);
        ensure!(begun.elapsed() < LIMIT, "it stays full");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    api.completed(&id, LIMIT).await?;
    Ok(())
}

/// Submits until the answer is that there is no room, which a moment decides.
async fn until_refused(api: &Api) -> Result<()> {
    let begun = Instant::now();
    loop {
        let answer = api.post(&plain("too much")).await?;
        if answer.status == 503 && answer.error_code() == "storage_full" {
            ensure!(!answer.header("retry-after").is_empty(), "no Retry-After");
            return Ok(());
        }
        ensure!(answer.status == 202, "{}", answer.body);
        ensure!(begun.elapsed() < LIMIT, "a full disk takes everything");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_standard_error_that_takes_nothing_ends_nothing() -> Result<()> {
    let turn = turn().await?;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_framelane"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(turn.bench.file("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(full)
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().context("no stdout")?;
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(stdout));
    let line = tokio::time::timeout(LIMIT, lines.next_line()).await??;
    let line: Value = serde_json::from_str(&line.context("it ended before it listened")?)?;
    let edge = line["edge"].as_str().context("no address")?;
    let api = Api::new(edge, edge)?;
    let id = api.submit(&plain("unheard")).await?;
    api.completed(&id, LIMIT).await?;
    ensure!(child.try_wait()?.is_none(), "the server ended");

    // Neither can a command that has something to complain of.
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
    let ended = tokio::process::Command::new(env!("CARGO_BIN_EXE_framelane"))
        .args(["validate", "/nowhere.json"])
        .stdin(Stdio::null())
        .stdout(full()?)
        .stderr(full()?)
        .status()
        .await?;
    ensure!(ended.code() == Some(1), "it ended with {ended}");
    Ok(())
}
