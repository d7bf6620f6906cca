//! Where the output is cut into segments.
//!
//! A function of the composition and the configuration alone: never of nodes, slots or load,
//! so that the same request makes the same files wherever it runs.

use cluster::model::{FrameRange, FrameRate};
use serde::{Deserialize, Serialize};

/// Outputs up to this long are cut into equal parts.
const EQUAL_PARTS_SECONDS: u128 = 20;
/// Equal parts have at least this many frames.
const MIN_FRAMES: u64 = 60;
/// Longer outputs are cut on a grid of this many seconds.
const GRID_SECONDS: u128 = 4;
/// The grid is widened until there are no more segments than this, as far as their size allows.
const PREFERRED_SEGMENTS: u64 = 200;
/// No output has more segments than this, whatever their size: their state is kept by every
/// coordinator.
const MAX_SEGMENTS: u64 = 20_000;

/// The operator's settings for cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutSettings {
    /// `render.segment_frames`: the grid's step; 0: by the output's length.
    pub segment_frames: u32,
    /// `render.segment_pixels`: most frames times pixels of the canvas in one segment, so that
    /// none holds a slot for long.
    pub segment_pixels: u64,
}

/// Cuts `frames` output frames of `pixels` each into segments, in order and without gaps.
///
/// Up to 20 s: the largest power of two of equal segments with at least 60 frames each. Longer:
/// a grid of round(4 s × `rate`) frames, doubled until there are at most 200 segments; a
/// remainder under half a step joins its neighbour. With a `keyframe_interval` every cut lies
/// on a multiple of it. `segment_frames` other than 0 is the grid's step instead of all that.
///
/// Where that would make a segment of more than `segment_pixels`, all are cut shorter, within
/// keyframe intervals if these are too long themselves; unless more than 20,000
/// segments would come of it.
pub fn cut(
    frames: u64,
    pixels: u64,
    rate: FrameRate,
    keyframe_interval: Option<u32>,
    settings: CutSettings,
) -> Vec<FrameRange> {
    let interval = u64::from(keyframe_interval.unwrap_or(1)).max(1);
    let most = (settings.segment_pixels / pixels.max(1))
        .max(frames.div_ceil(MAX_SEGMENTS))
        .max(1);
    let preferred = prefer(frames, rate, interval, settings.segment_frames);
    let longest = preferred.iter().map(|range| range.count()).max();
    if longest.is_none_or(|longest| longest <= most) && preferred.len() as u64 <= MAX_SEGMENTS {
        return preferred;
    }
    shorten(frames, interval, most)
}

/// Cuts of at most `most` frames: whole intervals where one fits, else equal parts of each.
/// A remainder is a segment of its own, not a longer one.
fn shorten(frames: u64, interval: u64, most: u64) -> Vec<FrameRange> {
    if interval <= most {
        return pieces(0, frames, most / interval * interval);
    }
    let parts = interval.div_ceil(most);
    if frames.div_ceil(interval).saturating_mul(parts) > MAX_SEGMENTS {
        return shorten(frames, interval, most.saturating_mul(2));
    }
    let part = interval.div_ceil(parts);
    let starts = (0..frames.div_ceil(interval)).map(|index| index * interval);
    starts
        .flat_map(|start| pieces(start, frames.min(start.saturating_add(interval)), part))
        .collect()
}

/// The cuts by length alone.
fn prefer(frames: u64, rate: FrameRate, interval: u64, segment_frames: u32) -> Vec<FrameRange> {
    if segment_frames > 0 {
        let step = u64::from(segment_frames).max(frames.div_ceil(MAX_SEGMENTS));
        return grid(frames, whole_intervals(step, interval));
    }
    let (numerator, denominator) = (u128::from(rate.numerator()), u128::from(rate.denominator()));
    if u128::from(frames) * denominator <= EQUAL_PARTS_SECONDS * numerator {
        let most = (frames / MIN_FRAMES).max(1);
        let parts = 1_u64 << most.ilog2();
        if interval == 1 {
            return equal(frames, parts);
        }
        return grid(frames, whole_intervals(frames.div_ceil(parts), interval));
    }
    let rounded = (2 * GRID_SECONDS * numerator + denominator) / (2 * denominator);
    let mut step = whole_intervals(u64::try_from(rounded).unwrap_or(u64::MAX), interval);
    while grid_count(frames, step) > PREFERRED_SEGMENTS {
        step = step.saturating_mul(2);
    }
    grid(frames, step)
}

/// `start..end` in pieces of `step` frames, the last one as long as is left.
fn pieces(start: u64, end: u64, step: u64) -> Vec<FrameRange> {
    let step = step.max(1);
    (0..(end - start).div_ceil(step))
        .filter_map(|piece| {
            let from = start + piece * step;
            FrameRange::new(from, end.min(from + step))
        })
        .collect()
}

/// The least multiple of `interval` that is not under `step`.
fn whole_intervals(step: u64, interval: u64) -> u64 {
    step.div_ceil(interval).max(1).saturating_mul(interval)
}

/// `parts` ranges whose lengths differ by one frame at most.
fn equal(frames: u64, parts: u64) -> Vec<FrameRange> {
    (0..parts)
        .filter_map(|part| FrameRange::new(part * frames / parts, (part + 1) * frames / parts))
        .collect()
}

/// How many segments [`grid`] makes.
fn grid_count(frames: u64, step: u64) -> u64 {
    let (whole, rest) = (frames / step, frames % step);
    if rest == 0 || (whole > 0 && rest < step - rest) {
        whole
    } else {
        whole + 1
    }
}

/// Cuts at the multiples of `step`.
fn grid(frames: u64, step: u64) -> Vec<FrameRange> {
    let count = grid_count(frames, step);
    (0..count)
        .filter_map(|part| {
            let end = if part + 1 == count {
                frames
            } else {
                (part + 1) * step
            };
            FrameRange::new(part * step, end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames of 100 pixels, and no bound on their number in a segment.
    fn cut(
        frames: u64,
        rate: FrameRate,
        interval: Option<u32>,
        segment_frames: u32,
    ) -> Vec<FrameRange> {
        let settings = CutSettings {
            segment_frames,
            segment_pixels: u64::MAX,
        };
        super::cut(frames, 100, rate, interval, settings)
    }

    fn bounded(frames: u64, interval: Option<u32>, segment_pixels: u64) -> Vec<FrameRange> {
        let settings = CutSettings {
            segment_frames: 0,
            segment_pixels,
        };
        super::cut(frames, 100, rate(30, 1), interval, settings)
    }

    fn rate(numerator: u32, denominator: u32) -> FrameRate {
        FrameRate::new(numerator, denominator).expect("a test's rate")
    }

    fn lengths(ranges: &[FrameRange]) -> Vec<u64> {
        ranges.iter().map(|range| range.count()).collect()
    }

    #[test]
    fn short_outputs_are_halved_while_sixty_frames_remain() {
        let cases: [(u64, &[u64]); 7] = [
            (1, &[1]),
            (119, &[119]),
            (120, &[60, 60]),
            (239, &[119, 120]),
            (240, &[60, 60, 60, 60]),
            (300, &[75, 75, 75, 75]),
            (600, &[75; 8]),
        ];
        for (frames, expected) in cases {
            assert_eq!(
                lengths(&cut(frames, rate(30, 1), None, 0)),
                expected,
                "{frames}"
            );
        }
    }

    #[test]
    fn long_outputs_are_cut_on_a_grid_of_four_seconds() {
        let made = cut(601, rate(30, 1), None, 0);
        assert_eq!(lengths(&made), [120, 120, 120, 120, 121]);
        let made = cut(660, rate(30, 1), None, 0);
        assert_eq!(lengths(&made), [120, 120, 120, 120, 120, 60]);
        // 4 s at 29.97 are 119.88 frames, rounded up.
        let made = cut(1200, rate(30_000, 1001), None, 0);
        assert_eq!(lengths(&made), [120; 10]);
    }

    #[test]
    fn the_grid_doubles_until_two_hundred_segments_suffice() {
        let hour = cut(3600 * 30, rate(30, 1), None, 0);
        assert_eq!(hour.len(), 113);
        assert_eq!(hour[0].count(), 960);
        assert_eq!(cut(200 * 120, rate(30, 1), None, 0).len(), 200);
        assert_eq!(cut(200 * 120 + 60, rate(30, 1), None, 0).len(), 100);
    }

    #[test]
    fn a_keyframe_interval_moves_every_cut_onto_its_multiples() {
        let made = cut(300, rate(30, 1), Some(48), 0);
        assert_eq!(lengths(&made), [96, 96, 108]);
        let made = cut(900, rate(30, 1), Some(50), 0);
        assert_eq!(lengths(&made), [150; 6]);
    }

    #[test]
    fn the_operator_can_set_the_step() {
        assert_eq!(lengths(&cut(100, rate(30, 1), None, 30)), [30, 30, 40]);
        assert_eq!(lengths(&cut(100, rate(30, 1), None, 1000)), [100]);
        assert_eq!(cut(10, rate(30, 1), None, 1).len(), 10);
    }

    #[test]
    fn no_segment_has_more_pixels_than_the_operator_allows() {
        assert_eq!(lengths(&bounded(300, None, 7_500)), [75; 4], "it fits");
        assert_eq!(lengths(&bounded(300, None, 7_499)), [74, 74, 74, 74, 4]);
        let hour = bounded(3600 * 30, None, 12_000);
        assert_eq!(hour.len(), 900, "the grid is not doubled any more");
        assert_eq!(lengths(&bounded(300, Some(48), 10_000)), [96, 96, 96, 12]);
        assert_eq!(lengths(&bounded(3, None, 1)), [1, 1, 1]);
        // An interval that is too long itself is cut in equal parts.
        let parts = [34, 34, 32, 34, 34, 32, 34, 16];
        assert_eq!(lengths(&bounded(250, Some(100), 4_000)), parts);
    }

    #[test]
    fn there_are_never_more_than_twenty_thousand_segments() {
        let frames = 3 * 3600 * 240;
        let rate = rate(240, 1);
        for (segment_frames, segment_pixels) in [(1, u64::MAX), (0, 100), (1, 1)] {
            let settings = CutSettings {
                segment_frames,
                segment_pixels,
            };
            let made = super::cut(frames, 100, rate, None, settings);
            assert!(made.len() as u64 <= MAX_SEGMENTS, "{}", made.len());
            assert!(made.len() > 15_000, "{}", made.len());
        }
    }

    proptest! {
        #[test]
        fn cuts_cover_every_frame_once(
            frames in 1_u64..3_000_000,
            numerator in 1_u32..=240,
            ntsc in any::<bool>(),
            interval in proptest::option::of(1_u32..2000),
            // An override is the operator's to answer for; the automatic cut has a bound.
            step in prop_oneof![Just(0_u32), 500_u32..5000],
        ) {
            let rate = if ntsc { rate(numerator * 1000, 1001) } else { rate(numerator, 1) };
            let made = cut(frames, rate, interval, step);
            prop_assert_eq!(made[0].start, 0);
            prop_assert_eq!(made[made.len() - 1].end, frames);
            for pair in made.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
            for range in &made {
                prop_assert!(range.start < range.end);
                prop_assert_eq!(range.start % u64::from(interval.unwrap_or(1)), 0);
            }
            prop_assert!(step > 0 || made.len() <= 200);
        }

        #[test]
        fn bounded_cuts_cover_every_frame_once_and_hold_the_bound(
            frames in 1_u64..300_000,
            interval in proptest::option::of(1_u32..2000),
            most in 16_u64..400,
        ) {
            let made = bounded(frames, interval, most * 100);
            prop_assert_eq!(made[0].start, 0);
            prop_assert_eq!(made[made.len() - 1].end, frames);
            for pair in made.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
            prop_assert!(made.iter().all(|range| range.count() <= most));
            // Every whole interval that fits still begins with a cut.
            let interval = u64::from(interval.unwrap_or(1));
            if interval > most {
                let starts: Vec<u64> = made.iter().map(|range| range.start).collect();
                prop_assert!((0..frames).step_by(usize::try_from(interval).unwrap())
                    .all(|start| starts.binary_search(&start).is_ok()));
            }
        }
    }
}
