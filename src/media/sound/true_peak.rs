//! The height of the continuous wave between samples, by fourfold interpolation.

use std::sync::OnceLock;

/// Samples on each side that an interpolated point leans on.
pub(super) const REACH: usize = 12;
const PHASES: usize = 4;

/// The greatest magnitude of one channel's wave from sample `REACH` − 1 to the next one.
/// `around` holds `2 × REACH` samples.
pub(super) fn peak(around: &[f32]) -> f32 {
    let mut highest = around.get(REACH - 1).map_or(0.0, |sample| sample.abs());
    for weights in filters() {
        let sum: f32 = weights.iter().zip(around).map(|(w, s)| w * s).sum();
        highest = highest.max(sum.abs());
    }
    highest
}

/// Windowed sinc for the three points between two samples.
fn filters() -> &'static [[f32; 2 * REACH]; PHASES - 1] {
    static FILTERS: OnceLock<[[f32; 2 * REACH]; PHASES - 1]> = OnceLock::new();
    FILTERS.get_or_init(|| {
        std::array::from_fn(|phase| {
            let fraction = position(phase + 1) / position(PHASES);
            let taps: [f64; 2 * REACH] = std::array::from_fn(|tap| {
                let distance = position(tap) - position(REACH - 1) - fraction;
                let x = std::f64::consts::PI * distance;
                let window = 0.5 + 0.5 * libm::cos(x / position(REACH));
                libm::sin(x) / x * window
            });
            let total: f64 = taps.iter().sum();
            #[expect(
                clippy::cast_possible_truncation,
                reason = "weights are single precision"
            )]
            taps.map(|tap| (tap / total) as f32)
        })
    })
}

fn position(index: usize) -> f64 {
    u32::try_from(index).map_or(0.0, f64::from)
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "samples are single precision"
)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_sampled_beside_its_crests_is_measured_at_them() {
        // A quarter of the sampling rate, 45° off: samples at 0.707, crests at 1.
        let around: Vec<f32> = (0..2 * REACH)
            .map(|n| {
                // The middle two lie on either side of a crest.
                let turns = position(n) - position(REACH - 1) + 0.5;
                let phase = std::f64::consts::FRAC_PI_2 * turns;
                libm::sin(phase) as f32
            })
            .collect();
        let measured = peak(&around);
        assert!((measured - 1.0).abs() < 0.02, "{measured}");
    }

    #[test]
    fn silence_has_no_peak() {
        assert_eq!(peak(&[0.0; 2 * REACH]), 0.0);
    }
}
