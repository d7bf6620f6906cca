//! How full the disk may become, and by what. Uploads, imports and fetched sources stop first, so
//! that one client's files never take the space of everybody's renders; renders stop next, so
//! that the log and what ends work always have some.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cluster::disk_space::DiskSpace;
use cluster::model::ObjectKey;

use super::StoreError;
use super::keys::COMPOSITION;

/// On a large disk the marks are these, in bytes, whatever the percentage.
const MOST_FOR_SOURCES: u64 = 64 << 30;
const MOST_FOR_RENDERS: u64 = 16 << 30;

/// Between two looks at the disk; what is admitted in between is counted.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What bytes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Uploads, imports and fetched sources.
    Source,
    /// Requests of the workspace that keeps most. They stop a little before rendering does, so
    /// that there is room for others' renders.
    LastShare,
    /// What renders make: plans, segments, sound, artifacts.
    Render,
    /// What clients ask for. Goes on a little longer than rendering, so that on a disk that one
    /// workspace filled the others are still let in and wait for room.
    Request,
    /// Small things without which nothing ends: bodies of events, probes of the store.
    Record,
}

impl Purpose {
    /// What an object is for, by its key.
    pub fn of(key: &ObjectKey) -> Self {
        match key.0.split('/').next() {
            Some("jobs") if key.0.ends_with(COMPOSITION) => Self::Request,
            Some("jobs") => Self::Render,
            Some("uploads" | "sources") => Self::Source,
            _ => Self::Record,
        }
    }
}

type Look = Box<dyn Fn() -> io::Result<DiskSpace> + Send + Sync>;

/// The marks of one disk.
pub struct Marks {
    look: Look,
    sources_percent: u8,
    renders_percent: u8,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    at: Option<Instant>,
    /// `None` where the system does not report it.
    space: Option<DiskSpace>,
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Marks")
            .field("sources_percent", &self.sources_percent)
            .field("renders_percent", &self.renders_percent)
            .finish_non_exhaustive()
    }
}

impl Marks {
    /// The marks of the disk that holds `directory`, in percent of it that stay free; 0: none.
    pub fn new(directory: &Path, sources_percent: u8, renders_percent: u8) -> Self {
        let directory = directory.to_owned();
        Self::looking(
            Box::new(move || DiskSpace::of(&directory)),
            sources_percent,
            renders_percent,
        )
    }

    pub(crate) fn looking(look: Look, sources_percent: u8, renders_percent: u8) -> Self {
        Self {
            look,
            sources_percent,
            renders_percent,
            seen: Mutex::default(),
        }
    }

    /// Takes `bytes` into account that are about to be written.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there is no room for them above the mark of their purpose.
    pub fn admit(&self, purpose: Purpose, bytes: u64) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.at.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            *seen = Seen {
                at: Some(Instant::now()),
                space: (self.look)().ok(),
            };
        }
        let Some(space) = &mut seen.space else {
            return Ok(());
        };
        let left = space.available.saturating_sub(bytes);
        if left < self.mark(purpose, space.total) {
            return Err(StoreError::Full);
        }
        space.available = left;
        Ok(())
    }

    /// Bytes that must go before sources are admitted again, with a little to spare.
    pub fn shortage(&self) -> u64 {
        let Ok(space) = (self.look)() else {
            return 0;
        };
        let mark = self.mark(Purpose::Source, space.total);
        if space.available >= mark {
            return 0;
        }
        (mark + mark / 8).saturating_sub(space.available)
    }

    fn mark(&self, purpose: Purpose, total: u64) -> u64 {
        let (percent, most) = match purpose {
            Purpose::Source => (self.sources_percent, MOST_FOR_SOURCES),
            Purpose::LastShare => {
                let percent = self.renders_percent;
                let quarter = percent.div_ceil(4);
                (percent.saturating_add(quarter), MOST_FOR_RENDERS / 4 * 5)
            }
            Purpose::Render => (self.renders_percent, MOST_FOR_RENDERS),
            Purpose::Request => (self.renders_percent / 2, MOST_FOR_RENDERS / 2),
            Purpose::Record => return 0,
        };
        (total / 100).saturating_mul(percent.into()).min(most)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn disk(total: u64) -> (Marks, Arc<AtomicU64>) {
        let free = Arc::new(AtomicU64::new(total));
        let available = Arc::clone(&free);
        let look = move || {
            let available = available.load(Ordering::Relaxed);
            Ok(DiskSpace { available, total })
        };
        (Marks::looking(Box::new(look), 25, 10), free)
    }

    fn admits(marks: &Marks, purpose: Purpose, bytes: u64) -> bool {
        marks.seen.lock().unwrap().at = None;
        marks.admit(purpose, bytes).is_ok()
    }

    #[test]
    fn sources_stop_before_renders_and_records_last() {
        let (marks, free) = disk(1000);
        let cases = [
            (260, [true, true, true, true, true]),
            (259, [false, true, true, true, true]),
            (140, [false, true, true, true, true]),
            (139, [false, false, true, true, true]),
            (110, [false, false, true, true, true]),
            (109, [false, false, false, true, true]),
            (60, [false, false, false, true, true]),
            (59, [false, false, false, false, true]),
            (0, [false, false, false, false, true]),
        ];
        for (available, expected) in cases {
            free.store(available, Ordering::Relaxed);
            let purposes = [
                Purpose::Source,
                Purpose::LastShare,
                Purpose::Render,
                Purpose::Request,
                Purpose::Record,
            ];
            let found = purposes.map(|purpose| admits(&marks, purpose, 10));
            assert_eq!(found, expected, "{available}");
        }
        free.store(200, Ordering::Relaxed);
        assert_eq!(marks.shortage(), 81);
    }

    #[test]
    fn what_was_admitted_since_the_last_look_counts() {
        let (marks, _free) = disk(1000);
        marks.admit(Purpose::Source, 700).unwrap();
        assert!(marks.admit(Purpose::Source, 51).is_err());
        marks.admit(Purpose::Source, 50).unwrap();
    }

    #[test]
    fn a_large_disk_is_not_kept_empty() {
        let (marks, free) = disk(100 << 40);
        free.store(65 << 30, Ordering::Relaxed);
        assert!(admits(&marks, Purpose::Source, 1 << 29));
        assert!(!admits(&marks, Purpose::Source, 1 << 31));
    }

    #[test]
    fn keys_say_what_objects_are_for() {
        for (key, purpose) in [
            ("jobs/render_1/composition.json", Purpose::Request),
            ("jobs/render_1/join/1-0.mp4", Purpose::Render),
            ("uploads/upload_1/raw", Purpose::Source),
            ("sources/00", Purpose::Source),
            ("webhooks/evt_1.json", Purpose::Record),
            ("probe/1", Purpose::Record),
        ] {
            assert_eq!(Purpose::of(&ObjectKey(key.to_owned())), purpose, "{key}");
        }
    }
}
