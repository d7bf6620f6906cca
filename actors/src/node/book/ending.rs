//! How runs end other than by finishing: standing still, revoked, failed; and how what is
//! left of them is forgotten.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cluster::model::{Epoch, Failure, RunNumber, TaskRef};

use super::{Book, Effect, Phase, PieceState, Run, engine_error};
use crate::node::slots::RunId;

/// Beyond its own limits a slot gets this long before the node kills its child.
const WATCHDOG_GRACE: Duration = Duration::from_secs(15);

impl Book {
    /// Looks for runs that stand still where no slot can see it: while inputs are fetched,
    /// and when a slot itself hangs in a write to its child.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut stalled = Vec::new();
        let watchdog = self.timings.stall + self.timings.ready + WATCHDOG_GRACE;
        for (&id, run) in &mut self.runs {
            let quiet = now.saturating_duration_since(run.last_sign);
            match run.phase {
                Phase::Transferring | Phase::Staging => {
                    let fetched = run.fetched.load(Ordering::Relaxed);
                    if fetched != run.fetched_seen {
                        run.fetched_seen = fetched;
                        run.last_sign = now;
                    } else if quiet >= self.timings.stall {
                        stalled.push((id, run.phase));
                    }
                }
                Phase::WithChild { .. } if quiet >= watchdog => {
                    run.last_sign = now;
                    effects.extend(run.slot.map(Effect::Kill));
                }
                // Probes have limits of their own, so a slot for this one comes free.
                Phase::AwaitingProbe | Phase::WithChild { .. } | Phase::Over => {}
            }
        }
        for (id, phase) in stalled {
            let seconds = self.timings.stall.as_secs();
            effects.push(Effect::Abort(id));
            let failure = engine_error(format!("fetching inputs stood still for {seconds} s"));
            effects.extend(if phase == Phase::Transferring {
                self.transferred(id, Err(failure), now)
            } else {
                self.staged(id, Err(failure), now)
            });
        }
        effects
    }

    /// Stops and forgets attempts. The output being worked on is stopped by killing the
    /// child: simple, and certain however deep in native code it is.
    pub(super) fn revoke(&mut self, leases: &[(TaskRef, Epoch)]) -> Vec<Effect> {
        if leases.is_empty() {
            return Vec::new();
        }
        self.reports
            .retain(|report| !leases.contains(&(report.task, report.epoch)));
        self.handed_back.retain(|lease| !leases.contains(lease));
        let mut effects = Vec::new();
        let mut over = Vec::new();
        for (&id, run) in &mut self.runs {
            let (current, mut hit_current, mut hit) = (run.current, false, false);
            for (index, piece) in run.pieces.iter_mut().enumerate() {
                if piece.state == PieceState::Ended || !leases.contains(&piece.lease()) {
                    continue;
                }
                hit = true;
                hit_current |= index == current && piece.state == PieceState::Waiting;
                piece.state = PieceState::Ended;
            }
            if !hit {
                continue;
            }
            match run.phase {
                Phase::Transferring | Phase::AwaitingProbe | Phase::Staging
                    if !run.has(PieceState::Waiting) =>
                {
                    run.phase = Phase::Over;
                    self.slots.release(id, true);
                    effects.push(Effect::Abort(id));
                }
                Phase::WithChild { is_killed: false } if hit_current => {
                    run.phase = Phase::WithChild { is_killed: true };
                    effects.extend(run.slot.map(Effect::Kill));
                    for piece in &mut run.pieces {
                        if piece.state == PieceState::Waiting {
                            piece.state = PieceState::Ended;
                            self.handed_back.push(piece.lease());
                        }
                    }
                }
                Phase::WithChild { is_killed: false } => effects.extend(stop_before(id, run)),
                Phase::Transferring
                | Phase::AwaitingProbe
                | Phase::Staging
                | Phase::WithChild { is_killed: true }
                | Phase::Over => {}
            }
            over.push(id);
        }
        for id in over {
            effects.extend(self.sweep(id));
        }
        effects.push(Effect::Poll);
        effects
    }

    /// Hands back what these runs have not begun, without blame: the output being worked on
    /// is finished, then the slot is free. One that the child has begun meanwhile is dropped.
    pub(super) fn hand_back(&mut self, runs: &[RunNumber]) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut has_any = false;
        for (&id, run) in &mut self.runs {
            let is_asked = run
                .pieces
                .first()
                .is_some_and(|piece| runs.contains(&piece.assignment.granted.run));
            if !is_asked || run.phase == Phase::Over {
                continue;
            }
            let mut hit = false;
            for piece in run.pieces.iter_mut().skip(run.current + 1) {
                if piece.state == PieceState::Waiting {
                    piece.state = PieceState::Ended;
                    self.handed_back.push(piece.lease());
                    hit = true;
                }
            }
            if !hit {
                continue;
            }
            if run.phase == (Phase::WithChild { is_killed: false }) {
                effects.extend(stop_before(id, run));
            }
            has_any = true;
        }
        if has_any {
            effects.push(Effect::Poll);
        }
        effects
    }

    /// Blames output `blamed` of an ended run and hands back the rest of what waits.
    pub(super) fn fail(&mut self, id: RunId, blamed: usize, failure: Failure) -> Vec<Effect> {
        if let Some(run) = self.runs.get_mut(&id) {
            let mut failure = Some(failure);
            for (index, piece) in run.pieces.iter_mut().enumerate() {
                if piece.state != PieceState::Waiting {
                    continue;
                }
                piece.state = PieceState::Ended;
                match failure.take_if(|_| index >= blamed) {
                    Some(failure) => self.reports.push(piece.report(Err(failure))),
                    None => self.handed_back.push(piece.lease()),
                }
            }
        }
        let mut effects = self.sweep(id);
        effects.push(Effect::Poll);
        effects
    }

    /// Removes a run that is no longer needed.
    pub(super) fn sweep(&mut self, id: RunId) -> Vec<Effect> {
        let is_over = self
            .runs
            .get(&id)
            .is_some_and(|run| run.phase == Phase::Over && !run.has(PieceState::Publishing));
        if !is_over {
            return Vec::new();
        }
        let staged = self.runs.remove(&id).and_then(|run| run.staged);
        staged
            .map(|staged| Effect::Clean(id, staged))
            .into_iter()
            .collect()
    }
}

/// The order to the child to end its run early, if the tail of the run was taken away.
pub(super) fn stop_before(id: RunId, run: &Run) -> Option<Effect> {
    let last = run
        .pieces
        .iter()
        .rposition(|piece| piece.state == PieceState::Waiting);
    let end = last.map_or(run.current, |last| last + 1);
    let output = u32::try_from(end).ok()?;
    let slot = run.slot.filter(|_| end < run.pieces.len())?;
    Some(Effect::StopBefore {
        slot,
        run: id,
        output,
    })
}
