//! The wall clock of a machine may be wrong: a server that runs takes no notice of a switch,
//! and one that starts with a wrong clock fails nothing and lets nothing expire.
//!
//! The clock is libfaketime's: it switches the wall clock of one process and leaves those
//! alone that count from boot.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{Bench, Figure, Figures, Scale};
use crate::api::Api;
use crate::compositions::{plain, plain_for};
use crate::node::NodeOptions;
use crate::peaks::Peaks;
use crate::timestamp::{clocks, unix_millis};

const LIMIT: Duration = Duration::from_secs(120);
/// What the server's time may differ from the true one by, in milliseconds: a render's own time,
/// and what a restart takes, are in it.
const TOLERANCE: i64 = 10_000;
/// Switches of a running server, and back after each.
const SWITCHES: [&str; 4] = ["+1h", "-1h", "+25h", "+400d"];
/// Renders under way when a server is started again.
const UNDER_WAY: usize = 8;

/// Switches the clock of a running server, and starts servers with wrong clocks.
///
/// # Errors
/// When a render fails, something expires, or the server's time follows the clock.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let clock = FakeClock::new(bench)?;
    let mut figures = vec![clock.ensure_boot_time_is_true().await?];
    // Longer than the minute between two looks for what has expired.
    let pause = Duration::from_secs(scale.pick(2, 65));
    let mut peaks = Peaks::default();
    figures.push(switched(bench, &clock, pause, &mut peaks).await?);
    for start in [
        Start {
            by: "+25h",
            is_believed: true,
        },
        Start {
            by: "+400d",
            is_believed: false,
        },
        Start {
            by: "-1h",
            is_believed: false,
        },
    ] {
        let told = format!("started {}", start.by);
        let figure = started(bench, &clock, &start, pause, &mut peaks).await;
        figures.push(figure.context(told)?);
    }
    figures.push(peaks.figure()?);
    Ok(figures)
}

/// A wall clock that is switched by writing to a file.
struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

impl FakeClock {
    fn new(bench: &Bench) -> Result<Self> {
        let clock = Self {
            library: library().context("libfaketime is not installed")?,
            file: bench.file("wall-clock"),
        };
        clock.set("+0")?;
        Ok(clock)
    }

    /// Sets the clock ahead or back by so much against the true one.
    fn set(&self, by: &str) -> Result<()> {
        // Replaced in one step: half a file would be another time.
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, format!("{by}\n"))?;
        Ok(std::fs::rename(fresh, &self.file)?)
    }

    fn variables(&self) -> [(&'static str, &Path); 5] {
        [
            ("LD_PRELOAD", self.library.as_path()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.as_path()),
            ("FAKETIME_NO_CACHE", Path::new("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
            ("NO_FAKE_STAT", Path::new("1")),
        ]
    }

    fn on(&self, options: NodeOptions) -> NodeOptions {
        let variables = self.variables().into_iter();
        variables.fold(options, |options, (name, value)| {
            options.variable(name, &value.to_string_lossy())
        })
    }

    /// The two clocks of a process that has this wall clock, against our own.
    async fn ensure_boot_time_is_true(&self) -> Result<Figure> {
        self.set("+400d")?;
        let program = std::env::current_exe()?;
        let output = Command::new(program)
            .arg("--clocks")
            .envs(self.variables())
            .output()
            .await?;
        self.set("+0")?;
        let text = String::from_utf8(output.stdout)?;
        let (wall, boot) = text.trim().split_once(' ').context("no clocks were told")?;
        let (wall, boot): (i64, i64) = (wall.parse()?, boot.parse()?);
        let (true_wall, true_boot) = clocks()?;
        let off = (wall - true_wall - 400 * 86_400_000).abs();
        ensure!(
            off < 10_000,
            "the wall clock is {off} ms from 400 days ahead"
        );
        let off = (boot - true_boot).abs();
        ensure!(
            off < 2_000,
            "the clock that counts from boot is off by {off} ms"
        );
        Ok(Figure::new(
            "libfaketime at +400d",
            "wall clock 400 days ahead, CLOCK_BOOTTIME untouched",
        ))
    }
}

fn library() -> Option<PathBuf> {
    let libraries = std::fs::read_dir("/usr/lib").ok()?;
    let mut places = libraries
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    places.find(|path| path.is_file())
}

/// Renders one word after another while the clock is switched.
async fn switched(
    bench: &Bench,
    clock: &FakeClock,
    pause: Duration,
    peaks: &mut Peaks,
) -> Result<Figure> {
    let mut node = clock.on(Peaks::limited(bench.node())).start().await?;
    peaks.follow(node.process()?);
    let api = node.api()?;
    let kept = Kept::new(&api).await?;
    let (mut renders, mut farthest) = (0, 0);
    for by in SWITCHES.into_iter().flat_map(|by| [by, "+0"]) {
        clock.set(by)?;
        // What lies days away may expire something, which takes a minute to be looked for.
        let share = if matches!(by, "+25h" | "+400d") { 1 } else { 6 };
        let until = Instant::now() + pause / share;
        while Instant::now() < until {
            let id = api.submit(&plain("on and on")).await?;
            let render = api.completed(&id, LIMIT).await.context(by)?;
            for field in ["created_at", "started_at", "finished_at"] {
                let off = off(&render[field])?;
                ensure!(off.abs() < TOLERANCE, "{by}: {field} is off by {off} ms");
                farthest = farthest.max(off.abs());
            }
            renders += 1;
        }
        kept.ensure(&api).await.context(by)?;
        ensure!(notes(&api).await?.is_empty(), "{by}: it was noticed");
    }
    node.kill().await?;
    node.start_again().await?;
    peaks.follow(node.process()?);
    let api = node.api()?;
    let last = api.submit(&plain("the last")).await?;
    let newest = api.get("/v1/renders?limit=1").await?.body;
    let newest = newest["data"][0]["id"].as_str().context("no list")?;
    ensure!(
        newest == last,
        "lists begin with {newest} although {last} is newer: ids have the clock's time"
    );
    Ok(Figure::new(
        format!("running, switched by {} and back", SWITCHES.join(", ")),
        format!(
            "{renders} renders, none failed; times off by {farthest} ms at most; nothing expired"
        ),
    ))
}

/// How a clock is wrong at a start.
struct Start {
    by: &'static str,
    /// Whether the server takes it for the time.
    is_believed: bool,
}

async fn started(
    bench: &Bench,
    clock: &FakeClock,
    start: &Start,
    pause: Duration,
    peaks: &mut Peaks,
) -> Result<Figure> {
    clock.set("+0")?;
    let mut node = clock.on(Peaks::limited(bench.node())).start().await?;
    let api = node.api()?;
    let kept = Kept::new(&api).await?;
    let mut under_way = vec![api.submit(&plain_for("under way", 60)).await?];
    for _ in 1..UNDER_WAY {
        under_way.push(api.submit(&plain("under way")).await?);
    }
    api.progressed(&under_way[0], 0.05, LIMIT).await?;
    node.kill().await?;
    clock.set(start.by)?;
    let begun = Instant::now();
    node.start_again().await?;
    peaks.follow(node.process()?);
    let api = node.api()?;
    for id in &under_way {
        api.completed(id, LIMIT).await?;
    }
    let id = api.submit(&plain("afterwards")).await?;
    let render = api.completed(&id, LIMIT).await?;
    let off = off(&render["created_at"])?;
    let notes = notes(&api).await?;
    let left = pause.saturating_sub(begun.elapsed());
    tokio::time::sleep(left).await;
    if start.is_believed {
        ensure!((off - 25 * 3_600_000).abs() < TOLERANCE, "off by {off} ms");
        ensure!(notes.is_empty(), "it notes {notes:?}");
        kept.ensure_render(&api).await?;
    } else {
        ensure!(off.abs() < TOLERANCE, "its time is off by {off} ms");
        ensure!(!notes.is_empty(), "/readyz does not name it");
        kept.ensure(&api).await?;
    }
    clock.set("+0")?;
    node.stop(LIMIT).await?;
    Ok(Figure::new(
        format!("started {} with {UNDER_WAY} renders under way", start.by),
        format!(
            "none failed; its time is {:.1} h ahead; notes: {}",
            hours(off),
            if notes.is_empty() {
                "none".to_owned()
            } else {
                notes.join(" ")
            }
        ),
    ))
}

/// Milliseconds by which a time of the server is ahead of the true one.
fn off(time: &Value) -> Result<i64> {
    let time = time.as_str().and_then(unix_millis).context("no time")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(time - i64::try_from(now.as_millis())?)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn hours(millis: i64) -> f64 {
    millis as f64 / 3_600_000.0
}

async fn notes(api: &Api) -> Result<Vec<String>> {
    let ready = api.get("/readyz").await?;
    ensure!(ready.status == 200, "{}", ready.body);
    let notes = ready.body["notes"].as_array().into_iter().flatten();
    Ok(notes.map(Value::to_string).collect())
}

/// Things that would expire if days had gone by.
struct Kept {
    render: String,
    upload: String,
    body: String,
}

impl Kept {
    const KEY: &str = "kept";

    async fn new(api: &Api) -> Result<Self> {
        let body = plain("kept").to_string();
        let render = api.post_with_key(Self::KEY, &body).await?.id()?;
        api.completed(&render, LIMIT).await?;
        let wanted = json!({"content_type": "video/mp4", "filename": "later.mp4"}).to_string();
        let upload = api
            .request("POST", "/v1/uploads", &[], Some(wanted))
            .await?;
        Ok(Self {
            render,
            upload: upload.id()?,
            body,
        })
    }

    /// All are as they were.
    async fn ensure(&self, api: &Api) -> Result<()> {
        self.ensure_render(api).await?;
        let upload = api.get(&format!("/v1/uploads/{}", self.upload)).await?.body;
        ensure!(upload["status"] == "pending", "{upload}");
        let again = api.post_with_key(Self::KEY, &self.body).await?;
        ensure!(again.status == 200, "the key is forgotten");
        ensure!(again.id()? == self.render, "the key has another render");
        Ok(())
    }

    /// The render, which is kept for 30 days, still has its file.
    async fn ensure_render(&self, api: &Api) -> Result<()> {
        let path = format!("/v1/renders/{}/download?redirect=false", self.render);
        let link = api.get(&path).await?;
        ensure!(link.status == 200, "{}", link.body);
        let link = link.body["url"].as_str().context("no link")?.to_owned();
        let path = link.strip_prefix(api.edge()).context("a link elsewhere")?;
        let file = api.get(path).await?;
        ensure!(file.status == 200, "the file is answered {}", file.status);
        Ok(())
    }
}
