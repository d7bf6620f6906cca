//! The accepted plan: what a job consists of from then on.

use std::sync::Arc;

use super::{Job, PlanState, Task, TaskPhase};
use crate::model::{Generation, NodeId, ObjectRef, PlanFacts, TaskKind};

/// Most segments a plan may have; beyond this the state of one job would be unreasonable.
const MAX_SEGMENTS: usize = 65_536;

/// Whether the cuts cover the output from its first frame to its last without a gap.
pub(super) fn is_sound(facts: &PlanFacts) -> bool {
    if facts.segments.is_empty() || facts.segments.len() > MAX_SEGMENTS {
        return false;
    }
    let mut next = 0;
    for range in &facts.segments {
        if range.start != next || range.end <= range.start {
            return false;
        }
        next = range.end;
    }
    next == facts.frames
}

/// Sets up the tasks of a sound plan; the prepare task itself is the caller's.
pub(super) fn adopt(job: &mut Job, object: ObjectRef, facts: PlanFacts, prepared_by: NodeId) {
    job.generation = Generation(1);
    job.frames = Some(facts.frames);
    job.segment_count = u32::try_from(facts.segments.len())
        .expect("a sound plan has at most MAX_SEGMENTS segments");
    for segment in 0..job.segment_count {
        job.tasks.insert(
            TaskKind::Segment(segment),
            Arc::new(Task::new(TaskPhase::Open)),
        );
    }
    if facts.has_audio {
        job.tasks
            .insert(TaskKind::Audio, Arc::new(Task::new(TaskPhase::Open)));
    }
    job.tasks
        .insert(TaskKind::Join, Arc::new(Task::new(TaskPhase::Blocked)));
    job.plan = Some(PlanState {
        object,
        facts,
        prepared_by,
    });
}
