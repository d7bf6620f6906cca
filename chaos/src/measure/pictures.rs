//! A file's decoded pictures, one after the other, as luma or RGB.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// A part of the picture in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    /// Left column.
    pub x: usize,
    /// Top row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Calls `look` with every decoded picture's luma in `region`, in presentation order, and
/// returns their number. No picture is dropped or doubled to keep a rate.
///
/// # Errors
/// When decoding fails, or `look` does.
pub async fn each_luma(
    file: &Path,
    region: Region,
    look: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<usize> {
    each(file, region, ("gray", 1), look).await
}

/// The same with every picture as RGB, three bytes a pixel.
///
/// # Errors
/// When decoding fails, or `look` does.
pub async fn each_rgb(
    file: &Path,
    region: Region,
    look: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<usize> {
    each(file, region, ("rgb24", 3), look).await
}

/// Decodes to a pixel format of so many bytes a pixel.
async fn each(
    file: &Path,
    region: Region,
    (format, bytes): (&str, usize),
    mut look: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<usize> {
    let crop = format!(
        "crop={}:{}:{}:{}:exact=1",
        region.width, region.height, region.x, region.y
    );
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-map", "0:v:0", "-vf", &crop, "-vsync", "passthrough"])
        .args(["-f", "rawvideo", "-pix_fmt", format, "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("failed to run ffmpeg")?;
    let mut output = child.stdout.take().context("ffmpeg has no stdout")?;
    let mut picture = vec![0; region.width * region.height * bytes];
    let mut count = 0;
    loop {
        match output.read_exact(&mut picture).await {
            Ok(_) => look(count, &picture)?,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        }
        count += 1;
    }
    let finished = child.wait_with_output().await?;
    if !finished.status.success() {
        bail!(
            "ffmpeg: {}",
            String::from_utf8_lossy(&finished.stderr).trim()
        );
    }
    ensure!(count > 0, "no picture was decoded");
    Ok(count)
}

/// Mean of the samples.
pub fn mean(samples: &[u8]) -> f64 {
    let sum: u64 = samples.iter().map(|sample| u64::from(*sample)).sum();
    ratio(sum, samples.len())
}

/// Mean distance of two equally large pictures, in codes.
pub fn mean_distance(one: &[u8], other: &[u8]) -> f64 {
    let pairs = one.iter().zip(other);
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    ratio(sum, one.len())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sums over one picture are far below 2^52"
)]
fn ratio(sum: u64, count: usize) -> f64 {
    sum as f64 / count.max(1) as f64
}
