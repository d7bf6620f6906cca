//! Broken media, many of them: whatever a decoder makes of one costs that render alone. The
//! server lives, every render ends, and a good one completes after them all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::{Bench, Figure, Figures, RENDER_LIMIT, Scale};
use crate::compositions::plain;
use crate::measure::run;
use crate::mutate::{Layout, mutate, mutate_container, mutate_payload};
use crate::node::Node;

/// A worker that stands still for this long is killed.
const STALL: Duration = Duration::from_secs(8);
/// All of them must have ended by then, stalls and their retries included.
const LIMIT: Duration = Duration::from_secs(1500);
/// Renders that are asked for together.
const AT_ONCE: usize = 200;
/// What a render of a broken source may end with.
const CODES: [&str; 3] = ["invalid_source", "limit_exceeded", "engine_error"];
/// Moving pictures and a tone, a second long.
const MADE_OF: &str = "-v error -y -f lavfi -i testsrc2=size=160x90:rate=30 \
                       -f lavfi -i sine=frequency=440:sample_rate=48000 -t 1";

/// What is made wrong: name, what an element calls it, and how `ffmpeg` makes it.
const GOOD: [(&str, &str, &str); 31] = [
    ("h264-aac.mp4", "video", "-c:v libx264 -g 15 -bf 2 -c:a aac"),
    (
        "fragments.mp4",
        "video",
        "-c:v libx264 -g 15 -c:a aac -movflags frag_keyframe+delay_moov",
    ),
    ("h264.mov", "video", "-c:v libx264 -g 15 -c:a pcm_s16be"),
    (
        "h265.mp4",
        "video",
        "-an -c:v libx265 -x265-params log-level=error",
    ),
    (
        "av1.mp4",
        "video",
        "-c:v libaom-av1 -usage realtime -cpu-used 8 -c:a libopus",
    ),
    ("h264-vorbis.mkv", "video", "-c:v libx264 -c:a libvorbis"),
    (
        "h265-ac3.mkv",
        "video",
        "-c:v libx265 -x265-params log-level=error -c:a ac3",
    ),
    (
        "vp9-opus.webm",
        "video",
        "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus",
    ),
    (
        "vp8.webm",
        "video",
        "-an -c:v libvpx -deadline realtime -cpu-used 8",
    ),
    ("mpeg4-mp3.avi", "video", "-c:v mpeg4 -bf 2 -c:a libmp3lame"),
    ("mjpeg.avi", "video", "-an -c:v mjpeg"),
    (
        "transport-stream",
        "video",
        "-c:v libx264 -c:a aac -f mpegts",
    ),
    (
        "mpeg2.m2ts",
        "video",
        "-c:v mpeg2video -c:a ac3 -f mpegts -mpegts_m2ts_mode 1",
    ),
    ("mpeg2-mp2.mpg", "video", "-c:v mpeg2video -c:a mp2"),
    ("prores.mov", "video", "-an -c:v prores_ks"),
    ("png.mov", "video", "-an -c:v png"),
    ("qtrle.mov", "video", "-an -c:v qtrle"),
    (
        "theora-ogg",
        "video",
        "-c:v libtheora -c:a libvorbis -f ogg",
    ),
    ("sound.mp3", "audio", "-vn -c:a libmp3lame"),
    ("sound.wav", "audio", "-vn -c:a pcm_s16le"),
    ("adpcm.wav", "audio", "-vn -c:a adpcm_ima_wav"),
    ("sound.aiff", "audio", "-vn -c:a pcm_s24be"),
    ("sound.flac", "audio", "-vn -c:a flac"),
    ("sound.aac", "audio", "-vn -c:a aac"),
    ("sound.ogg", "audio", "-vn -c:a libvorbis"),
    ("sound.opus", "audio", "-vn -c:a libopus"),
    ("sound.m4a", "audio", "-vn -c:a aac"),
    ("alac.m4a", "audio", "-vn -c:a alac"),
    ("still.png", "image", "-an -frames:v 1"),
    ("still.jpg", "image", "-an -frames:v 1"),
    ("still.webp", "image", "-an -frames:v 1 -c:v libwebp"),
];

/// Which bytes are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    /// Those between the packets.
    Container,
    /// Those of the packets.
    Payload,
    /// Any: files are cut, spliced, repeated too.
    Any,
}

/// Renders mutants of every kind of file.
///
/// # Errors
/// When the server ends, a render does not end, one ends with another code than a broken source may
/// have, or a worker is lost to the bytes of a container.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let goods = make(bench).await?;
    let mut figures = Vec::new();
    let kinds = [
        (Changed::Container, scale.pick(GOOD.len(), 2_000)),
        (Changed::Payload, scale.pick(GOOD.len(), 1_000)),
        (Changed::Any, scale.pick(GOOD.len(), 500)),
    ];
    for (changed, count) in kinds {
        figures.extend(tried(bench, &goods, changed, count).await?);
    }
    Ok(figures)
}

/// Renders `count` mutants of one way on a node of their own.
async fn tried(bench: &Bench, goods: &[Good], changed: Changed, count: usize) -> Result<Figures> {
    let origin = bench.origin().await?;
    let node = bench
        .node()
        .with("RENDER__STALL_TIMEOUT", &format!("{}s", STALL.as_secs()))
        .start()
        .await?;
    let (api, server) = (node.api()?, node.process()?);
    let begun = Instant::now();
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    let (mut wrong, mut lost_to) = (Vec::new(), Vec::new());
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(AT_ONCE) {
        let mut sent = Vec::new();
        for &number in some {
            let good = &goods[number % goods.len()];
            let other = &goods[(number / goods.len() + number + 1) % goods.len()].bytes;
            let seed = number as u64;
            let mutant = match changed {
                Changed::Container => mutate_container(&good.bytes, &good.layout, seed),
                Changed::Payload => mutate_payload(&good.bytes, &good.layout, seed),
                Changed::Any => mutate(&good.bytes, other, seed),
            };
            let file = format!("mutant-{number}-{}", good.name);
            tokio::fs::write(bench.file(&file), &mutant.bytes).await?;
            let id = api
                .submit(&composition(good.kind, &origin.url(&file)))
                .await?;
            sent.push((
                id,
                file,
                format!("mutant {number} of {} ({})", good.name, mutant.how),
            ));
        }
        for (id, file, what) in sent {
            let left = LIMIT.saturating_sub(begun.elapsed());
            let render = api
                .terminal(&id, left)
                .await
                .with_context(|| what.clone())?;
            ensure!(server.is_alive(), "the server ended: {}", node.log_tail());
            match end(&render) {
                Ok(end) => *ends.entry(end).or_default() += 1,
                Err(error) => wrong.push(format!("{what}: {error}")),
            }
            let lost = api.job(&id).await?.lost_workers();
            lost_to.extend(lost.into_iter().map(|how| format!("{what}: {how}")));
            tokio::fs::remove_file(bench.file(&file)).await?;
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let took = begun.elapsed().as_secs_f64();
    let after = api.submit(&plain("after them")).await?;
    api.completed(&after, RENDER_LIMIT).await?;
    ensure!(server.is_alive(), "the server ended: {}", node.log_tail());
    no_scratch(&node).await?;
    let lost = lost_to.len();
    // The readers of containers are memory-safe, so that their bytes can harm no worker.
    ensure!(
        changed != Changed::Container || lost == 0,
        "{lost} workers were lost to bytes of containers:\n{}",
        lost_to.join("\n")
    );
    let of = format!("{changed:?}").to_lowercase();
    let mut figures = vec![
        Figure::new(format!("{of}: mutants"), format!("{count} in {took:.0} s")),
        Figure::new(format!("{of}: workers lost"), lost.to_string()),
    ];
    let lost_to = lost_to.into_iter();
    figures.extend(lost_to.map(|what| Figure::new(format!("{of}: lost to"), what)));
    let ends = ends.into_iter();
    figures.extend(ends.map(|(end, count)| Figure::new(format!("{of}: {end}"), count.to_string())));
    Ok(figures)
}

/// How a render ended, if it ended as one of a broken source may.
fn end(render: &Value) -> Result<String> {
    let code = render["error"]["code"].as_str().unwrap_or_default();
    match render["status"].as_str() {
        Some("completed") => Ok("completed".to_owned()),
        Some("failed") if CODES.contains(&code) => Ok(format!("failed with {code}")),
        _ => bail!("ended {}: {}", render["status"], render["error"]),
    }
}

fn composition(kind: &str, url: &str) -> Value {
    let mut element = json!({"type": kind, "id": "subject", "source_url": url});
    // A still has no length of its own.
    if kind == "image" {
        element["duration"] = json!(1);
    }
    json!({
        "width": 160, "height": 90, "duration": 1, "frame_rate": 30,
        "elements": [element, {"type": "text", "text": "x", "duration": 1, "font_size": 20}],
    })
}

/// A file that is not wrong yet.
struct Good {
    name: &'static str,
    kind: &'static str,
    bytes: Vec<u8>,
    layout: Layout,
}

async fn make(bench: &Bench) -> Result<Vec<Good>> {
    let mut goods = Vec::new();
    for (name, kind, how) in GOOD {
        let file = bench.file(name);
        let to = file.display().to_string();
        let arguments = MADE_OF.split_whitespace().chain(how.split(' '));
        run("ffmpeg", arguments.chain([to.as_str()])).await?;
        goods.push(Good {
            name,
            kind,
            bytes: tokio::fs::read(&file).await?,
            layout: layout(&to).await?,
        });
    }
    Ok(goods)
}

/// Where the packets of a file lie. The first bytes at a packet's place may be its container's.
async fn layout(file: &str) -> Result<Layout> {
    const HEADER: usize = 16;
    let show = "-v error -show_entries packet=pos,size -of csv=p=0";
    let text = run("ffprobe", show.split(' ').chain([file])).await?;
    let lines = String::from_utf8_lossy(&text).into_owned();
    let packets = lines.lines().filter_map(|line| {
        let mut numbers = line
            .split(',')
            .filter_map(|number| number.parse::<usize>().ok());
        let (size, at) = (numbers.next()?, numbers.next()?);
        Some(at + HEADER.min(size)..at + size)
    });
    Ok(Layout::new(packets.collect()))
}

/// Nothing of them stays behind.
async fn no_scratch(node: &Node) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let left = super::cancel::scratch_files(node)?;
        if left.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "scratch files stay: {left:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
