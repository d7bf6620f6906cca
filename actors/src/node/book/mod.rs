//! A node's book of what it works on, pure: events go in, effects come out.
//!
//! ```text
//! assigned ─► staging ─► with the child ─► over
//!                          each output: waiting ─► publishing ─► reported until confirmed
//!                                          └─ revoked or handed back ─┘
//! a transfer: assigned ─► transferring ─► reported (fetch, delivery)
//!                                     └─► awaiting a slot ─► staging ─► ... (ingest)
//! ```
//! An output is held (and its lease renewed) until its report is confirmed; an output
//! that is revoked leaves no report.

mod ending;
mod transfers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use cluster::command::Report;
use cluster::model::{Epoch, Failure, FrameRange, TaskKind, TaskOutput, TaskRef};

use ending::stop_before;

use super::slots::{RunId, SlotClass, SlotIndex, Slots};
use crate::config::Timings;
use crate::poll::{Held, PollReply};
use crate::ports::{Assignment, Staged};
use crate::slot::SlotEvent;

/// What the node is to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Move the bytes of a transfer.
    Transfer {
        run: RunId,
        assignment: Box<Assignment>,
        /// Bytes moved.
        moved: Arc<AtomicU64>,
    },
    /// Bring the inputs of a run to its slot.
    Stage {
        run: RunId,
        slot: SlotIndex,
        assignments: Vec<Assignment>,
        /// Result of the preceding transfer: describes the file to probe.
        to_probe: Option<Vec<u8>>,
        /// Bytes fetched.
        fetched: Arc<AtomicU64>,
    },
    /// Give up transferring or staging; dropping it removes what it brought.
    Abort(RunId),
    /// Send the child its order. The limits are one for each output.
    Start {
        slot: SlotIndex,
        run: RunId,
        order: Vec<u8>,
        limits: Vec<Duration>,
    },
    /// Order the child to stop before this output.
    StopBefore {
        slot: SlotIndex,
        run: RunId,
        output: u32,
    },
    /// Kill the child.
    Kill(SlotIndex),
    /// Make an output durable.
    Publish {
        run: RunId,
        output: u32,
        assignment: Box<Assignment>,
        /// Where the run writes.
        scratch: PathBuf,
        body: Vec<u8>,
    },
    /// The run is over: remove its files.
    Clean(RunId, Staged),
    /// Poll at once, so that the leader gets the news without delay.
    Poll,
}

/// Everything a node works on.
#[derive(Debug)]
pub(crate) struct Book {
    timings: Timings,
    pub(crate) slots: Slots,
    /// Transfers at once.
    transfers: usize,
    runs: BTreeMap<RunId, Run>,
    next_run: u64,
    reports: Vec<Report>,
    handed_back: Vec<(TaskRef, Epoch)>,
    is_draining: bool,
    pub(crate) outputs_made: u64,
}

#[derive(Debug)]
struct Run {
    /// `None`: a transfer that has no slot (yet).
    slot: Option<SlotIndex>,
    pieces: Vec<Piece>,
    phase: Phase,
    /// Of a transfer that waits for a slot.
    to_probe: Option<Vec<u8>>,
    staged: Option<Staged>,
    /// Bytes moved while transferring and staging, and what was seen of them.
    fetched: Arc<AtomicU64>,
    fetched_seen: u64,
    /// When something last moved.
    last_sign: Instant,
    /// What the child works on.
    current: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Bytes move, without a slot.
    Transferring,
    /// They are in the store; a child looks at them once a slot for probing is free.
    AwaitingProbe,
    Staging,
    WithChild {
        is_killed: bool,
    },
    Over,
}

#[derive(Debug)]
struct Piece {
    assignment: Assignment,
    state: PieceState,
    units: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PieceState {
    Waiting,
    Publishing,
    Ended,
}

impl Piece {
    fn lease(&self) -> (TaskRef, Epoch) {
        (self.assignment.granted.task, self.assignment.granted.epoch)
    }

    fn report(&self, result: Result<TaskOutput, Failure>) -> Report {
        Report {
            task: self.assignment.granted.task,
            epoch: self.assignment.granted.epoch,
            generation: self.assignment.granted.generation,
            result,
            // The leader sets it, because it counts how often the task has failed.
            retry_after_millis: 0,
        }
    }
}

impl Run {
    fn has(&self, state: PieceState) -> bool {
        self.pieces.iter().any(|piece| piece.state == state)
    }

    fn new(run: &[Assignment], slot: Option<SlotIndex>, phase: Phase, now: Instant) -> Self {
        let pieces = run.iter().map(|assignment| Piece {
            assignment: assignment.clone(),
            state: PieceState::Waiting,
            units: 0,
        });
        Self {
            slot,
            pieces: pieces.collect(),
            phase,
            to_probe: None,
            staged: None,
            fetched: Arc::default(),
            fetched_seen: 0,
            last_sign: now,
            current: 0,
        }
    }

    fn is_transfer(&self) -> bool {
        let mut kinds = self.pieces.iter().map(|piece| piece.lease().0.kind);
        kinds.any(TaskKind::is_transfer)
    }

    fn piece(&mut self, output: u32) -> Option<&mut Piece> {
        self.pieces.get_mut(usize::try_from(output).ok()?)
    }
}

impl Book {
    pub(crate) fn new(timings: Timings, render: usize, probe: usize, transfers: usize) -> Self {
        Self {
            timings,
            slots: Slots::new(render, probe),
            transfers,
            runs: BTreeMap::new(),
            next_run: 0,
            reports: Vec::new(),
            handed_back: Vec::new(),
            is_draining: false,
            outputs_made: 0,
        }
    }

    /// Leases worked on, as the next poll lists them.
    pub(crate) fn held(&self) -> Vec<Held> {
        self.runs
            .values()
            .flat_map(|run| &run.pieces)
            .filter(|piece| piece.state != PieceState::Ended)
            .map(|piece| {
                let (task, epoch) = piece.lease();
                Held {
                    task,
                    epoch,
                    units: piece.units,
                }
            })
            .collect()
    }

    pub(crate) fn reports(&self) -> &[Report] {
        &self.reports
    }

    pub(crate) fn handed_back(&self) -> &[(TaskRef, Epoch)] {
        &self.handed_back
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Slots the leader may fill.
    pub(crate) fn free_slots(&self) -> usize {
        if self.is_draining {
            0
        } else {
            self.slots.free(SlotClass::Render) + self.ending().count()
        }
    }

    /// Of [`Self::free_slots`], those whose last run is not reported yet.
    pub(crate) fn settling_slots(&self) -> usize {
        let unreported = self.runs.values().filter(|run| {
            !run.is_transfer() && run.has(PieceState::Publishing) && !run.has(PieceState::Waiting)
        });
        unreported.count().min(self.free_slots())
    }

    /// Runs whose outputs are all made: their child is ready again in a moment, and the
    /// inputs of the next run can be fetched meanwhile.
    fn ending(&self) -> impl Iterator<Item = RunId> {
        self.runs
            .iter()
            .filter(|(id, run)| {
                !run.is_transfer()
                    && run.phase == Phase::WithChild { is_killed: false }
                    && !run.has(PieceState::Waiting)
                    && self.slots.holds(**id)
            })
            .map(|(&id, _)| id)
    }

    /// Whether no work is under way and no report is left to send.
    pub(crate) fn is_idle(&self) -> bool {
        self.runs.is_empty() && self.reports.is_empty() && self.handed_back.is_empty()
    }

    /// Takes nothing new from now on.
    pub(crate) fn drain(&mut self) -> Vec<Effect> {
        self.is_draining = true;
        vec![Effect::Poll]
    }

    /// Hands back everything unfinished, without blame, and stops it.
    pub(crate) fn hand_back_all(&mut self) -> Vec<Effect> {
        let waiting: Vec<_> = self
            .runs
            .values()
            .flat_map(|run| &run.pieces)
            .filter(|piece| piece.state == PieceState::Waiting)
            .map(Piece::lease)
            .collect();
        let mut effects = self.revoke(&waiting);
        self.handed_back.extend(waiting);
        effects.push(Effect::Poll);
        effects
    }

    /// Forgets everything and stops it: another incarnation of this node has taken over.
    pub(crate) fn abandon_all(&mut self) -> Vec<Effect> {
        let all: Vec<_> = self
            .held()
            .iter()
            .map(|held| (held.task, held.epoch))
            .collect();
        self.reports.clear();
        self.handed_back.clear();
        self.is_draining = true;
        self.revoke(&all)
    }

    /// Takes in the leader's answer.
    pub(crate) fn reply(&mut self, reply: PollReply, now: Instant) -> Vec<Effect> {
        for (task, epoch, result) in &reply.reported {
            if let Err(rejection) = result {
                tracing::info!(job = %task.job, task = ?task.kind, %epoch, %rejection,
                    "report was not accepted");
            }
            self.reports
                .retain(|report| (report.task, report.epoch) != (*task, *epoch));
            self.handed_back.retain(|lease| *lease != (*task, *epoch));
        }
        let mut effects = self.revoke(&reply.revoke);
        effects.extend(self.hand_back(&reply.hand_back));
        for run in reply.assign {
            effects.extend(self.begin(run, now));
        }
        effects.extend(self.start_probes(now));
        effects
    }

    /// Begins a run in a free slot, or a transfer without one. One that finds no room is handed
    /// back: since the poll that counted its slot, the slot's child may have gone down for a
    /// moment, and a lease that is not listed would block its task for several polls.
    fn begin(&mut self, mut run: Vec<Assignment>, now: Instant) -> Option<Effect> {
        let held = self.held();
        run.retain(|assignment| {
            let lease = (assignment.granted.task, assignment.granted.epoch);
            let is_known = held.iter().any(|held| (held.task, held.epoch) == lease)
                || self
                    .reports
                    .iter()
                    .any(|report| (report.task, report.epoch) == lease)
                || self.handed_back.contains(&lease);
            !is_known
        });
        if run.is_empty() {
            return None;
        }
        if self.is_draining {
            return Some(self.refuse(&run));
        }
        if run.iter().any(|one| one.granted.task.kind.is_transfer()) {
            return self.begin_transfer(run, now);
        }
        let id = RunId(self.next_run);
        let slot = self.slots.take(id, SlotClass::Render).or_else(|| {
            let ending = self.ending().next()?;
            self.slots.take_over(ending, id)
        });
        let Some(slot) = slot else {
            return Some(self.refuse(&run));
        };
        self.next_run += 1;
        let known = Run::new(&run, Some(slot), Phase::Staging, now);
        let fetched = Arc::clone(&known.fetched);
        self.runs.insert(id, known);
        Some(Effect::Stage {
            run: id,
            slot,
            assignments: run,
            to_probe: None,
            fetched,
        })
    }

    /// Hands back a run that does not begin here.
    fn refuse(&mut self, run: &[Assignment]) -> Effect {
        let leases = run.iter().map(|one| (one.granted.task, one.granted.epoch));
        self.handed_back.extend(leases);
        Effect::Poll
    }

    /// Inputs are here, or cannot be had.
    pub(crate) fn staged(
        &mut self,
        id: RunId,
        result: Result<Staged, Failure>,
        now: Instant,
    ) -> Vec<Effect> {
        let run = self.runs.get_mut(&id);
        let run = run.filter(|run| run.phase == Phase::Staging);
        let Some((slot, run)) = run.and_then(|run| Some((run.slot?, run))) else {
            // Given up at the moment at which staging ended: no other record of these files exists.
            return result
                .map(|staged| Effect::Clean(id, staged))
                .into_iter()
                .collect();
        };
        match result {
            Ok(staged) => {
                run.phase = Phase::WithChild { is_killed: false };
                run.last_sign = now;
                let order = staged.order.clone();
                run.staged = Some(staged);
                let limits = run
                    .pieces
                    .iter()
                    .map(|piece| limit(&self.timings, piece))
                    .collect();
                let mut effects = vec![Effect::Start {
                    slot,
                    run: id,
                    order,
                    limits,
                }];
                effects.extend(stop_before(id, run));
                effects
            }
            Err(failure) => {
                run.phase = Phase::Over;
                self.slots.release(id, true);
                let mut effects = self.fail(id, 0, failure);
                effects.extend(self.start_probes(now));
                effects
            }
        }
    }

    /// Handles an event of a slot.
    pub(crate) fn slot(&mut self, slot: SlotIndex, event: SlotEvent, now: Instant) -> Vec<Effect> {
        match event {
            SlotEvent::Ready => {
                self.slots.ready(slot);
                let mut effects = self.start_probes(now);
                effects.push(Effect::Poll);
                effects
            }
            SlotEvent::Down { reason } => {
                tracing::warn!(slot, reason, "worker is down");
                self.slots.down(slot);
                Vec::new()
            }
            SlotEvent::Progress { run, output, units } => {
                let Some(run) = self.runs.get_mut(&run) else {
                    return Vec::new();
                };
                run.last_sign = now;
                run.current = run.current.max(usize::try_from(output).unwrap_or(0));
                if let Some(piece) = run.piece(output) {
                    piece.units = piece.units.max(units);
                }
                // The kill reached the child of the run before it in this slot.
                let goes_on = run.phase == Phase::WithChild { is_killed: true };
                let slot = run.slot.filter(|_| goes_on);
                slot.map(Effect::Kill).into_iter().collect()
            }
            SlotEvent::Output { run, output, body } => self.output(run, output, body, now),
            SlotEvent::Failed {
                run,
                output,
                failure,
            } => {
                if let Some(run) = self.runs.get_mut(&run) {
                    run.phase = Phase::Over;
                }
                self.slots.release(run, false);
                self.fail(run, usize::try_from(output).unwrap_or(0), failure)
            }
            SlotEvent::Finished { run } => self.finished(run),
        }
    }

    fn output(&mut self, id: RunId, output: u32, body: Vec<u8>, now: Instant) -> Vec<Effect> {
        let Some(run) = self.runs.get_mut(&id) else {
            return Vec::new();
        };
        run.last_sign = now;
        run.current = run.current.max(usize::try_from(output).unwrap_or(0) + 1);
        let scratch = run.staged.as_ref().map(|staged| staged.scratch.clone());
        let (Some(scratch), Some(piece)) = (scratch, run.piece(output)) else {
            return Vec::new();
        };
        // Revoked meanwhile, or a repeated message.
        if piece.state != PieceState::Waiting {
            return Vec::new();
        }
        piece.state = PieceState::Publishing;
        if let Some(frames) = piece.assignment.granted.frames {
            piece.units = frames.count();
        }
        let assignment = Box::new(piece.assignment.clone());
        vec![Effect::Publish {
            run: id,
            output,
            assignment,
            scratch,
            body,
        }]
    }

    fn finished(&mut self, id: RunId) -> Vec<Effect> {
        self.slots.release(id, false);
        let Some(run) = self.runs.get_mut(&id) else {
            return Vec::new();
        };
        run.phase = Phase::Over;
        let missing = run
            .pieces
            .iter()
            .position(|piece| piece.state == PieceState::Waiting);
        match missing {
            None => self.sweep(id),
            Some(missing) => {
                let failure = engine_error("worker finished without its output".to_owned());
                self.fail(id, missing, failure)
            }
        }
    }

    /// An output is durable, or could not be made so.
    pub(crate) fn published(
        &mut self,
        id: RunId,
        output: u32,
        result: Result<TaskOutput, Failure>,
    ) -> Vec<Effect> {
        let Some(piece) = self.runs.get_mut(&id).and_then(|run| run.piece(output)) else {
            return Vec::new();
        };
        if piece.state != PieceState::Publishing {
            return Vec::new();
        }
        piece.state = PieceState::Ended;
        self.outputs_made += u64::from(result.is_ok());
        let report = piece.report(result);
        self.reports.push(report);
        let mut effects = self.sweep(id);
        effects.push(Effect::Poll);
        effects
    }
}

/// The longest the child may take over one output.
fn limit(timings: &Timings, piece: &Piece) -> Duration {
    // Tasks over the whole timeline (prepare, sound, join) have no frame count here.
    let frames = piece
        .assignment
        .granted
        .frames
        .map_or(1000, FrameRange::count);
    let frames = u32::try_from(frames).unwrap_or(u32::MAX);
    timings.hard_limit + timings.hard_limit_per_frame.saturating_mul(frames)
}

/// A retriable failure of the machinery.
pub(crate) fn engine_error(message: String) -> Failure {
    Failure {
        code: "engine_error".to_owned(),
        message,
        path: None,
        permanent: false,
    }
}
