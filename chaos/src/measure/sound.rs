//! A file's decoded sound: where a known click lies in it, and whether a tone runs through
//! it without a seam.

use std::f64::consts::TAU;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::run;

/// Samples a second of everything measured.
pub const RATE: u32 = 48_000;

/// The first sound track as mono samples at [`RATE`], edit lists and codec delays applied.
///
/// # Errors
/// When there is none.
pub async fn decode(file: &Path) -> Result<Vec<f32>> {
    let bytes = run(
        "ffmpeg",
        [
            "-v".as_ref(),
            "error".as_ref(),
            "-i".as_ref(),
            file.as_os_str(),
            "-map".as_ref(),
            "0:a:0".as_ref(),
            "-ac".as_ref(),
            "1".as_ref(),
            "-ar".as_ref(),
            "48000".as_ref(),
            "-f".as_ref(),
            "f32le".as_ref(),
            "-".as_ref(),
        ],
    )
    .await?;
    let samples = bytes.chunks_exact(4);
    Ok(samples
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect())
}

/// The click all click tracks are made of: a 20 ms sweep from 500 to 4,000 Hz. A sweep
/// survives lossy codecs and has one sharp peak against itself.
pub fn click() -> Vec<f32> {
    let length = 960;
    (0..length)
        .map(|n| {
            let t = f64::from(n) / f64::from(RATE);
            let seconds = f64::from(length) / f64::from(RATE);
            let phase = TAU * (500.0 * t + 3500.0 * t * t / (2.0 * seconds));
            let window = 0.5 - 0.5 * (TAU * f64::from(n) / f64::from(length)).cos();
            narrow(0.6 * window * phase.sin())
        })
        .collect()
}

/// Where a click begins that is expected at `expected` seconds, within 60 ms either way.
///
/// # Errors
/// When there is none.
pub fn find_click(samples: &[f32], expected: f64) -> Result<f64> {
    let click = click();
    let middle = whole(expected * f64::from(RATE));
    let reach = 2_880;
    let from = middle.saturating_sub(reach);
    let last = samples.len().checked_sub(click.len() + 1);
    let to = (middle + reach).min(last.context("the sound is too short")?);
    let scores: Vec<f64> = (from..=to)
        .map(|at| {
            let heard = &samples[at..at + click.len()];
            let pairs = heard.iter().zip(&click);
            pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        })
        .collect();
    let (peak, score) = scores
        .iter()
        .copied()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .context("the sound ends before the click")?;
    let own: f64 = click.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    ensure!(score > 0.3 * own, "no click near {expected} s");
    Ok(position(from + peak) / f64::from(RATE))
}

/// How far a steady tone of `hertz` strays from its own phase anywhere, in samples: a dropped
/// or doubled sample shows as 1, however well it is hidden. The first and last 100 ms are
/// left out (a codec starts and ends there).
///
/// # Errors
/// When the tone is not there.
pub fn tone_slip(samples: &[f32], hertz: f64) -> Result<f64> {
    let window = 960;
    let edge = 4_800;
    ensure!(
        samples.len() > 2 * edge + 2 * window,
        "the sound is too short"
    );
    let step = TAU * hertz / f64::from(RATE);
    let mut reference = None;
    let mut worst: f64 = 0.0;
    let mut at = edge;
    while at + window < samples.len() - edge {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (n, sample) in samples[at..at + window].iter().enumerate() {
            // The weight keeps what is cut off at the window's ends from being heard.
            let weight = 0.5 - 0.5 * (TAU * position(n) / position(window)).cos();
            let angle = step * position(at + n);
            real += weight * f64::from(*sample) * angle.cos();
            imaginary += weight * f64::from(*sample) * angle.sin();
        }
        ensure!(
            real.hypot(imaginary) > 1.0,
            "the tone is silent at sample {at}"
        );
        let phase = imaginary.atan2(real);
        let first = *reference.get_or_insert(phase);
        let strayed = (phase - first + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0;
        worst = worst.max(strayed.abs() / step);
        at += window / 4;
    }
    Ok(worst)
}

#[expect(clippy::cast_precision_loss, reason = "positions are far below 2^52")]
fn position(sample: usize) -> f64 {
    sample as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times in a test clip are small and not negative"
)]
pub(crate) fn whole(samples: f64) -> usize {
    samples.round() as usize
}

#[expect(clippy::cast_possible_truncation, reason = "samples lie within -1..1")]
pub(crate) fn narrow(sample: f64) -> f32 {
    sample as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(length: usize, hertz: f64) -> Vec<f32> {
        (0..length)
            .map(|n| narrow(0.5 * (TAU * hertz * position(n) / f64::from(RATE)).sin()))
            .collect()
    }

    #[test]
    fn a_click_is_found_to_the_sample() {
        let mut samples = vec![0.0; 96_000];
        samples[48_123..48_123 + 960].copy_from_slice(&click());
        let found = find_click(&samples, 1.0).unwrap();
        assert!((found - 48_123.0 / 48_000.0).abs() < 1e-9);
        assert!(find_click(&samples, 0.5).is_err());
    }

    #[test]
    fn a_single_missing_sample_shows_as_a_slip() {
        let mut samples = tone(96_000, 997.0);
        assert!(tone_slip(&samples, 997.0).unwrap() < 0.01);
        samples.remove(50_000);
        let slip = tone_slip(&samples, 997.0).unwrap();
        assert!((slip - 1.0).abs() < 0.05, "{slip}");
    }
}
