//! The limiter behind the mix: it keeps the true peak at −1 dB, and only where the mix exceeds
//! full scale. What never does passes bit by bit.
//!
//! ```text
//! sample  ──► delay of LOOK_AHEAD ────────────────────────► × gain ──► out
//!   └► wanted gain ──► lowest ahead ──► slow release ──► mean ──┘
//! ```
//! The mean over the look-ahead reaches the wanted gain exactly when the peak comes out.

use std::collections::VecDeque;

use super::Stereo;
use super::true_peak::{REACH, peak};

/// 5 ms.
const LOOK_AHEAD: usize = 240;
/// −1 dB.
const CEILING: f32 = 0.891_250_9;
/// Samples around an over in which the ceiling holds: what the gain's slopes touch.
const HOLD: u64 = 4_800;
/// Part of the way back to unity that the gain goes in one sample: 50 ms.
const RELEASE: f64 = 1.0 / 2_400.0;
/// A gain this near unity is unity.
const UNITY: f64 = 0.999_99;

/// Limits a stream of samples.
#[derive(Debug)]
pub struct Limiter {
    /// Samples whose wanted gain isn't known yet, with what the wave around them leans on.
    incoming: VecDeque<Stereo>,
    /// Samples that wait for their gain.
    waiting: VecDeque<Stereo>,
    /// Wanted gains of the waiting samples.
    wanted: VecDeque<f64>,
    /// Released gains over which the mean is taken.
    recent: VecDeque<f64>,
    released: f64,
    /// Silence put before the first sample, so that its gain has something to come down over.
    lead: usize,
    /// Samples left in which the ceiling holds.
    hold: u64,
    /// Samples put in that have not come out.
    owed: usize,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            incoming: VecDeque::from(vec![[0.0; 2]; REACH - 1]),
            waiting: VecDeque::from(vec![[0.0; 2]; LOOK_AHEAD]),
            wanted: VecDeque::from(vec![1.0; LOOK_AHEAD]),
            lead: LOOK_AHEAD,
            recent: VecDeque::from(vec![1.0; LOOK_AHEAD]),
            released: 1.0,
            hold: 0,
            owed: 0,
        }
    }
}

impl Limiter {
    /// Puts samples in and appends to `out` those whose gain is settled.
    pub fn process(&mut self, samples: &[Stereo], out: &mut Vec<Stereo>) {
        for &sample in samples {
            self.owed += 1;
            self.take(sample, out);
        }
    }

    /// Appends the samples still inside.
    pub fn finish(mut self, out: &mut Vec<Stereo>) {
        while self.owed > 0 {
            self.take([0.0; 2], out);
        }
    }

    fn take(&mut self, sample: Stereo, out: &mut Vec<Stereo>) {
        // An over opens the hold for what is already waiting, too.
        if over(sample) {
            if self.hold == 0 {
                self.demand_of_waiting();
            }
            self.hold = HOLD;
        }
        self.incoming.push_back(sample);
        if self.incoming.len() < 2 * REACH {
            return;
        }
        let measured = self.incoming.get(REACH - 1).copied().unwrap_or_default();
        let demand = if self.hold > 0 {
            self.hold -= 1;
            demanded(self.true_peak())
        } else {
            1.0
        };
        self.incoming.pop_front();
        self.waiting.push_back(measured);
        self.wanted.push_back(demand);
        if self.waiting.len() > LOOK_AHEAD {
            self.release(out);
        }
    }

    fn true_peak(&self) -> f32 {
        let side = |channel: usize| {
            let around: Vec<f32> = self.incoming.iter().map(|s| s[channel]).collect();
            peak(&around)
        };
        side(0).max(side(1))
    }

    /// Samples before the first over: their own heights, without what lies between them.
    fn demand_of_waiting(&mut self) {
        for (sample, wanted) in self.waiting.iter().zip(&mut self.wanted) {
            *wanted = wanted.min(demanded(sample[0].abs().max(sample[1].abs())));
        }
    }

    fn release(&mut self, out: &mut Vec<Stereo>) {
        let lowest = self.wanted.iter().copied().fold(1.0, f64::min);
        let risen = self.released + (1.0 - self.released) * RELEASE;
        let risen = if risen > UNITY { 1.0 } else { risen };
        self.released = risen.min(lowest);
        self.recent.pop_front();
        self.recent.push_back(self.released);
        self.wanted.pop_front();
        let Some(sample) = self.waiting.pop_front() else {
            return;
        };
        if self.lead > 0 {
            self.lead -= 1;
            return;
        }
        if self.owed == 0 {
            return;
        }
        self.owed -= 1;
        if self.recent.iter().all(|&gain| gain >= 1.0) {
            out.push(sample);
            return;
        }
        let count = u32::try_from(self.recent.len()).map_or(1.0, f64::from);
        let mean = self.recent.iter().sum::<f64>() / count;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "samples are single precision"
        )]
        let gain = mean as f32;
        out.push(sample.map(|value| value * gain));
    }
}

fn over(sample: Stereo) -> bool {
    sample.iter().any(|value| value.abs() > 1.0)
}

fn demanded(height: f32) -> f64 {
    if height > CEILING {
        f64::from(CEILING / height)
    } else {
        1.0
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "samples are single precision"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limited(samples: &[Stereo]) -> Vec<Stereo> {
        let (mut limiter, mut out) = (Limiter::default(), Vec::new());
        for part in samples.chunks(1000) {
            limiter.process(part, &mut out);
        }
        limiter.finish(&mut out);
        out
    }

    fn tone(amplitude: f32, samples: u32) -> Vec<Stereo> {
        (0..samples)
            .map(|n| {
                let wave = libm::sin(f64::from(n) * 0.13) as f32 * amplitude;
                [wave, -wave * 0.5]
            })
            .collect()
    }

    #[test]
    fn what_never_exceeds_full_scale_passes_bit_by_bit() {
        let quiet = tone(1.0, 20_000);
        assert_eq!(limited(&quiet), quiet);
    }

    #[test]
    fn an_over_is_brought_to_the_ceiling_and_nothing_near_it_exceeds_it() {
        let loud = tone(1.8, 20_000);
        let heights: Vec<f32> = limited(&loud).iter().map(|s| s[0].abs()).collect();
        let highest = heights.iter().copied().fold(0.0, f32::max);
        assert!(highest <= CEILING + 1e-4, "{highest}");
        assert!(highest > CEILING - 0.02, "{highest}");
    }

    #[test]
    fn the_gain_returns_to_exactly_one() {
        let mut samples = vec![[0.5, -0.25]; 100_000];
        samples[1000] = [1.5, 0.0];
        let out = limited(&samples);
        assert!(out[1000][0] <= CEILING + 1e-6);
        assert_eq!(out[..600], samples[..600]);
        assert_eq!(out[90_000..], samples[90_000..]);
    }

    proptest! {
        #[test]
        fn as_many_samples_come_out_as_went_in(
            heights in proptest::collection::vec(-2.0_f32..2.0, 0..2000)
        ) {
            let samples: Vec<Stereo> = heights.iter().map(|&h| [h, -h]).collect();
            let out = limited(&samples);
            prop_assert_eq!(out.len(), samples.len());
            if heights.iter().all(|h| h.abs() <= 1.0) {
                prop_assert_eq!(out, samples);
            } else {
                prop_assert!(out.iter().all(|s| s[0].abs() <= 1.0));
            }
        }
    }
}
