//! What `ffprobe` says of a file: its streams, its packets, the digests of its streams.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::run;

/// Container and streams, as `ffprobe -show_format -show_streams` has them.
///
/// # Errors
/// When it is not a media file.
pub async fn probe(file: &Path) -> Result<Value> {
    let text = run(
        "ffprobe",
        [
            "-v".as_ref(),
            "error".as_ref(),
            "-show_format".as_ref(),
            "-show_streams".as_ref(),
            "-of".as_ref(),
            "json".as_ref(),
            file.as_os_str(),
        ],
    )
    .await?;
    Ok(serde_json::from_slice(&text)?)
}

/// The first stream of a kind (`video`, `audio`) in a probe.
pub fn stream<'a>(probe: &'a Value, kind: &str) -> Option<&'a Value> {
    probe["streams"]
        .as_array()?
        .iter()
        .find(|stream| stream["codec_type"] == kind)
}

/// A number that `ffprobe` prints as text.
///
/// # Errors
/// When it is not there.
pub fn seconds(value: &Value) -> Result<f64> {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .with_context(|| format!("{value} is not a time"))
}

/// A fraction such as `30000/1001`.
///
/// # Errors
/// When it is none.
pub fn fraction(value: &Value) -> Result<(i64, i64)> {
    let parse = |text: &str| {
        let (above, below) = text.split_once('/')?;
        Some((above.parse().ok()?, below.parse().ok()?))
    };
    value
        .as_str()
        .and_then(parse)
        .with_context(|| format!("{value} is not a fraction"))
}

/// The packets of one stream, in presentation order.
#[derive(Debug, Clone)]
pub struct Packets {
    /// Ticks are this many seconds: numerator, denominator.
    pub time_base: (i64, i64),
    /// Presentation times in ticks, rising.
    pub pts: Vec<i64>,
    /// Which of them are keyframes, by index.
    pub keyframes: Vec<usize>,
}

impl Packets {
    /// The distance of every two neighbours, where all are the same.
    pub fn constant_step(&self) -> Option<i64> {
        let mut steps = self.pts.windows(2).map(|pair| pair[1] - pair[0]);
        let first = steps.next()?;
        steps.all(|step| step == first).then_some(first)
    }
}

/// Reads the packets of the first stream of a kind (`v`, `a`).
///
/// # Errors
/// When there is no such stream.
pub async fn packets(file: &Path, kind: &str) -> Result<Packets> {
    let selector = format!("{kind}:0");
    let text = run(
        "ffprobe",
        [
            "-v".as_ref(),
            "error".as_ref(),
            "-select_streams".as_ref(),
            selector.as_ref(),
            "-show_entries".as_ref(),
            "stream=time_base:packet=pts,flags".as_ref(),
            "-of".as_ref(),
            "json".as_ref(),
            file.as_os_str(),
        ],
    )
    .await?;
    let found: Value = serde_json::from_slice(&text)?;
    let mut all: Vec<(i64, bool)> = Vec::new();
    for packet in found["packets"].as_array().context("no packets")? {
        let pts = packet["pts"].as_i64().context("a packet without pts")?;
        let flags = packet["flags"].as_str().unwrap_or_default();
        all.push((pts, flags.contains('K')));
    }
    ensure!(!all.is_empty(), "the stream has no packets");
    all.sort_unstable();
    let keys = all.iter().enumerate().filter(|(_, (_, key))| *key);
    Ok(Packets {
        time_base: fraction(&found["streams"][0]["time_base"])?,
        keyframes: keys.map(|(index, _)| index).collect(),
        pts: all.iter().map(|(pts, _)| *pts).collect(),
    })
}

/// SHA-256 of each stream's packets, such as `0,v,SHA256=…`.
///
/// # Errors
/// When the file cannot be read.
pub async fn stream_digests(file: &Path) -> Result<Vec<String>> {
    let text = run(
        "ffmpeg",
        [
            "-v".as_ref(),
            "error".as_ref(),
            "-i".as_ref(),
            file.as_os_str(),
            "-map".as_ref(),
            "0".as_ref(),
            "-c".as_ref(),
            "copy".as_ref(),
            "-f".as_ref(),
            "streamhash".as_ref(),
            "-hash".as_ref(),
            "sha256".as_ref(),
            "-".as_ref(),
        ],
    )
    .await?;
    let lines: Vec<String> = String::from_utf8(text)?
        .lines()
        .map(str::to_owned)
        .collect();
    ensure!(!lines.is_empty(), "the file has no streams");
    Ok(lines)
}
