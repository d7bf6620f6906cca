//! Sources made for measuring: pictures that carry their number, clicks that fall on
//! flashes, tones. Encoded by `ffmpeg` from samples computed here.

use std::f64::consts::TAU;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::measure::sound::{RATE, click, narrow};

/// Width of the made pictures.
pub const WIDTH: usize = 320;
/// Height of the made pictures.
pub const HEIGHT: usize = 180;
const COLUMNS: usize = 8;
const ROWS: usize = 3;

/// When the pictures of a numbered clip are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// `numerator / denominator` a second.
    Constant(u32, u32),
    /// About 30 a second, no two distances alike.
    Variable,
}

/// Luma of the picture that carries `number`: two rows of eight blocks are its bits, a third
/// row is their exclusive or, inverted, so that a mixture of two pictures does not read as a third.
pub fn numbered_luma(number: u16) -> Vec<u8> {
    let [low, high] = number.to_le_bytes();
    let rows = [low, high, !(low ^ high)];
    let mut luma = vec![16; WIDTH * HEIGHT];
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let bits = rows[y * ROWS / HEIGHT];
            if bits >> (x * COLUMNS / WIDTH) & 1 == 1 {
                luma[y * WIDTH + x] = 235;
            }
        }
    }
    luma
}

/// The number a decoded picture carries, at whatever size it is shown.
///
/// # Errors
/// When the blocks contradict one another.
pub fn read_number(luma: &[u8], width: usize, height: usize) -> Result<u16> {
    let mut rows = [0_u8; ROWS];
    let (block_width, block_height) = (width / COLUMNS, height / ROWS);
    for (row, bits) in rows.iter_mut().enumerate() {
        for column in 0..COLUMNS {
            let (mut sum, mut count) = (0_u32, 0);
            for y in block_height / 4..block_height * 3 / 4 {
                for x in block_width / 4..block_width * 3 / 4 {
                    let at = (row * block_height + y) * width + column * block_width + x;
                    sum += u32::from(luma[at]);
                    count += 1;
                }
            }
            let mean = sum / count;
            ensure!(
                !(90..=165).contains(&mean),
                "a block is neither black nor white"
            );
            if mean > 127 {
                *bits |= 1 << column;
            }
        }
    }
    let [low, high, check] = rows;
    ensure!(check == !(low ^ high), "the picture is a mixture");
    Ok(u16::from_le_bytes([low, high]))
}

/// Makes an H.264 clip whose picture *n* carries *n*: B-frames, a keyframe every 250.
///
/// # Errors
/// When `ffmpeg` fails.
pub async fn numbered(to: &Path, timing: Timing, frames: u16) -> Result<()> {
    let (numerator, denominator) = match timing {
        Timing::Constant(numerator, denominator) => (numerator, denominator),
        Timing::Variable => (30, 1),
    };
    let mut arguments = raw_input(&format!("{numerator}/{denominator}"));
    if timing == Timing::Variable {
        let filter = "settb=1/1000,setpts='N*33+mod(N*17,25)'";
        arguments.extend(["-vf", filter, "-enc_time_base", "1:1000"].map(str::to_owned));
    }
    arguments.extend(["-vsync", "passthrough"].map(str::to_owned));
    arguments.extend(h264(250));
    feed(arguments, to, (0..frames).map(numbered_luma)).await
}

/// Seconds at which a click track clicks and its picture flashes.
pub fn click_times(seconds: u32) -> Vec<f64> {
    (0..seconds).map(|second| f64::from(second) + 0.5).collect()
}

/// How the sound of a made clip is coded, which decides its container too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// H.264 and AAC in MP4.
    AacInMp4,
    /// MP3 alone, without pictures.
    Mp3,
    /// VP9 and Opus in WebM.
    OpusInWebm,
}

/// Makes a clip of 30 pictures a second with a white one, and a click that begins with it, at
/// every [`click_times`].
///
/// # Errors
/// When `ffmpeg` fails.
pub async fn clicks(to: &Path, sound: Sound, seconds: u32) -> Result<()> {
    let mut samples = vec![0.0; usize::try_from(seconds * RATE)?];
    let click = click();
    for second in 0..usize::try_from(seconds)? {
        let at = second * 48_000 + 24_000;
        samples[at..at + click.len()].copy_from_slice(&click);
    }
    let raw = raw_sound(to, &samples).await?;
    let mut arguments = Vec::new();
    if sound != Sound::Mp3 {
        arguments = raw_input("30");
    }
    arguments.extend(sound_input(&raw));
    match sound {
        Sound::AacInMp4 => {
            arguments.extend(h264(250));
            arguments.extend(["-c:a", "aac", "-b:a", "192k"].map(str::to_owned));
        }
        Sound::Mp3 => arguments.extend(["-c:a", "libmp3lame", "-b:a", "192k"].map(str::to_owned)),
        Sound::OpusInWebm => arguments.extend(
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 1M -c:a libopus -b:a 160k"
                .split(' ')
                .map(str::to_owned),
        ),
    }
    let flashes = (0..seconds * 30).map(|frame| {
        let shade = if frame % 30 == 15 { 235 } else { 16 };
        vec![shade; WIDTH * HEIGHT]
    });
    if sound == Sound::Mp3 {
        feed(arguments, to, std::iter::empty()).await?;
    } else {
        feed(arguments, to, flashes).await?;
    }
    tokio::fs::remove_file(raw).await?;
    Ok(())
}

/// Makes a WAV file with a steady tone.
///
/// # Errors
/// When `ffmpeg` fails.
pub async fn tone(to: &Path, hertz: f64, seconds: u32) -> Result<()> {
    let samples: Vec<f32> = (0..seconds * RATE)
        .map(|n| narrow(0.4 * (TAU * hertz * f64::from(n) / f64::from(RATE)).sin()))
        .collect();
    let raw = raw_sound(to, &samples).await?;
    let mut arguments = sound_input(&raw);
    arguments.extend(["-c:a", "pcm_s16le"].map(str::to_owned));
    feed(arguments, to, std::iter::empty()).await?;
    tokio::fs::remove_file(raw).await?;
    Ok(())
}

/// Makes a clip of real pictures at another size and rate out of `clip`, `seconds` long,
/// with a stereo tone as its sound; about 8 Mbit/s at 1080p.
///
/// # Errors
/// When `ffmpeg` fails.
pub async fn remade(clip: &Path, to: &Path, size: (u32, u32), seconds: u32) -> Result<()> {
    let mut arguments: Vec<String> = ["-stream_loop", "-1", "-i"].map(str::to_owned).into();
    arguments.push(clip.display().to_string());
    arguments
        .extend(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"].map(str::to_owned));
    let filter = format!(
        "scale={}:{}:out_color_matrix=bt709:out_range=tv,fps=30,setsar=1",
        size.0, size.1
    );
    arguments.extend(["-map", "0:v:0", "-map", "1:a:0", "-vf", &filter].map(str::to_owned));
    arguments.extend(["-t", &seconds.to_string()].map(str::to_owned));
    arguments.extend(h264(60));
    arguments.extend(["-b:v", "8M", "-maxrate", "12M", "-bufsize", "16M"].map(str::to_owned));
    arguments.extend(["-c:a", "aac", "-ac", "2", "-b:a", "192k"].map(str::to_owned));
    feed(arguments, to, std::iter::empty()).await
}

fn raw_input(rate: &str) -> Vec<String> {
    let size = format!("{WIDTH}x{HEIGHT}");
    [
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", rate, "-i", "-",
    ]
    .map(str::to_owned)
    .into()
}

fn sound_input(raw: &Path) -> Vec<String> {
    let raw = raw.display().to_string();
    ["-f", "f32le", "-ar", "48000", "-ac", "1", "-i", &raw]
        .map(str::to_owned)
        .into()
}

fn h264(keyframe_interval: u32) -> Vec<String> {
    let interval = keyframe_interval.to_string();
    [
        "-c:v libx264 -preset veryfast -bf 3 -b_strategy 0 -sc_threshold 0 -pix_fmt yuv420p -g",
        &interval,
        "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv",
        "-video_track_timescale 90000",
    ]
    .iter()
    .flat_map(|part| part.split(' '))
    .map(str::to_owned)
    .collect()
}

async fn raw_sound(beside: &Path, samples: &[f32]) -> Result<std::path::PathBuf> {
    let raw = beside.with_extension("f32");
    let bytes: Vec<u8> = samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    tokio::fs::write(&raw, bytes).await?;
    Ok(raw)
}

/// Runs `ffmpeg` with grey pictures on its stdin.
async fn feed(
    arguments: Vec<String>,
    to: &Path,
    pictures: impl Iterator<Item = Vec<u8>>,
) -> Result<()> {
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(&arguments)
        .arg(to)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("failed to run ffmpeg")?;
    let mut input = child.stdin.take().context("ffmpeg has no stdin")?;
    let chroma = vec![128; WIDTH * HEIGHT / 2];
    for luma in pictures {
        // When ffmpeg gave up, what it says at its end is the better error.
        if input.write_all(&luma).await.is_err() || input.write_all(&chroma).await.is_err() {
            break;
        }
    }
    drop(input);
    let finished = child.wait_with_output().await?;
    if !finished.status.success() {
        bail!(
            "ffmpeg: {}",
            String::from_utf8_lossy(&finished.stderr).trim()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_picture_reads_as_its_number_and_a_mixture_as_none() {
        for number in [0, 1, 255, 256, 299, 0x5a5a] {
            let read = read_number(&numbered_luma(number), WIDTH, HEIGHT);
            assert_eq!(read.unwrap(), number);
        }
        let (one, two) = (numbered_luma(7), numbered_luma(8));
        let torn: Vec<u8> = one[..WIDTH * 60]
            .iter()
            .chain(&two[WIDTH * 60..])
            .copied()
            .collect();
        assert!(read_number(&torn, WIDTH, HEIGHT).is_err());
    }
}
