//! A data directory on a disk that fills up: by uploads, and from outside.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use chaos::api::Api;
use chaos::compositions::plain;
use chaos::small_disk::{Mounted, SmallDisk};
use serde_json::{Value, json};

use crate::support::server::turn;

/// A render of a short text takes a second or two on an idle machine.
const LIMIT: Duration = Duration::from_secs(60);

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
    let disk = match SmallDisk::mount(&turn.bench.file("disk"), "64m")? {
        Mounted::Disk(disk) => disk,
        Mounted::Forbidden(reason) => {
            let skipped = format!("SKIPPED: this system forbids user namespaces: {reason}\n");
            return Ok(std::io::stderr().write_all(skipped.as_bytes())?);
        }
    };
    let binary = Path::new(env!("CARGO_BIN_EXE_framelane"));
    let server = disk.server(binary, &turn.bench.file("serve.sh"))?.slots(1);
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
