//! The furthest progress each render was seen at. A lost attempt or a new leader takes work
//! back; the progress that clients see never goes back.

use cluster::model::JobId;
use quick_cache::sync::Cache;

/// Renders remembered, some fifty bytes each; of more, those that are seldom asked for are
/// forgotten.
const RENDERS: usize = 4096;

/// The furthest progress reported, by render.
#[derive(Debug)]
pub(super) struct HighWater(Cache<JobId, Reached>);

/// How far a render has got.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Reached {
    /// Frames rendered.
    pub(super) frames: u64,
    /// From 0 to 1.
    pub(super) fraction: f64,
}

impl HighWater {
    pub(super) fn new() -> Self {
        Self(Cache::new(RENDERS))
    }

    /// The larger of `now` and what was reported before, for frames and fraction separately.
    pub(super) fn raise(&self, job: JobId, now: Reached) -> Reached {
        let before = self.0.get(&job).unwrap_or_default();
        let reached = Reached {
            frames: before.frames.max(now.frames),
            fraction: before.fraction.max(now.fraction),
        };
        if reached != before {
            self.0.insert(job, reached);
        }
        reached
    }

    /// Forgets a render that has ended.
    pub(super) fn forget(&self, job: JobId) {
        self.0.remove(&job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_goes_back() {
        let marks = HighWater::new();
        let at = |frames, fraction| Reached { frames, fraction };
        assert_eq!(marks.raise(JobId(1), at(10, 0.5)), at(10, 0.5));
        assert_eq!(marks.raise(JobId(1), at(4, 0.6)), at(10, 0.6));
        assert_eq!(marks.raise(JobId(2), at(4, 0.6)), at(4, 0.6));
    }
}
