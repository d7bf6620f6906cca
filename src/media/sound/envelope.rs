//! How loud a clip is at each of its samples.

use crate::timeline::MixClip;

/// The factor for sample `at` of a clip: its gain times its fades, which multiply where they
/// overlap. Exactly 1 where the gain is 1 and no fade is under way.
pub fn amplitude(clip: &MixClip, at: u64) -> f32 {
    let mut factor = clip.gain;
    if at < clip.fade_in {
        factor *= ratio(at, clip.fade_in);
    }
    let left = clip.length.saturating_sub(at);
    if left < clip.fade_out {
        factor *= ratio(left, clip.fade_out);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "samples are single precision"
    )]
    let single = factor as f32;
    single
}

#[expect(
    clippy::cast_precision_loss,
    reason = "fades are far shorter than 2^53 samples"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(gain: f64, fade_in: u64, fade_out: u64) -> MixClip {
        MixClip {
            source: 0,
            track: 0,
            start: 0,
            length: 100,
            source_start: 0,
            gain,
            fade_in,
            fade_out,
        }
    }

    #[test]
    fn fades_are_linear_and_multiply_where_they_overlap() {
        let cases = [
            (clip(1.0, 0, 0), 0, 1.0),
            (clip(1.0, 0, 0), 99, 1.0),
            (clip(0.5, 0, 0), 50, 0.5),
            (clip(1.0, 50, 0), 0, 0.0),
            (clip(1.0, 50, 0), 25, 0.5),
            (clip(1.0, 50, 0), 50, 1.0),
            (clip(1.0, 0, 50), 50, 1.0),
            (clip(1.0, 0, 50), 75, 0.5),
            (clip(0.5, 100, 100), 50, 0.125),
        ];
        for (clip, at, expected) in cases {
            assert_eq!(amplitude(&clip, at), expected, "{clip:?} at {at}");
        }
    }
}
