//! Test media made on the spot: pictures that carry their number, and clicks on flashes. Made by
//! piping raw frames and samples into `ffmpeg`, so no fonts and no downloads are needed.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot be set up has failed, and its numbers are small"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Blocks of a number code, most significant bit first.
pub(crate) const CODE_BITS: u32 = 16;
/// Side of a block in pixels.
pub(crate) const BLOCK: usize = 20;
/// Width of numbered clips: eight blocks a row.
pub(crate) const WIDTH: usize = 8 * BLOCK;
/// Height of numbered clips: two rows of blocks, and a strip that moves.
pub(crate) const HEIGHT: usize = 88;

/// Draws frame `number`: its code in blocks, its luma limited range, and a moving bar below.
pub(crate) fn numbered(number: u64) -> Vec<u8> {
    let mut luma = vec![0x50_u8; WIDTH * HEIGHT];
    for bit in 0..CODE_BITS as usize {
        let on = number >> (CODE_BITS as usize - 1 - bit) & 1 == 1;
        let (left, top) = (bit % 8 * BLOCK, bit / 8 * BLOCK);
        for row in top..top + BLOCK {
            luma[row * WIDTH + left..][..BLOCK].fill(if on { 235 } else { 16 });
        }
    }
    let bar = usize::try_from(number).unwrap() * 3 % (WIDTH - 10);
    for row in 2 * BLOCK..HEIGHT {
        luma[row * WIDTH + bar..][..10].fill(200);
    }
    let chroma = vec![0x80; WIDTH / 2 * HEIGHT / 2];
    [luma, chroma.clone(), chroma].concat()
}

/// Reads the number of a picture back from its luma, by the blocks' centres. `scale` is the
/// picture's size over the clip's.
pub(crate) fn number_of(luma: &[u8], stride: usize, scale: usize) -> u64 {
    (0..CODE_BITS as usize).fold(0, |number, bit| {
        let (left, top) = (bit % 8 * BLOCK, bit / 8 * BLOCK);
        let (x, y) = ((left + BLOCK / 2) * scale, (top + BLOCK / 2) * scale);
        number << 1 | u64::from(luma[y * stride + x] > 128)
    })
}

/// Runs `ffmpeg` over raw input and writes `out`.
pub(crate) fn ffmpeg(arguments: &[&str], input: &[u8], out: &Path) {
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments)
        .arg(out)
        .stdin(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed");
    let mut stdin = child.stdin.take().unwrap();
    // A broken pipe is the child's failure, which its status shows.
    let _ = stdin.write_all(input);
    drop(stdin);
    assert!(child.wait().unwrap().success(), "ffmpeg {arguments:?}");
}

/// What a tool prints.
pub(crate) fn output_of(tool: &str, arguments: &[&str], file: &Path) -> Vec<u8> {
    let output = Command::new(tool)
        .args(arguments)
        .arg(file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{tool} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// A numbered clip of `frames` frames at `rate` (as `ffmpeg` spells it), B-frames, GOP 250 unless
/// `extra` sets another. The container follows from the name.
pub(crate) fn numbered_clip(
    dir: &Path,
    name: &str,
    rate: &str,
    frames: u64,
    extra: &[&str],
) -> PathBuf {
    let out = dir.join(name);
    let raw: Vec<u8> = (0..frames).flat_map(numbered).collect();
    let size = format!("{WIDTH}x{HEIGHT}");
    let mut arguments = vec![
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", rate, "-i", "-", "-c:v",
        "libx264", "-preset", "veryfast", "-crf", "18", "-bf", "3", "-g", "250", "-threads", "1",
    ];
    arguments.extend(extra);
    ffmpeg(&arguments, &raw, &out);
    out
}

/// A numbered clip of variable rate: frame n is shown from 1/30 s × (n + n/5), so that every
/// fifth step is double.
pub(crate) fn vfr_clip(dir: &Path, name: &str, frames: u64) -> PathBuf {
    let filter = ["-vf", "setpts=(N+floor(N/5))/30/TB", "-vsync", "vfr"];
    numbered_clip(dir, name, "30", frames, &filter)
}

/// Where the clicks of a click clip begin, in samples of 48 kHz: start, middle and end.
pub(crate) fn click_positions(seconds: u64) -> [u64; 3] {
    [24_000, seconds * 24_000, (seconds - 1) * 48_000 + 24_000]
}

/// 48 kHz stereo samples of silence with clicks of 5 ms of 4 kHz (steep edges at every codec).
pub(crate) fn clicks(seconds: u64) -> Vec<f32> {
    let mut samples = vec![0.0; usize::try_from(seconds * 48_000).unwrap() * 2];
    for start in click_positions(seconds) {
        for n in 0..240_u32 {
            let wave = (f64::from(n) * std::f64::consts::TAU / 12.0 + 0.5).sin() * 0.8;
            let at = (usize::try_from(start).unwrap() + n as usize) * 2;
            samples[at] = wave as f32;
            samples[at + 1] = wave as f32;
        }
    }
    samples
}

/// Raw little-endian bytes of samples.
pub(crate) fn bytes_of(samples: &[f32]) -> Vec<u8> {
    samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect()
}

/// Samples coded by `ffmpeg` with the given arguments.
pub(crate) fn sound_clip(dir: &Path, name: &str, samples: &[f32], codec: &[&str]) -> PathBuf {
    let out = dir.join(name);
    let mut arguments = vec!["-f", "f32le", "-ar", "48000", "-ac", "2", "-i", "-"];
    arguments.extend(codec);
    ffmpeg(&arguments, &bytes_of(samples), &out);
    out
}

/// A clip whose pictures flash white exactly while a click is heard; 30 fps, numbered otherwise.
pub(crate) fn click_flash_clip(dir: &Path, name: &str, seconds: u64, sound: &[&str]) -> PathBuf {
    let sound_file = dir.join(format!("{name}.wav"));
    ffmpeg(
        &["-f", "f32le", "-ar", "48000", "-ac", "2", "-i", "-"],
        &bytes_of(&clicks(seconds)),
        &sound_file,
    );
    let flashes = click_positions(seconds).map(|sample| sample * 30 / 48_000);
    let raw: Vec<u8> = (0..seconds * 30)
        .flat_map(|n| {
            let mut picture = numbered(n);
            if flashes.contains(&n) {
                picture[2 * BLOCK * WIDTH..HEIGHT * WIDTH].fill(235);
            }
            picture
        })
        .collect();
    let out = dir.join(name);
    let size = format!("{WIDTH}x{HEIGHT}");
    let sound_path = sound_file.to_str().unwrap().to_owned();
    let mut arguments = vec![
        "-f",
        "rawvideo",
        "-pix_fmt",
        "yuv420p",
        "-s",
        &size,
        "-r",
        "30",
        "-i",
        "-",
        "-i",
        &sound_path,
    ];
    arguments.extend(sound);
    ffmpeg(&arguments, &raw, &out);
    out
}

/// The file's sound as 48 kHz stereo, decoded by `ffmpeg` from its time 0 on.
pub(crate) fn decoded_sound(file: &Path) -> Vec<f32> {
    let path = file.to_str().unwrap();
    let output = Command::new("ffmpeg")
        .args([
            "-v", "error", "-i", path, "-f", "f32le", "-ar", "48000", "-ac", "2", "-",
        ])
        .output()
        .unwrap();
    assert!(output.status.success());
    output
        .stdout
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect()
}

/// Where in `heard` (stereo) the click near sample `expected` begins, as an offset from it: the
/// shift at which it fits the click best.
pub(crate) fn click_error(heard: &[f32], expected: u64) -> i64 {
    let pattern: Vec<f32> = clicks(2)
        .chunks(2)
        .skip(24_000)
        .take(240)
        .map(|s| s[0])
        .collect();
    let fit = |shift: i64| -> f64 {
        let start = i64::try_from(expected).unwrap() + shift;
        pattern
            .iter()
            .zip(start..)
            .map(|(&wanted, at)| {
                let found = usize::try_from(at).ok().and_then(|at| heard.get(at * 2));
                f64::from(wanted) * f64::from(found.copied().unwrap_or(0.0))
            })
            .sum()
    };
    (-3000..=3000)
        .max_by(|&a, &b| fit(a).total_cmp(&fit(b)))
        .unwrap()
}

/// The numbers of all pictures of a file, decoded by `ffmpeg` without dropping or repeating.
pub(crate) fn decoded_numbers(file: &Path) -> Vec<u64> {
    let path = file.to_str().unwrap();
    let output = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-i",
            path,
            "-vsync",
            "passthrough",
            "-f",
            "rawvideo",
        ])
        .args(["-pix_fmt", "yuv420p", "-"])
        .output()
        .unwrap();
    assert!(output.status.success());
    output
        .stdout
        .chunks_exact(WIDTH * HEIGHT * 3 / 2)
        .map(|picture| number_of(picture, WIDTH, 1))
        .collect()
}
