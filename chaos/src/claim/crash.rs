//! Killed workers and killed servers lose nothing, and nothing is rendered twice that was
//! committed once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Bench, Figure, Figures, RENDER_LIMIT, Scale};
use crate::api::{Api, DoneSegment, Job, is_terminal};
use crate::compositions::busy;
use crate::measure::probe::stream_digests;
use crate::node::Node;
use crate::process::descendants;

const MARKS: [f64; 3] = [0.1, 0.5, 0.9];
/// Work goes on this soon after the listening line.
const RESUME_LIMIT: Duration = Duration::from_secs(3);
/// Nothing of a killed server is alive after this.
const ORPHAN_LIMIT: Duration = Duration::from_secs(2);

struct Trial {
    composition: Value,
    undisturbed: Duration,
    digests: Vec<String>,
}

/// Kills a worker, then the server, at 10, 50 and 90 % of a render.
///
/// # Errors
/// When a render does not complete under its id with the undisturbed streams.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let clip = bench.repository_file("tests/media/bigbuckbunny.mp4")?;
    tokio::fs::copy(clip, bench.file("clip.mp4")).await?;
    let origin = bench.origin().await?;
    let size = scale.pick((640, 360), (1280, 720));
    let composition = busy(&origin.url("clip.mp4"), size, scale.pick(6, 12));
    let mut node = bench.node().segment_frames(30).start().await?;
    // The first render warms the node up, the second is the measure.
    drop(bench.rendered(&node.api()?, &composition).await?);
    let begun = Instant::now();
    let made = bench.rendered(&node.api()?, &composition).await?;
    let trial = Trial {
        composition,
        undisturbed: begun.elapsed(),
        digests: stream_digests(&made.file).await?,
    };
    let mut figures = vec![Figure::new(
        "undisturbed",
        format!("{:.1} s", trial.undisturbed.as_secs_f64()),
    )];
    for mark in MARKS {
        figures.push(kill_worker(bench, &node, &trial, mark).await?);
    }
    for mark in MARKS {
        figures.push(kill_server(bench, &mut node, &trial, mark).await?);
    }
    Ok(figures)
}

/// Waits for the mark by progress, or by the time an undisturbed render needs to get there.
async fn reach(api: &Api, id: &str, trial: &Trial, mark: f64) -> Result<Value> {
    let begun = Instant::now();
    let due = trial.undisturbed.mul_f64(mark);
    loop {
        let render = api.render(id).await?;
        ensure!(!is_terminal(&render), "it ended before {mark}: {render}");
        let progress = render["progress"].as_f64().unwrap_or(0.0);
        if progress >= mark || (begun.elapsed() >= due && render["status"] == "processing") {
            return Ok(render);
        }
        ensure!(
            begun.elapsed() < RENDER_LIMIT,
            "it does not get on: {render}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn kill_worker(bench: &Bench, node: &Node, trial: &Trial, mark: f64) -> Result<Figure> {
    let api = node.api()?;
    let id = api.submit(&trial.composition).await?;
    reach(&api, &id, trial, mark).await?;
    let committed = api.job(&id).await?.done_segments();
    node.busiest_worker().await?.kill()?;
    let made = bench.collected(&api, &id).await?;
    let job = api.job(&id).await?;
    ensure_kept(&committed, &job.done_segments())?;
    ensure_same(trial, &stream_digests(&made.file).await?)?;
    Ok(Figure::new(
        format!("worker killed at {:.0} %", mark * 100.0),
        format!(
            "completed, streams equal; {} segments committed before, {} tried again",
            committed.len(),
            job.retried_segments()
        ),
    ))
}

async fn kill_server(bench: &Bench, node: &mut Node, trial: &Trial, mark: f64) -> Result<Figure> {
    let api = node.api()?;
    let id = api.submit(&trial.composition).await?;
    reach(&api, &id, trial, mark).await?;
    let before = api.job(&id).await?;
    let committed = before.done_segments();
    let family = descendants(node.process()?.pid);
    let killed = Instant::now();
    node.kill().await?;
    while family.iter().any(|process| process.is_alive()) {
        ensure!(
            killed.elapsed() < ORPHAN_LIMIT,
            "a worker outlives its server"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let orphaned = killed.elapsed();
    node.start_again().await?;
    let api = node.api()?;
    let resumed = resumed(&api, &id, &before, node.listening_since()?).await?;
    let made = bench.collected(&api, &id).await?;
    ensure!(made.render["id"] == Value::from(id.as_str()), "another id");
    ensure_kept(&committed, &api.job(&id).await?.done_segments())?;
    ensure_same(trial, &stream_digests(&made.file).await?)?;
    Ok(Figure::new(
        format!("server killed at {:.0} %", mark * 100.0),
        format!(
            "completed, streams equal; {} segments kept, work again after {} ms, no process after {} ms",
            committed.len(),
            resumed.as_millis(),
            orphaned.as_millis()
        ),
    ))
}

/// How long after the listening line an attempt runs that did not run before, or more is done.
async fn resumed(api: &Api, id: &str, before: &Job, listening: Instant) -> Result<Duration> {
    let old = before.running_attempts();
    loop {
        let job = api.job(id).await?;
        let new = job
            .running_attempts()
            .iter()
            .any(|attempt| !old.contains(attempt));
        let done = job.done_segments().len() > before.done_segments().len();
        if new || done || is_terminal(&api.render(id).await?) {
            return Ok(listening.elapsed());
        }
        ensure!(
            listening.elapsed() < RESUME_LIMIT,
            "nothing goes on {RESUME_LIMIT:?} after the listening line"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What was committed before is what counts after: no segment has a newer epoch.
fn ensure_kept(before: &[DoneSegment], after: &[DoneSegment]) -> Result<()> {
    for segment in before {
        ensure!(
            after.contains(segment),
            "segment {} was committed and rendered again",
            segment.index
        );
    }
    Ok(())
}

fn ensure_same(trial: &Trial, digests: &[String]) -> Result<()> {
    ensure!(
        trial.digests == digests,
        "streams differ: {:?} undisturbed, {digests:?}",
        trial.digests
    );
    Ok(())
}
