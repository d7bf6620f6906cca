//! Transfers in the book: bytes that move without a slot, and the wait of an ingest for a slot
//! whose child looks at what came.

use std::sync::Arc;
use std::time::Instant;

use cluster::model::Failure;

use super::{Book, Effect, Phase, PieceState, Run};
use crate::node::slots::{RunId, SlotClass};
use crate::ports::{Assignment, Transferred};

impl Book {
    /// Transfers the leader may add.
    pub(crate) fn free_transfers(&self) -> usize {
        if self.is_draining {
            return 0;
        }
        let under_way = self.runs.values().filter(|run| run.is_transfer()).count();
        self.transfers.saturating_sub(under_way)
    }

    /// Begins to move the bytes of a transfer; `run` is that one task.
    pub(super) fn begin_transfer(&mut self, run: Vec<Assignment>, now: Instant) -> Option<Effect> {
        if self.free_transfers() == 0 {
            return Some(self.refuse(&run));
        }
        let assignment = run.into_iter().next()?;
        let id = RunId(self.next_run);
        self.next_run += 1;
        let known = Run::new(
            std::slice::from_ref(&assignment),
            None,
            Phase::Transferring,
            now,
        );
        let moved = Arc::clone(&known.fetched);
        self.runs.insert(id, known);
        Some(Effect::Transfer {
            run: id,
            assignment: Box::new(assignment),
            moved,
        })
    }

    /// The bytes of a transfer were moved, or cannot be.
    pub(crate) fn transferred(
        &mut self,
        id: RunId,
        result: Result<Transferred, Failure>,
        now: Instant,
    ) -> Vec<Effect> {
        let run = self.runs.get_mut(&id);
        // Else it was given up at the moment at which it ended.
        let Some(run) = run.filter(|run| run.phase == Phase::Transferring) else {
            return Vec::new();
        };
        let output = match result {
            Ok(Transferred::ToProbe(to_probe)) => {
                run.phase = Phase::AwaitingProbe;
                run.to_probe = Some(to_probe);
                return self.start_probes(now);
            }
            Ok(Transferred::Done(output)) => *output,
            Err(failure) => {
                run.phase = Phase::Over;
                return self.fail(id, 0, failure);
            }
        };
        run.phase = Phase::Over;
        if let Some(piece) = run
            .pieces
            .first_mut()
            .filter(|piece| piece.state == PieceState::Waiting)
        {
            piece.state = PieceState::Ended;
            self.outputs_made += 1;
            self.reports.push(piece.report(Ok(output)));
        }
        let mut effects = self.sweep(id);
        effects.push(Effect::Poll);
        effects
    }

    /// Gives free slots for probing to the transfers that wait for one, oldest first.
    pub(super) fn start_probes(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (&id, run) in &mut self.runs {
            if run.phase != Phase::AwaitingProbe {
                continue;
            }
            let Some(slot) = self.slots.take(id, SlotClass::Probe) else {
                break;
            };
            run.slot = Some(slot);
            run.phase = Phase::Staging;
            run.last_sign = now;
            let assignments = run.pieces.iter().map(|piece| piece.assignment.clone());
            effects.push(Effect::Stage {
                run: id,
                slot,
                assignments: assignments.collect(),
                to_probe: run.to_probe.take(),
                fetched: Arc::clone(&run.fetched),
            });
        }
        effects
    }
}
