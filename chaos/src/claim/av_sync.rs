//! Sound stays with the picture: a click heard is a flash seen, and a tone has no seams.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Bench, Figure, Figures, Scale};
use crate::clips::{self, HEIGHT, Sound, WIDTH, click_times};
use crate::measure::pictures::{Region, each_luma, mean};
use crate::measure::probe::{self, packets};
use crate::measure::sound;

const LIMIT: f64 = 0.001;
const TONE: f64 = 997.0;
/// In samples. A dropped or doubled sample at a joint is a whole one; AAC alone moves the
/// measured phase by up to 0.3.
const SLIP_LIMIT: f64 = 0.5;

/// Renders click and flash clips with each kind of sound, and a tone, cut into 1, 4 and 10
/// segments.
///
/// # Errors
/// When a click is more than 1 ms from its flash, or the tone slips.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let seconds: u32 = scale.pick(4, 10);
    clips::clicks(&bench.file("clicks.mp4"), Sound::AacInMp4, seconds).await?;
    clips::clicks(&bench.file("clicks.mp3"), Sound::Mp3, seconds).await?;
    clips::clicks(&bench.file("clicks.webm"), Sound::OpusInWebm, seconds).await?;
    clips::tone(&bench.file("tone.wav"), TONE, seconds).await?;
    let origin = bench.origin().await?;
    let url = |name: &str| origin.url(name);
    let cases = [
        ("AAC in MP4", clip(&url("clicks.mp4"), seconds, None)),
        (
            "MP3",
            clip(&url("clicks.mp4"), seconds, Some(&url("clicks.mp3"))),
        ),
        ("Opus in WebM", clip(&url("clicks.webm"), seconds, None)),
    ];
    let toned = clip(&url("clicks.mp4"), seconds, Some(&url("tone.wav")));
    let mut worst = [0.0_f64; 3];
    let mut slip = 0.0_f64;
    for segments in [1, 4, 10] {
        let frames = u64::from(seconds) * 30 / segments;
        let node = bench.node().segment_frames(frames).start().await?;
        let api = node.api()?;
        for ((name, composition), worst) in cases.iter().zip(&mut worst) {
            let made = bench.rendered(&api, composition).await?;
            let error = largest_error(&made.file, seconds).await?;
            ensure!(
                error <= LIMIT,
                "{name} in {segments} segments: {:.2} ms between click and flash",
                error * 1_000.0
            );
            *worst = worst.max(error);
        }
        let made = bench.rendered(&api, &toned).await?;
        let strayed = sound::tone_slip(&sound::decode(&made.file).await?, TONE)?;
        ensure!(
            strayed < SLIP_LIMIT,
            "the tone slips by {strayed:.2} samples in {segments} segments"
        );
        slip = slip.max(strayed);
    }
    let mut figures: Figures = cases
        .iter()
        .zip(worst)
        .map(|((name, _), error)| {
            let error = format!("{:.3} ms", error * 1_000.0);
            Figure::new(
                format!("{name}: largest error over 1, 4, 10 segments"),
                error,
            )
        })
        .collect();
    let slip = format!("{slip:.3} samples");
    figures.push(Figure::new(
        "largest phase slip of a tone over the joints",
        slip,
    ));
    Ok(figures)
}

fn clip(video: &str, seconds: u32, audio: Option<&str>) -> Value {
    let mut elements = vec![json!({
        "type": "video", "source_url": video, "out_point": seconds,
        "volume": if audio.is_some() { 0 } else { 100 },
    })];
    if let Some(audio) = audio {
        elements.push(json!({"type": "audio", "source_url": audio, "out_point": seconds}));
    }
    json!({
        "width": 320, "height": 180, "duration": seconds, "frame_rate": 30,
        "elements": elements,
    })
}

/// The largest distance of a click from its flash anywhere in the file, in seconds.
async fn largest_error(file: &std::path::Path, seconds: u32) -> Result<f64> {
    let found = probe::probe(file).await?;
    let start = probe::stream(&found, "audio").map(|stream| stream["start_time"].clone());
    let start = probe::seconds(&start.unwrap_or_default())?;
    let video = packets(file, "v").await?;
    let whole = Region {
        x: 0,
        y: 0,
        width: WIDTH,
        height: HEIGHT,
    };
    let mut flashes = Vec::new();
    each_luma(file, whole, |frame, luma| {
        if mean(luma) > 128.0 {
            flashes.push(frame);
        }
        Ok(())
    })
    .await?;
    let expected = click_times(seconds);
    ensure!(
        flashes.len() == expected.len(),
        "{} flashes, not {}",
        flashes.len(),
        expected.len()
    );
    let samples = sound::decode(file).await?;
    let mut largest = 0.0_f64;
    for frame in flashes {
        let seen = seconds_of(video.pts[frame], video.time_base);
        let heard = start + sound::find_click(&samples, seen - start)?;
        largest = largest.max((heard - seen).abs());
    }
    Ok(largest)
}

#[expect(clippy::cast_precision_loss, reason = "times of short clips")]
fn seconds_of(ticks: i64, (numerator, denominator): (i64, i64)) -> f64 {
    (ticks * numerator) as f64 / denominator as f64
}
