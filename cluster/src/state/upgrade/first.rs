//! The shape of the first release: read, never written.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::second::{Second, SecondJob, SecondTask};
use crate::model::{
    Artifact, Digest, Epoch, Fingerprint, Generation, JobError, JobId, JobKind, JobStatus,
    LogIndex, LogTime, NodeId, NodeInfo, ObjectRef, OutboxRow, Seq, TaskKind,
};
use crate::state::PlanState;

/// The state of the first release.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct First {
    applied: LogIndex,
    now: LogTime,
    next_epoch: Epoch,
    jobs: OrdMap<JobId, Arc<FirstJob>>,
    active: OrdMap<JobId, ()>,
    idempotency: OrdMap<(String, String, String), (JobId, Digest, LogTime)>,
    nodes: OrdMap<NodeId, NodeInfo>,
    outbox: OrdMap<(JobId, Seq), OutboxRow>,
}

/// A job of the first release.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct FirstJob {
    id: JobId,
    workspace: String,
    priority: i8,
    status: JobStatus,
    sequence: Seq,
    changed_at: LogIndex,
    request: ObjectRef,
    idempotency_key: Option<String>,
    submitted_at: LogTime,
    started_at: Option<LogTime>,
    rendered_at: Option<LogTime>,
    finished_at: Option<LogTime>,
    generation: Generation,
    plan: Option<PlanState>,
    fingerprint: Option<Fingerprint>,
    tasks: OrdMap<TaskKind, SecondTask>,
    error: Option<JobError>,
    artifact: Option<Artifact>,
    segment_count: u32,
    segments_from_cache: u32,
    frames: Option<u64>,
    frames_done: u64,
}

impl From<First> for Second {
    fn from(first: First) -> Self {
        // The outbox had no reader: there were no endpoints.
        Self {
            applied: first.applied,
            now: first.now,
            next_epoch: first.next_epoch,
            jobs: first
                .jobs
                .into_iter()
                .map(|(id, job)| (id, SecondJob::from(Arc::unwrap_or_clone(job))))
                .collect(),
            active: first.active,
            idempotency: first.idempotency,
            nodes: first.nodes,
            ..Self::default()
        }
    }
}

impl From<FirstJob> for SecondJob {
    fn from(first: FirstJob) -> Self {
        Self {
            id: first.id,
            kind: JobKind::Render,
            workspace: first.workspace,
            priority: first.priority,
            status: first.status,
            sequence: first.sequence,
            changed_at: first.changed_at,
            request: first.request,
            idempotency_key: first.idempotency_key,
            submitted_at: first.submitted_at,
            started_at: first.started_at,
            rendered_at: first.rendered_at,
            finished_at: first.finished_at,
            generation: first.generation,
            plan: first.plan,
            fingerprint: first.fingerprint,
            tasks: first.tasks,
            error: first.error,
            artifact: first.artifact,
            segment_count: first.segment_count,
            segments_from_cache: first.segments_from_cache,
            frames: first.frames,
            frames_done: first.frames_done,
            assets: Vec::new(),
            waits_on: Vec::new(),
            webhook_url: None,
            destination: None,
            // When it got where it is was not kept: its last change stands for it.
            reached: vec![(first.changed_at, first.status)],
            accepted: OrdMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::state::State;
    use crate::state::tests::world::World;
    use std::io::Write;

    use crate::state::upgrade::{decode, decode_from, encode, encode_into};

    /// A planned job as the first release kept it.
    fn first() -> (First, State) {
        let state = World::planned().state;
        let second = Second::from(&state);
        let jobs = second.jobs.iter().map(|(id, job)| {
            let job = job.clone();
            let first = FirstJob {
                id: job.id,
                workspace: job.workspace,
                priority: job.priority,
                status: job.status,
                sequence: job.sequence,
                changed_at: job.changed_at,
                request: job.request,
                idempotency_key: job.idempotency_key,
                submitted_at: job.submitted_at,
                started_at: job.started_at,
                rendered_at: job.rendered_at,
                finished_at: job.finished_at,
                generation: job.generation,
                plan: job.plan,
                fingerprint: job.fingerprint,
                tasks: job.tasks,
                error: job.error,
                artifact: job.artifact,
                segment_count: job.segment_count,
                segments_from_cache: job.segments_from_cache,
                frames: job.frames,
                frames_done: job.frames_done,
            };
            (*id, Arc::new(first))
        });
        let first = First {
            applied: state.applied,
            now: state.now,
            next_epoch: state.next_epoch,
            jobs: jobs.collect(),
            active: state.active.clone(),
            idempotency: state.idempotency.clone(),
            nodes: state.nodes.clone(),
            outbox: OrdMap::new(),
        };
        (first, state)
    }

    #[test]
    fn a_snapshot_of_the_first_release_goes_on_where_it_was() {
        let (first, state) = first();
        let bytes = codec::encode_version(&first, 1).unwrap();
        let upgraded = decode(&bytes).unwrap();
        assert_eq!(upgraded.active, state.active);
        let (job, was) = (
            upgraded.jobs.values().next().unwrap(),
            state.jobs.values().next().unwrap(),
        );
        assert_eq!(job.tasks, was.tasks);
        assert_eq!(job.plan, was.plan);
        assert_eq!(crate::state::invariants::check(&upgraded), Ok(()));
        assert_eq!(decode(&encode(&upgraded).unwrap()).unwrap(), upgraded);
        assert_eq!(decode_from(&mut bytes.as_slice()).unwrap(), upgraded);
        let mut streamed = Vec::new();
        encode_into(&upgraded, &mut streamed).unwrap();
        assert_eq!(streamed, encode(&upgraded).unwrap());
        assert_eq!(decode_from(&mut streamed.as_slice()).unwrap(), upgraded);
    }

    #[test]
    fn a_large_state_is_written_and_read_in_small_pieces() {
        /// Keeps the largest piece and the sum of all.
        #[derive(Default)]
        struct Pieces {
            largest: usize,
            sum: usize,
        }
        impl Write for Pieces {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.largest = self.largest.max(bytes.len());
                self.sum += bytes.len();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (_, mut state) = first();
        let job = state.jobs.values().next().unwrap().clone();
        for id in 0..20_000 {
            state.jobs.insert(JobId(id), Arc::clone(&job));
        }
        let mut pieces = Pieces::default();
        encode_into(&state, &mut pieces).unwrap();
        assert!(pieces.sum > 4_000_000, "{} bytes", pieces.sum);
        assert!(pieces.largest < 4096, "a piece of {} bytes", pieces.largest);
    }
}
