//! Token buckets, one for each key (in open mode, each workspace). A bucket is one instant: when
//! it would be full again without further requests. A request moves that instant later by the
//! time a token takes to come back; a bucket whose instant is too far ahead has none left.
//!
//! Our own and not the `governor` crate's: that one cannot give a token back, which replays of
//! an idempotency key need, for they are not counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cluster::model::KeyId;

/// The time that rates are given for.
const PERIOD: Duration = Duration::from_secs(60);

/// Buckets from which the full ones are dropped: a full one is as good as none.
const MANY: usize = 4096;

/// Whose bucket it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// One key's.
    Key(KeyId),
    /// Everybody's who comes without a key.
    Workspace(String),
}

/// What a bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// Requests that would be taken now.
    pub(crate) left: u64,
    /// Seconds until there is one more.
    pub(crate) more_in: u64,
}

/// Every bucket of this process.
#[derive(Debug)]
pub(crate) struct Buckets {
    /// Tokens in a full bucket.
    capacity: u32,
    /// How long one takes to come back.
    interval: Duration,
    full_at: Mutex<HashMap<Holder, Instant>>,
}

impl Buckets {
    /// Buckets that let `per_minute` requests pass for good, and `burst` at once (0: a
    /// minute's). None for no limit.
    pub(crate) fn new(per_minute: u32, burst: u32) -> Option<Self> {
        (per_minute > 0).then(|| Self {
            capacity: if burst > 0 { burst } else { per_minute },
            interval: PERIOD / per_minute,
            full_at: Mutex::default(),
        })
    }

    /// Tokens of a full bucket.
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Seconds in which an empty bucket fills.
    pub(crate) fn window(&self) -> u64 {
        whole_seconds(self.whole())
    }

    /// Takes a token, or returns what the bucket lacks.
    pub(crate) fn take(&self, holder: &Holder, now: Instant) -> Result<Level, Level> {
        let mut buckets = self.lock();
        let full_at = buckets.get(holder).copied().unwrap_or(now).max(now);
        let full_then = full_at + self.interval;
        if full_then.duration_since(now) > self.whole() {
            return Err(self.level(full_at, now));
        }
        if buckets.len() >= MANY {
            buckets.retain(|_, full_at| *full_at > now);
        }
        buckets.insert(holder.clone(), full_then);
        Ok(self.level(full_then, now))
    }

    /// Puts back a token that was not used.
    pub(crate) fn put_back(&self, holder: &Holder, now: Instant) -> Level {
        let mut buckets = self.lock();
        let Some(full_at) = buckets.get_mut(holder) else {
            return self.level(now, now);
        };
        if let Some(earlier) = full_at.checked_sub(self.interval) {
            *full_at = earlier;
        }
        self.level((*full_at).max(now), now)
    }

    /// What the bucket holds.
    pub(crate) fn look(&self, holder: &Holder, now: Instant) -> Level {
        let full_at = self.lock().get(holder).copied().unwrap_or(now).max(now);
        self.level(full_at, now)
    }

    fn level(&self, full_at: Instant, now: Instant) -> Level {
        let missing = full_at.duration_since(now).as_nanos();
        let interval = self.interval.as_nanos();
        let left = u128::from(self.capacity).saturating_sub(missing.div_ceil(interval));
        // The token that comes next is the one whose time has partly passed already.
        let next = match missing % interval {
            0 if missing == 0 => 0,
            0 => interval,
            part => part,
        };
        let next = Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX));
        Level {
            left: u64::try_from(left).unwrap_or(u64::MAX),
            more_in: whole_seconds(next),
        }
    }

    fn whole(&self) -> Duration {
        self.interval * self.capacity
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Holder, Instant>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(name: &str) -> Holder {
        Holder::Workspace(name.to_owned())
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        // A token every six seconds, three at once.
        let buckets = Buckets::new(10, 3).unwrap();
        assert_eq!((buckets.capacity(), buckets.window()), (3, 18));
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let one = holder("one");
        for left in [2, 1, 0] {
            assert_eq!(buckets.take(&one, at(0)).unwrap().left, left);
        }
        let refused = buckets.take(&one, at(1)).unwrap_err();
        assert_eq!(
            refused,
            Level {
                left: 0,
                more_in: 5
            }
        );
        assert!(buckets.take(&one, at(5)).is_err());
        assert_eq!(buckets.take(&one, at(6)).unwrap().left, 0);
        assert!(buckets.take(&one, at(6)).is_err());
        assert_eq!(buckets.look(&one, at(60)).left, 3);
        // No other bucket is touched.
        assert_eq!(buckets.take(&holder("two"), at(1)).unwrap().left, 2);
    }

    #[test]
    fn over_a_minute_no_more_pass_than_the_burst_and_the_rate() {
        let buckets = Buckets::new(60, 5).unwrap();
        let begun = Instant::now();
        let passed = (0..600)
            .filter(|tenth| {
                let now = begun + Duration::from_millis(tenth * 100);
                buckets.take(&holder("one"), now).is_ok()
            })
            .count();
        assert_eq!(passed, 5 + 59);
    }

    #[test]
    fn a_token_put_back_is_there_again_and_a_bucket_never_overflows() {
        let buckets = Buckets::new(60, 2).unwrap();
        let now = Instant::now();
        let one = holder("one");
        buckets.take(&one, now).unwrap();
        buckets.take(&one, now).unwrap();
        assert_eq!(buckets.put_back(&one, now).left, 1);
        assert!(buckets.take(&one, now).is_ok());
        for _ in 0..5 {
            assert!(buckets.put_back(&one, now).left <= 2);
        }
        assert_eq!(buckets.take(&one, now).unwrap().left, 1);
    }

    #[test]
    fn no_rate_is_no_limit() {
        assert!(Buckets::new(0, 5).is_none());
    }
}
