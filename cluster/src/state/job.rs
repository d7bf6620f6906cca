//! One job and its tasks, as applied.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::model::{
    Artifact, AssetUse, Attempt, AttemptOutcome, DestinationStatus, Epoch, Fingerprint, Generation,
    JobError, JobId, JobKind, JobStatus, LogIndex, LogTime, NodeId, ObjectRef, PlanFacts, RanTime,
    SegmentMark, Seq, TaskKind,
};

/// Tasks by kind. Each is shared until it changes: a job that waits is small, and a change of
/// one segment does not copy its neighbours.
pub type Tasks = OrdMap<TaskKind, Arc<Task>>;

/// The task of this kind, to be changed.
pub(super) fn task_mut(tasks: &mut Tasks, kind: TaskKind) -> Option<&mut Task> {
    tasks.get_mut(&kind).map(Arc::make_mut)
}

/// A job. When it becomes terminal, `plan` and `tasks` are dropped down to what reports need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it is for.
    pub kind: JobKind,
    /// Whose it is.
    pub workspace: String,
    /// −10…10.
    pub priority: i8,
    /// Where it is in its life.
    pub status: JobStatus,
    /// Rises with every change that a client can see.
    pub sequence: Seq,
    /// The last log index that changed what a client can see.
    pub changed_at: LogIndex,
    /// The accepted request.
    pub request: ObjectRef,
    /// The client's key, if it sent one.
    pub idempotency_key: Option<String>,
    /// When it was accepted.
    pub submitted_at: LogTime,
    /// The same in running time: its deadline counts from here.
    pub submitted_ran: RanTime,
    /// When its first lease was granted.
    pub started_at: Option<LogTime>,
    /// When its last segment (or sound) was accepted.
    pub rendered_at: Option<LogTime>,
    /// When it became terminal.
    pub finished_at: Option<LogTime>,
    /// Rises with every replan; 0 until the first plan, 1 with it.
    pub generation: Generation,
    /// The accepted plan of the current generation.
    pub plan: Option<PlanState>,
    /// What the job renders under, set by its first segment grant.
    pub fingerprint: Option<Fingerprint>,
    /// Tasks by kind. Fetch (if there are remote sources) and prepare are there from the
    /// start, the others with the plan, join too (open once every segment and the sound are
    /// done).
    pub tasks: Tasks,
    /// Why it failed.
    pub error: Option<JobError>,
    /// What it made.
    pub artifact: Option<Artifact>,
    /// The plan's findings for clients; kept after the end. `None` until planned, and for a
    /// plan of level 0.
    pub findings: Option<ObjectRef>,
    /// Segments in the plan, kept after the end.
    pub segment_count: u32,
    /// Segments that came from the cache, kept after the end.
    pub segments_from_cache: u32,
    /// Output frames, once planned; kept after the end.
    pub frames: Option<u64>,
    /// Most frames that were ever committed at one time: never decreases, kept after the end.
    pub frames_done: u64,
    /// The uploads and imports it uses; dropped at the end.
    pub assets: Vec<AssetUse>,
    /// Those of them that are not ready: nothing is granted before none is left.
    pub waits_on: Vec<AssetUse>,
    /// Receives its events instead of the workspace's endpoints; dropped at the end.
    pub webhook_url: Option<String>,
    /// State of the copy to the client's own destination, if one is asked for.
    pub destination: Option<DestinationStatus>,
    /// The log index of each status it reached, in order; kept after the end.
    pub reached: Vec<(LogIndex, JobStatus)>,
    /// The log index at which each done segment was accepted; dropped at the end.
    pub accepted: OrdMap<u32, LogIndex>,
}

impl Job {
    /// A job as it is at its submission, with the tasks it begins with.
    pub(super) fn new(
        id: JobId,
        kind: JobKind,
        workspace: String,
        request: ObjectRef,
        tasks: Tasks,
    ) -> Self {
        Self {
            id,
            kind,
            workspace,
            priority: 0,
            status: JobStatus::Queued,
            sequence: Seq(0),
            changed_at: LogIndex(0),
            request,
            idempotency_key: None,
            submitted_at: LogTime(0),
            submitted_ran: RanTime(0),
            started_at: None,
            rendered_at: None,
            finished_at: None,
            generation: Generation(0),
            plan: None,
            fingerprint: None,
            tasks,
            error: None,
            artifact: None,
            findings: None,
            segment_count: 0,
            segments_from_cache: 0,
            frames: None,
            frames_done: 0,
            assets: Vec::new(),
            waits_on: Vec::new(),
            webhook_url: None,
            destination: None,
            reached: Vec::new(),
            accepted: OrdMap::new(),
        }
    }

    /// Opens the first task that is not done, once nothing is waited for any more.
    pub(super) fn open_first_task(&mut self) {
        for kind in [TaskKind::Fetch, TaskKind::Prepare] {
            if let Some(task) = task_mut(&mut self.tasks, kind).filter(|task| !task.is_done()) {
                task.phase = TaskPhase::Open;
                return;
            }
        }
    }

    /// The attempt that fetched the remote sources: they are on its node. `None` while they
    /// are not fetched, and for a job without any.
    pub fn fetched_by(&self) -> Option<&Attempt> {
        let fetch = self.tasks.get(&TaskKind::Fetch)?;
        let ended = fetch.history.iter().rev().filter(|_| fetch.is_done());
        ended
            .map(|(attempt, _, outcome)| (attempt, outcome))
            .find(|(_, outcome)| **outcome == AttemptOutcome::Done)
            .map(|(attempt, _)| attempt)
    }

    /// Whether it is a client's render; other jobs are the server's own transfer jobs.
    pub fn is_render(&self) -> bool {
        self.kind == JobKind::Render
    }
}

/// The accepted plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanState {
    /// The plan object.
    pub object: ObjectRef,
    /// Facts of the plan that the coordinator uses.
    pub facts: PlanFacts,
    /// Who prepared it: gets the first run.
    pub prepared_by: NodeId,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Whether it is done.
    pub phase: TaskPhase,
    /// Live attempts: none, one, or two for a straggler.
    pub live: Vec<Attempt>,
    /// An attempt whose lease ran out: still acceptable until a new grant replaces it.
    pub lingering: Option<Attempt>,
    /// Attempts granted so far.
    pub attempts: u32,
    /// Failures counted so far (reported ones).
    pub failures: u32,
    /// Times a node was lost while running it, as far as they count.
    pub losses: u32,
    /// Times its file was found missing or damaged and it was opened again.
    pub reopens: u32,
    /// Not granted before this.
    pub not_before: RanTime,
    /// The last few ended attempts, for operators: attempt, end, outcome.
    pub history: Vec<(Attempt, LogTime, AttemptOutcome)>,
    /// Its output must not come from the cache (a committed input was bad).
    pub no_cache: bool,
}

/// Whether a task still has to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TaskPhase {
    /// Waits for other tasks of the job.
    Blocked,
    /// To be done; may have live attempts.
    Open,
    /// Done. Segments and sound keep their file.
    Done(Option<SegmentMark>),
}

/// Ended attempts that a task remembers.
pub const HISTORY_LEN: usize = 6;

impl Task {
    /// A task that has not been tried yet.
    pub(super) fn new(phase: TaskPhase) -> Self {
        Self {
            phase,
            live: Vec::new(),
            lingering: None,
            attempts: 0,
            failures: 0,
            losses: 0,
            reopens: 0,
            not_before: RanTime::default(),
            history: Vec::new(),
            no_cache: false,
        }
    }

    /// The live or lingering attempt with this epoch.
    pub fn attempt(&self, epoch: Epoch) -> Option<&Attempt> {
        self.live
            .iter()
            .chain(&self.lingering)
            .find(|attempt| attempt.epoch == epoch)
    }

    /// Whether it may be granted at `ran` as a first (not an extra) attempt.
    pub fn is_grantable(&self, ran: RanTime) -> bool {
        self.phase == TaskPhase::Open && self.live.is_empty() && self.not_before <= ran
    }

    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, TaskPhase::Done(_))
    }

    /// The file it left, if it is done and leaves one.
    pub fn mark(&self) -> Option<&SegmentMark> {
        match &self.phase {
            TaskPhase::Done(mark) => mark.as_ref(),
            TaskPhase::Blocked | TaskPhase::Open => None,
        }
    }

    /// Takes the live or lingering attempt with this epoch away.
    pub(super) fn take(&mut self, epoch: Epoch) -> Option<Attempt> {
        if let Some(at) = self.live.iter().position(|attempt| attempt.epoch == epoch) {
            return Some(self.live.remove(at));
        }
        self.lingering.take_if(|attempt| attempt.epoch == epoch)
    }

    /// Remembers how an attempt ended.
    pub(super) fn record(&mut self, attempt: Attempt, at: LogTime, outcome: AttemptOutcome) {
        if self.history.len() >= HISTORY_LEN {
            self.history.remove(0);
        }
        self.history.push((attempt, at, outcome));
    }

    /// Ends every attempt without blame.
    pub(super) fn drop_attempts(&mut self, at: LogTime) {
        // A lingering attempt is in the history already, as lost.
        self.lingering = None;
        for attempt in std::mem::take(&mut self.live) {
            self.record(attempt, at, AttemptOutcome::Released);
        }
    }

    /// Whether the history holds this end of this attempt.
    pub(super) fn ended_as(&self, epoch: Epoch, outcome: &AttemptOutcome) -> bool {
        self.history
            .iter()
            .any(|(attempt, _, ended)| attempt.epoch == epoch && ended == outcome)
    }
}
