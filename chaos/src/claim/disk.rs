//! A disk that fills up: by one workspace's uploads, by the sources and by the outputs of its
//! renders, and from outside. The server lives, others' renders complete, and what waits goes
//! on once there is space.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::{Bench, Figure, Figures, Scale};
use crate::client::{Client, Keys, Sent};
use crate::compositions::plain;
use crate::measure;
use crate::node::Node;
use crate::origin::Origin;
use crate::peaks::Peaks;
use crate::process::Process;
use crate::small_disk::{Mounted, SmallDisk};

/// Longest that a render of a word may take meanwhile.
const LIMIT: Duration = Duration::from_secs(90);
/// Renders of the other workspace in each case.
const OTHERS: usize = 5;

/// Fills a small disk in four ways, a fresh one each.
///
/// # Errors
/// When the server ends, or another workspace's render does not complete.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let size = scale.pick("64m", "256m");
    let step = scale.pick(2 << 20, 8 << 20);
    let origin = bench.origin().await?;
    let clip = noise(bench, scale).await?;
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    for way in [
        Way::Uploads,
        Way::Sources,
        Way::Outputs,
        Way::Everything,
        Way::Outside,
    ] {
        let at = bench.file(way.name());
        let disk = match SmallDisk::mount(&at, size)? {
            Mounted::Disk(disk) => disk,
            Mounted::Forbidden(reason) => {
                return Ok(vec![Figure::new("SKIPPED: no disk may be mounted", reason)]);
            }
        };
        let field = Field {
            bench,
            origin: &origin,
            clip: &clip,
            step,
        };
        match fill(&field, &disk, way).await {
            Ok(seen) => figures.extend(seen),
            Err(error) => failed.push(format!("{}: {error:#}", way.words())),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n     "));
    Ok(figures)
}

/// What a disk is filled with.
struct Field<'a> {
    bench: &'a Bench,
    origin: &'a Origin,
    clip: &'a [u8],
    step: usize,
}

/// Fills a disk and has renders of another workspace made beside.
async fn fill(field: &Field<'_>, disk: &SmallDisk, way: Way) -> Result<Figures> {
    let mut place = Place::start(field.bench, disk, way).await?;
    let before = place.process()?;
    let url = field.origin.url("noise.mp4");
    let filled = match way {
        Way::Uploads => uploads(&place.filler, field.step).await,
        Way::Sources => sources(field, &place.filler, thumbnail).await,
        Way::Outputs => outputs(&place.filler, &url).await,
        Way::Everything => sources(field, &place.filler, film).await,
        Way::Outside => outside(&mut place, disk).await,
    };
    let told = || format!("the server's log ends: {}", disk.log_tail());
    let filled = filled.with_context(told)?;
    let mut longest = Duration::ZERO;
    for _ in 0..OTHERS {
        let render = place.other.rendered(&plain("beside"), LIMIT).await;
        longest = longest.max(render.with_context(|| filled.clone())?);
    }
    let lives = way == Way::Outside || before == place.process()?;
    ensure!(lives && place.process()?.is_alive(), "{}", told());
    let mut peak = place.peaks.figure().with_context(told)?;
    peak.what = format!("{}, {}", peak.what, way.words());
    let filled = Figure::new(
        format!("filled {}", way.words()),
        format!("{filled}; {OTHERS} renders of another workspace, {longest:.1?} at most"),
    );
    Ok(vec![filled, peak])
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Uploads,
    Sources,
    Outputs,
    Everything,
    Outside,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Uploads => "uploads",
            Self::Sources => "sources",
            Self::Outputs => "outputs",
            Self::Everything => "everything",
            Self::Outside => "outside",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Uploads => "by uploads",
            Self::Sources => "by fetched sources",
            Self::Outputs => "by outputs",
            Self::Everything => "by sources and outputs at once",
            Self::Outside => "from outside",
        }
    }
}

/// A server on a small disk, and two workspaces.
struct Place {
    node: Node,
    peaks: Peaks,
    filler: Client,
    other: Client,
}

impl Place {
    async fn start(bench: &Bench, disk: &SmallDisk, way: Way) -> Result<Self> {
        let script = bench.file(&format!("serve-{}.sh", way.name()));
        let options = Peaks::limited(disk.server(bench.binary(), &script)?)
            .slots(2)
            .with("CACHE__MAX_BYTES", &"10.0 GiB");
        let node = options.start().await.with_context(|| disk.log_tail())?;
        let mut peaks = Peaks::default();
        peaks.follow(node.process()?);
        let keys = Keys::new(&node.api()?).await?;
        Ok(Self {
            filler: keys.client("filler").await?,
            other: keys.client("other").await?,
            node,
            peaks,
        })
    }

    fn process(&self) -> Result<Process> {
        self.node.process()
    }

    /// A kill and a start on the same disk.
    async fn restart(&mut self) -> Result<()> {
        self.node.kill().await?;
        self.node.start_again().await?;
        self.peaks.follow(self.node.process()?);
        let api = self.node.api()?;
        (self.filler, self.other) = (self.filler.at(api.clone()), self.other.at(api));
        Ok(())
    }
}

/// Two seconds of noise, which no encoder makes small.
async fn noise(bench: &Bench, scale: Scale) -> Result<Vec<u8>> {
    let file = bench.file("noise.mp4");
    let size = scale.pick("320x180", "640x360");
    let input = format!("nullsrc=s={size}:r=30:d=2,geq=random(1)*255:128:128");
    let mut arguments: Vec<&OsStr> = ["-v", "error", "-y", "-f", "lavfi", "-i", input.as_str()]
        .map(OsStr::new)
        .to_vec();
    let encoder = "-c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p";
    arguments.extend(encoder.split(' ').map(OsStr::new));
    arguments.push(file.as_os_str());
    measure::run("ffmpeg", arguments).await?;
    Ok(tokio::fs::read(file).await?)
}

async fn uploads(filler: &Client, step: usize) -> Result<String> {
    for count in 0..200 {
        match filler.upload("video/mp4", vec![7; step]).await? {
            Sent::Arrived(_) => {}
            Sent::Refused(answer) => {
                ensure!(
                    answer.error_code() == "storage_full",
                    "uploads end with {}: {}",
                    answer.status,
                    answer.body
                );
                ensure!(count > 0, "nothing fits");
                let mib = (count * step) >> 20;
                return Ok(format!("storage_full after {mib} MiB of uploads"));
            }
        }
    }
    bail!("everything fits")
}

/// Renders that each need a large file of their own, all at once; they go on meanwhile.
async fn sources(
    field: &Field<'_>,
    filler: &Client,
    composition: fn(&str) -> Value,
) -> Result<String> {
    let mut ids = Vec::new();
    for number in 0..40_u32 {
        let name = format!("source-{number}.mp4");
        let mut file = field.clip.to_vec();
        let padding = u32::try_from(field.step)?;
        file.extend(padding.to_be_bytes());
        file.extend(b"free");
        file.extend(number.to_be_bytes());
        file.resize(field.clip.len() + field.step, 0);
        tokio::fs::write(field.bench.file(&name), file).await?;
        let answer = filler
            .call(
                "POST",
                "/v1/renders",
                Some(&composition(&field.origin.url(&name))),
            )
            .await?;
        match answer.status {
            202 => ids.push(answer.id()?),
            503 => ensure!(answer.error_code() == "storage_full", "{}", answer.body),
            _ => bail!("{}", answer.body),
        }
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    told(filler, &ids).await
}

/// A tiny film of a large source.
fn thumbnail(url: &str) -> Value {
    json!({
        "width": 64, "height": 64, "duration": 2, "frame_rate": 30,
        "elements": [{"type": "video", "id": "film", "source_url": url, "out_point": 2}],
    })
}

/// Two seconds of a film of noise, as large as they come.
fn film(url: &str) -> Value {
    json!({
        "width": 640, "height": 360, "duration": 2, "frame_rate": 30,
        "encoding": {"crf": 1},
        "elements": [{"type": "video", "id": "film", "source_url": url, "out_point": 2}],
    })
}

/// Renders of noise that are under way at once.
const AT_ONCE: usize = 4;

/// Renders of noise, several at a time, until no more are taken or none of a round completes.
async fn outputs(filler: &Client, url: &str) -> Result<String> {
    let mut ids = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        let mut round = Vec::new();
        for _ in 0..AT_ONCE {
            let answer = filler.call("POST", "/v1/renders", Some(&film(url))).await?;
            if answer.status != 202 {
                ensure!(answer.error_code() == "storage_full", "{}", answer.body);
                let so_far = told(filler, &ids).await?;
                return Ok(format!("storage_full, and {so_far}"));
            }
            round.push(answer.id()?);
            ids.push(answer.id()?);
        }
        let mut completed = 0;
        for id in &round {
            let ended = filler.ended(id, LIMIT).await;
            completed += usize::from(ended.is_ok_and(|render| render["status"] == "completed"));
        }
        if completed == 0 {
            return told(filler, &ids).await;
        }
    }
    bail!("everything fits: {}", told(filler, &ids).await?)
}

/// How renders have come out so far.
async fn told(client: &Client, ids: &[String]) -> Result<String> {
    let mut counts = std::collections::BTreeMap::<String, u32>::new();
    for id in ids {
        let render = client
            .call("GET", &format!("/v1/renders/{id}"), None)
            .await?;
        let status = render.body["status"].as_str().unwrap_or("?");
        let error = render.body["error"]["code"].as_str().unwrap_or_default();
        *counts.entry(format!("{status} {error}")).or_default() += 1;
    }
    let each = counts
        .iter()
        .map(|(what, count)| format!("{count} {}", what.trim()));
    Ok(format!(
        "renders of it: {}",
        each.collect::<Vec<_>>().join(", ")
    ))
}

/// A foreign file takes everything, also through a restart.
async fn outside(place: &mut Place, disk: &SmallDisk) -> Result<String> {
    let done = place.other.make("/v1/renders", &plain("before")).await?;
    place.other.ended(&done, LIMIT).await?;
    let fill = disk.fill()?;
    let under_way = refused(&place.other).await?;
    // What was still committed may have freed a block or two.
    disk.fill()?;
    let health = place.other.call("GET", "/healthz", None).await?;
    ensure!(health.status == 200, "it does not live");
    place.restart().await.context("on the full disk")?;
    let after = refused(&place.other).await?;
    let render = place
        .other
        .call("GET", &format!("/v1/renders/{done}"), None)
        .await?;
    ensure!(render.body["status"] == "completed", "{}", render.body);
    std::fs::remove_file(fill)?;
    let freed = Instant::now();
    loop {
        let answer = place
            .other
            .call("POST", "/v1/renders", Some(&plain("again")))
            .await?;
        if answer.status == 202 {
            place.other.ended(&answer.id()?, LIMIT).await?;
            break;
        }
        ensure!(answer.error_code() == "storage_full", "{}", answer.body);
        ensure!(freed.elapsed() < LIMIT, "it stays full");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for id in under_way.iter().chain(&after) {
        let render = place.other.ended(id, LIMIT).await?;
        ensure!(render["status"] == "completed", "{render}");
    }
    Ok(format!(
        "storage_full, also after a restart; a render {:.1?} after space was there again",
        freed.elapsed()
    ))
}

/// Submits until the answer is that there is no room; gives what was taken before.
async fn refused(client: &Client) -> Result<Vec<String>> {
    let begun = Instant::now();
    let mut taken = Vec::new();
    loop {
        let answer = client
            .call("POST", "/v1/renders", Some(&plain("too much")))
            .await?;
        if answer.status == 503 && answer.error_code() == "storage_full" {
            ensure!(!answer.header("retry-after").is_empty(), "no Retry-After");
            return Ok(taken);
        }
        ensure!(answer.status == 202, "{}", answer.body);
        taken.push(answer.id()?);
        ensure!(begun.elapsed() < LIMIT, "a full disk takes everything");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
