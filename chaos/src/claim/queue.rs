//! A long queue costs nobody: as many renders finish with a hundred thousand waiting as with
//! a thousand, each takes little memory, and neither a restart nor a snapshot takes long.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Bench, Figure, Figures, Scale};
use crate::api::Api;
use crate::node::Node;

/// Submits under way at one time.
const CLIENTS: usize = 32;
/// What the rate may lose.
const RATE_LOSS: f64 = 0.10;
/// Bytes of memory that a queued render may take.
const BYTES_EACH: u64 = 3 << 10;
/// The longest restart, and the longest snapshot.
const PAUSE_LIMIT: Duration = Duration::from_secs(5);
/// Time for the rate to become steady.
const SETTLING: Duration = Duration::from_secs(5);

/// Measures with a short queue, fills it, measures again, and restarts.
///
/// # Errors
/// When the rate, the memory or a time is not as promised.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let few = scale.pick(100, 1_000);
    let many = scale.pick(1_000, 100_000);
    let window = Duration::from_secs(scale.pick(5, 60));
    let mut node = bench
        .node()
        .slots(2)
        .with("LIMITS__QUEUED_PER_WORKSPACE", &(many * 2))
        .with("RENDER__STALL_TIMEOUT", &"1h")
        .start()
        .await?;
    let api = node.api()?;
    let snapshots = SnapshotWatch::start(&node.data_dir());

    fill(&api, few).await?;
    tokio::time::sleep(SETTLING).await;
    let short = rate(&api, few, window).await?;

    let (took, each) = grow(&node, few, many).await?;
    let long = rate(&api, many, window).await?;

    let queued = waiting(&api).await?;
    let killed = Instant::now();
    node.kill().await?;
    node.start_again().await?;
    let restart = killed.elapsed();
    let kept = waiting(&node.api()?).await?;
    let (taken, longest) = snapshots.stop().await;

    let loss = 1.0 - long / short;
    let figures = vec![
        Figure::new(
            format!("{few} queued"),
            format!("{short:.1} finished a second"),
        ),
        Figure::new(
            format!("{many} queued"),
            format!("{long:.1} finished a second ({:+.1} %)", -100.0 * loss),
        ),
        Figure::new("memory of a queued render", format!("{each} bytes")),
        Figure::new(
            format!("restart with {queued} queued, until it listens"),
            format!("{:.2} s", restart.as_secs_f64()),
        ),
        Figure::new(
            format!("longest of {taken} snapshots"),
            format!("{:.2} s", longest.as_secs_f64()),
        ),
        Figure::new(
            format!("{} submits", many - few),
            format!("{:.0} s, {CLIENTS} at once", took.as_secs_f64()),
        ),
    ];
    let seen = || Figure::told(&figures);
    ensure!(loss <= RATE_LOSS, "the rate falls: {}", seen());
    ensure!(
        each <= BYTES_EACH,
        "a queued render takes too much: {}",
        seen()
    );
    ensure!(restart <= PAUSE_LIMIT, "the restart takes long: {}", seen());
    ensure!(taken > 0 || scale == Scale::Small, "no snapshot was taken");
    ensure!(longest <= PAUSE_LIMIT, "a snapshot takes long: {}", seen());
    // Two slots finish what they had begun; nothing else may be missing.
    ensure!(
        kept + 1_000 >= queued,
        "{kept} of {queued} are left: {}",
        seen()
    );
    Ok(figures)
}

/// The cheapest film there is.
fn tiny() -> Value {
    json!({
        "width": 16, "height": 16, "duration": 0.04, "frame_rate": 25,
        "elements": [{"type": "text", "text": "q", "duration": 0.04}],
    })
}

/// Submits so many renders.
async fn fill(api: &Api, count: u64) -> Result<()> {
    let composition = tiny();
    futures::stream::iter(0..count)
        .map(|_| api.submit(&composition))
        .buffer_unordered(CLIENTS)
        .try_for_each(|_| async { Ok(()) })
        .await
}

/// Lengthens the queue while nothing is rendered; gives the time it took and the bytes of
/// memory that each render took.
async fn grow(node: &Node, few: u64, many: u64) -> Result<(Duration, u64)> {
    let (api, server) = (node.api()?, node.process()?);
    let workers = node.workers()?;
    for worker in &workers {
        worker.signal(Signal::STOP)?;
    }
    let before = (waiting(&api).await?, server.resident_memory());
    let begun = Instant::now();
    fill(&api, many - few).await?;
    let took = begun.elapsed();
    tokio::time::sleep(SETTLING).await;
    let after = (waiting(&api).await?, server.resident_memory());
    for worker in &workers {
        worker.signal(Signal::CONT)?;
    }
    let renders = after.0.saturating_sub(before.0).max(1);
    Ok((took, after.1.saturating_sub(before.1) / renders))
}

/// Renders finished a second during `window`, while the queue is held at its length.
async fn rate(api: &Api, length: u64, window: Duration) -> Result<f64> {
    let before = waiting(api).await?;
    let begun = Instant::now();
    let mut submitted = 0;
    while begun.elapsed() < window {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let missing = length.saturating_sub(waiting(api).await?);
        fill(api, missing).await?;
        submitted += missing;
    }
    let took = begun.elapsed().as_secs_f64();
    let finished = (before + submitted).saturating_sub(waiting(api).await?);
    let finished = u32::try_from(finished).context("too many to count")?;
    Ok(f64::from(finished) / took)
}

/// Renders that are not done, by the server's own count.
async fn waiting(api: &Api) -> Result<u64> {
    let answer = api.get("/metrics").await?;
    let text = answer.body.as_str().context("no metrics")?;
    let gauge = |name: &str| -> Result<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let value = line.with_context(|| format!("no {name}"))?.trim();
        let whole = value.split('.').next().unwrap_or(value);
        Ok(whole.parse()?)
    };
    Ok(gauge("framelane_queue_depth ")? + gauge("framelane_renders_processing ")?)
}

/// Times snapshots from outside: from when a file was made in their directory until it was
/// last written to.
struct SnapshotWatch {
    task: tokio::task::JoinHandle<()>,
    taken: Arc<AtomicU64>,
    longest: Arc<AtomicU64>,
}

impl SnapshotWatch {
    fn start(data_dir: &Path) -> Self {
        let directory = data_dir.join("raft/snapshots");
        let (taken, longest) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let task = tokio::spawn({
            let (taken, longest) = (Arc::clone(&taken), Arc::clone(&longest));
            async move {
                let mut last = PathBuf::new();
                loop {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let Some((file, time)) = newest(&directory) else {
                        continue;
                    };
                    longest.fetch_max(time, Ordering::Relaxed);
                    if file != last {
                        last = file;
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        Self {
            task,
            taken,
            longest,
        }
    }

    async fn stop(self) -> (u64, Duration) {
        self.task.abort();
        let _ = self.task.await;
        let longest = Duration::from_millis(self.longest.load(Ordering::Relaxed));
        (self.taken.load(Ordering::Relaxed), longest)
    }
}

/// The snapshot that counts and the milliseconds that its file was written for.
fn newest(directory: &Path) -> Option<(PathBuf, u64)> {
    let entries = std::fs::read_dir(directory).ok()?;
    let (path, metadata) = entries
        .flatten()
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .max_by_key(|(_, metadata)| metadata.created().unwrap_or(SystemTime::UNIX_EPOCH))?;
    let written = metadata.modified().ok()?;
    let time = written.duration_since(metadata.created().ok()?).ok()?;
    Some((path, u64::try_from(time.as_millis()).ok()?))
}
