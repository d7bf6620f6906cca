//! How long a failed task waits before it is granted again. Pure: the jitter is given.

use std::time::Duration;

/// The delay before the retry that follows `failures` earlier ones (0 for the first):
/// `base` doubled that many times, at most `cap`, then scaled into its upper half by
/// `jitter` (0 to 1), so that tasks which failed together do not come back together.
pub fn delay(base: Duration, cap: Duration, failures: u32, jitter: f64) -> Duration {
    let doubled = base.saturating_mul(2u32.saturating_pow(failures.min(31)));
    let scale = 0.5 + 0.5 * jitter.clamp(0.0, 1.0);
    doubled.min(cap).mul_f64(scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: Duration = Duration::from_secs(1);
    const CAP: Duration = Duration::from_secs(60);

    #[test]
    fn delays_double_up_to_the_cap() {
        let cases = [
            (0, 1),
            (1, 2),
            (2, 4),
            (5, 32),
            (6, 60),
            (40, 60),
            (u32::MAX, 60),
        ];
        for (failures, seconds) in cases {
            assert_eq!(
                delay(BASE, CAP, failures, 1.0),
                Duration::from_secs(seconds),
                "after {failures} failures"
            );
        }
    }

    proptest! {
        #[test]
        fn jitter_stays_within_the_upper_half(failures in 0u32..100, jitter in -1.0f64..2.0) {
            let full = delay(BASE, CAP, failures, 1.0);
            let got = delay(BASE, CAP, failures, jitter);
            prop_assert!(got <= full);
            prop_assert!(got >= full / 2);
        }
    }
}
