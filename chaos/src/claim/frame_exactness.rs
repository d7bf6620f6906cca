//! Every output frame shows the source frame that the contract's rule names: the last one
//! whose time is not after `in_point + t`.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Bench, Figure, Figures, Rendered, Scale};
use crate::clips::{HEIGHT, Timing, WIDTH, numbered, read_number};
use crate::compositions::{Rate, excerpt};
use crate::measure::pictures::{Region, each_luma};
use crate::measure::probe::{Packets, packets};

/// 1.234 s, which falls on no frame of any of the sources.
const IN_POINT: f64 = 1.234;
const IN_POINT_MS: i128 = 1_234;

const SOURCES: [(&str, Timing, u16); 6] = [
    ("24", Timing::Constant(24, 1), 24),
    ("25", Timing::Constant(25, 1), 25),
    ("29.97", Timing::Constant(30_000, 1001), 30),
    ("30", Timing::Constant(30, 1), 30),
    ("60", Timing::Constant(60, 1), 60),
    ("vfr", Timing::Variable, 30),
];

const WHOLE: Region = Region {
    x: 0,
    y: 0,
    width: WIDTH,
    height: HEIGHT,
};

struct Source {
    name: &'static str,
    file: String,
    packets: Packets,
}

/// Renders every source at 30 and 25 frames a second, cut into 1, 4 and 10 segments, and
/// reads the number in every output frame.
///
/// # Errors
/// When one shows another source frame.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let frames: u64 = scale.pick(60, 300);
    let seconds = scale.pick(5, 14);
    let mut sources = Vec::new();
    for (name, timing, rate) in SOURCES {
        let file = format!("numbered-{name}.mp4");
        numbered(&bench.file(&file), timing, rate * seconds).await?;
        let packets = packets(&bench.file(&file), "v").await?;
        sources.push(Source {
            name,
            file,
            packets,
        });
    }
    let origin = bench.origin().await?;
    let (mut renders, mut looked_at, mut mismatches) = (0, 0, Vec::new());
    for segments in [1, 4, 10] {
        let node = bench
            .node()
            .segment_frames(frames / segments)
            .start()
            .await?;
        let api = node.api()?;
        for rate in [Rate(30), Rate(25)] {
            let mut ids = Vec::new();
            for source in &sources {
                let url = origin.url(&source.file);
                ids.push(api.submit(&excerpt(&url, IN_POINT, frames, &rate)).await?);
            }
            for (source, id) in sources.iter().zip(ids) {
                let made = bench.collected(&api, &id).await?;
                ensure_cut(&made.render, segments)?;
                let wrong = wrong_frames(&made, source, rate, frames).await?;
                let context = format!("{} at {} in {segments}", source.name, rate.0);
                mismatches.extend(wrong.into_iter().map(|what| format!("{context}: {what}")));
                renders += 1;
                looked_at += frames;
            }
        }
    }
    ensure!(
        mismatches.is_empty(),
        "{} of {looked_at} frames are wrong: {}",
        mismatches.len(),
        mismatches[..mismatches.len().min(12)].join("; ")
    );
    Ok(vec![
        Figure::new(
            "renders (6 sources × 2 rates × 1, 4, 10 segments)",
            renders.to_string(),
        ),
        Figure::new("output frames read", looked_at.to_string()),
        Figure::new("mismatches", "0"),
    ])
}

fn ensure_cut(render: &Value, segments: u64) -> Result<()> {
    let cut = render["timing"]["segments"].as_u64();
    ensure!(cut == Some(segments), "cut into {cut:?}, not {segments}");
    Ok(())
}

async fn wrong_frames(
    made: &Rendered,
    source: &Source,
    rate: Rate,
    frames: u64,
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let count = count_frames(&made.file, |frame, shown| {
        let expected = expected_frame(&source.packets, frame, rate)?;
        match shown {
            Ok(number) if usize::from(number) == expected => {}
            Ok(number) => wrong.push(format!("frame {frame} shows {number}, not {expected}")),
            Err(error) => wrong.push(format!("frame {frame}: {error}")),
        }
        Ok(())
    })
    .await?;
    ensure!(
        u64::try_from(count)? == frames,
        "{}: {count} frames, not {frames}",
        source.name
    );
    Ok(wrong)
}

async fn count_frames(
    file: &Path,
    mut look: impl FnMut(usize, Result<u16>) -> Result<()>,
) -> Result<usize> {
    each_luma(file, WHOLE, |frame, luma| {
        look(frame, read_number(luma, WIDTH, HEIGHT))
    })
    .await
}

/// The rule, in whole numbers: everything is brought to the common denominator
/// `2000 × rate × time base`.
fn expected_frame(packets: &Packets, frame: usize, rate: Rate) -> Result<usize> {
    let (numerator, denominator) = packets.time_base;
    let (numerator, denominator) = (i128::from(numerator), i128::from(denominator));
    let rate = i128::from(rate.0);
    let wanted = (IN_POINT_MS * rate + i128::try_from(frame)? * 1_000) * 2 * denominator;
    // Half a tick of the container, at least half a millisecond.
    let half_tick = 1_000 * rate * numerator;
    let tolerance = half_tick.max(rate * denominator);
    packets
        .pts
        .iter()
        .rposition(|pts| i128::from(*pts) * 2_000 * rate * numerator <= wanted + tolerance)
        .context("the source begins later")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_takes_the_last_frame_not_after_the_wanted_time() {
        let packets = Packets {
            time_base: (1, 1_000),
            pts: vec![0, 1_200, 1_234, 1_235, 1_268],
            keyframes: vec![0],
        };
        // 1.234, 1.2673 (1.268 is more than half a millisecond later), 1.3007 s.
        let shown: Vec<usize> = (0..3)
            .map(|frame| expected_frame(&packets, frame, Rate(30)).unwrap())
            .collect();
        assert_eq!(shown, [2, 3, 4]);
    }
}
