//! A render cancelled while it is processed stops at once and leaves nothing behind.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Bench, Figure, Figures, RENDER_LIMIT, Scale};
use crate::compositions::busy;
use crate::node::Node;

/// By then every trace of the work is gone.
const LIMIT: Duration = Duration::from_secs(2);

/// Cancels a long render in the middle of its segments.
///
/// # Errors
/// When work goes on for more than 2 s, or scratch files stay.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let clip = bench.repository_file("tests/media/bigbuckbunny.mp4")?;
    tokio::fs::copy(clip, bench.file("clip.mp4")).await?;
    let origin = bench.origin().await?;
    let node = bench.node().start().await?;
    let api = node.api()?;
    let size = scale.pick((640, 360), (1920, 1080));
    let id = api.submit(&busy(&origin.url("clip.mp4"), size, 60)).await?;
    api.progressed(&id, 0.03, RENDER_LIMIT).await?;
    let scratch_before = scratch_files(&node)?;

    let asked = Instant::now();
    let answer = api.cancel(&id).await?;
    ensure!(
        answer.status == 200,
        "answered {}: {}",
        answer.status,
        answer.body
    );
    ensure!(
        answer.body["status"] == "cancelled",
        "{}",
        answer.body["status"]
    );
    let idle_after = idle(&node, asked).await?;
    let left = loop {
        let left = scratch_files(&node)?;
        if left.is_empty() || asked.elapsed() > LIMIT {
            break left;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    ensure!(left.is_empty(), "scratch files stay: {left:?}");
    let render = api.render(&id).await?;
    ensure!(
        render["status"] == "cancelled",
        "it became {}",
        render["status"]
    );
    let again = api.cancel(&id).await?;
    ensure!(again.status == 200, "repeated: {}", again.status);
    Ok(vec![
        Figure::new(
            "workers idle or dead after",
            format!("{} ms", idle_after.as_millis()),
        ),
        Figure::new(
            "scratch files",
            format!("{} before, 0 after", scratch_before.len()),
        ),
    ])
}

/// How long after `asked` no worker works any more.
async fn idle(node: &Node, asked: Instant) -> Result<Duration> {
    let window = Duration::from_millis(200);
    loop {
        let begun = asked.elapsed();
        let workers = node.workers()?;
        let before: u64 = workers.iter().map(|worker| worker.cpu_ticks()).sum();
        tokio::time::sleep(window).await;
        let after: u64 = workers.iter().map(|worker| worker.cpu_ticks()).sum();
        // One tick in the window may be a timer; a worker that renders uses twenty.
        if after <= before + 1 {
            return Ok(begun);
        }
        ensure!(
            asked.elapsed() <= LIMIT,
            "a worker still works after {LIMIT:?}"
        );
    }
}

pub(super) fn scratch_files(node: &Node) -> Result<Vec<String>> {
    let mut found = Vec::new();
    collect(&node.data_dir().join("scratch"), &mut found)?;
    Ok(found)
}

fn collect(directory: &Path, found: &mut Vec<String>) -> Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else {
            found.push(path.display().to_string());
        }
    }
    Ok(())
}
