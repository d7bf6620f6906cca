//! What readers ask of a job, worked out from its tasks. Nothing here changes anything.

use super::{Job, Task};
use crate::model::{FrameRange, ObjectRef, TaskKind};

impl Job {
    /// The segment tasks, in order.
    pub fn segments(&self) -> impl Iterator<Item = (u32, &Task)> {
        self.tasks.iter().filter_map(|(kind, task)| match kind {
            TaskKind::Segment(segment) => Some((*segment, task.as_ref())),
            TaskKind::Fetch
            | TaskKind::Prepare
            | TaskKind::Audio
            | TaskKind::Join
            | TaskKind::Ingest
            | TaskKind::Deliver => None,
        })
    }

    /// The frames of one segment of the plan.
    pub fn segment_frames(&self, segment: u32) -> Option<FrameRange> {
        let segment = usize::try_from(segment).ok()?;
        self.plan.as_ref()?.facts.segments.get(segment).copied()
    }

    /// Frames of committed segments at this moment. May fall when tasks are opened again;
    /// `frames_done` does not.
    pub fn frames_committed(&self) -> u64 {
        self.segments()
            .filter(|(_, task)| task.is_done())
            .filter_map(|(segment, _)| self.segment_frames(segment))
            .map(FrameRange::count)
            .sum()
    }

    /// Whether every segment and the sound are there to be joined.
    pub fn is_rendered(&self) -> bool {
        self.plan.is_some()
            && self
                .tasks
                .iter()
                .filter(|(kind, _)| matches!(kind, TaskKind::Segment(_) | TaskKind::Audio))
                .all(|(_, task)| task.is_done())
    }

    /// What a join works on: the segment files in order, then the sound if there is any.
    /// Nothing until all of it is there.
    pub fn join_inputs(&self) -> Option<Vec<ObjectRef>> {
        if !self.is_rendered() {
            return None;
        }
        let sound = self.tasks.get(&TaskKind::Audio).map(AsRef::as_ref);
        self.segments()
            .map(|(_, task)| task)
            .chain(sound)
            .map(|task| task.mark().map(|mark| mark.object.clone()))
            .collect()
    }

    /// Committed segments that came from the cache.
    pub(super) fn count_from_cache(&self) -> u32 {
        let count = self
            .segments()
            .filter(|(_, task)| task.mark().is_some_and(|mark| mark.from_cache))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}
