//! An accepted output and what it opens. The fence was passed already.

use super::job::task_mut;
use super::job_editor::JobEditor;
use super::{Job, TaskPhase, plan};
use crate::model::{
    AttemptOutcome, Digest, Epoch, Fingerprint, NodeId, ObjectRef, SegmentMark, TaskKind,
    TaskOutput,
};

/// Ends the attempt as done and takes what it made.
pub(super) fn accept(
    job: &mut Job,
    editor: &mut JobEditor<'_>,
    kind: TaskKind,
    epoch: Epoch,
    output: TaskOutput,
    fingerprint_of: impl Fn(NodeId) -> Option<Fingerprint>,
) {
    let Some(task) = task_mut(&mut job.tasks, kind) else {
        return;
    };
    let Some(attempt) = task.take(epoch) else {
        return;
    };
    let node = attempt.node;
    task.record(attempt, editor.now, AttemptOutcome::Done);
    // A rival attempt of a straggler has nothing left to do.
    task.drop_attempts(editor.now);
    let mark = |object: ObjectRef, from_cache: bool| SegmentMark {
        object,
        epoch,
        from_cache,
        // Sound may be done before the first segment is granted; it then carries its node's.
        fingerprint: job
            .fingerprint
            .or_else(|| fingerprint_of(node))
            .unwrap_or(Fingerprint(Digest([0; 32]))),
    };
    match output {
        TaskOutput::Plan { object, facts } => {
            task.phase = TaskPhase::Done(None);
            plan::adopt(job, object, facts, node);
            editor.touch(job);
        }
        TaskOutput::Planned {
            object,
            facts,
            findings,
        } => {
            task.phase = TaskPhase::Done(None);
            plan::adopt(job, object, facts, node);
            job.findings = Some(findings);
            editor.touch(job);
        }
        TaskOutput::Segment { object, from_cache } | TaskOutput::Audio { object, from_cache } => {
            task.phase = TaskPhase::Done(Some(mark(object, from_cache)));
            if let TaskKind::Segment(segment) = kind {
                job.accepted.insert(segment, editor.index);
            }
            open_join(job, editor);
            editor.touch(job);
        }
        TaskOutput::Artifact(artifact) => editor.complete(job, artifact),
        TaskOutput::Published { artifact, findings } => {
            job.findings = findings.or(job.findings.take());
            editor.complete(job, artifact);
        }
        TaskOutput::Fetched => {
            task.phase = TaskPhase::Done(None);
            job.open_first_task();
        }
        // A transfer job's report ends its job and never comes here.
        TaskOutput::Ingested(_) | TaskOutput::Delivered => {}
    }
}

/// Brings the counts up to date and opens the join once all that it needs is there.
fn open_join(job: &mut Job, editor: &JobEditor<'_>) {
    job.segments_from_cache = job.count_from_cache();
    job.frames_done = job.frames_done.max(job.frames_committed());
    if !job.is_rendered() {
        return;
    }
    job.rendered_at = Some(editor.now);
    if let Some(join) = task_mut(&mut job.tasks, TaskKind::Join) {
        join.phase = TaskPhase::Open;
    }
}
