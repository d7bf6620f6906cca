//! Fakes of the ports, for tests here and above: a coordinator of one process without a
//! log, a host that keeps everything in memory, and clocks.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cluster::State;
use cluster::command::{Command, Grant, Granted, Outcome, Report, Round, Stamped};
use cluster::model::{
    Artifact, Delivery, Digest, Endpoint, Epoch, Failure, Fingerprint, FrameRange, FrameRate,
    Incarnation, Ingested, JobId, Level, LogIndex, LogTime, NodeId, NodeInfo, NodeState, ObjectKey,
    ObjectRef, PlanFacts, RanTime, Roles, Submission, TaskKind, TaskOutput,
};
use cluster::state::Job;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::ports::{
    Answered, Assignment, Clock, Coordinator, Leadership, ProposeError, Staged, TaskHost,
    Transferred,
};

/// An empty state of the newest level.
pub fn newest() -> State {
    let mut state = State::default();
    state.level = Level::NEWEST;
    state
}

/// Applies what is proposed at once, in memory.
#[derive(Debug)]
pub struct FakeCoordinator {
    state: Mutex<Arc<State>>,
    applied: watch::Sender<LogIndex>,
    leadership: watch::Sender<Leadership>,
    /// Every proposal that was applied.
    log: Mutex<Vec<Command>>,
}

impl Default for FakeCoordinator {
    fn default() -> Self {
        Self {
            state: Mutex::new(Arc::new(newest())),
            applied: watch::Sender::new(LogIndex(0)),
            leadership: watch::Sender::new(Leadership::Leader { term: 1 }),
            log: Mutex::default(),
        }
    }
}

impl FakeCoordinator {
    /// One that leads in term 1, with an empty state.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Changes who leads. Without leadership nothing is applied.
    pub fn set_leadership(&self, leadership: Leadership) {
        self.leadership.send_replace(leadership);
    }

    /// Applies a command now.
    pub fn apply(&self, command: Command) -> Outcome {
        let (outcome, index) = {
            let mut held = lock(&self.state);
            let mut next = State::clone(&held);
            let index = LogIndex(next.applied.0 + 1);
            let stamped = Stamped {
                at: SystemClock.log_time(),
                ran: Some(SystemClock.ran()),
                command: command.clone(),
            };
            let outcome = next.apply(index, stamped);
            *held = Arc::new(next);
            (outcome, index)
        };
        lock(&self.log).push(command);
        self.applied.send_replace(index);
        outcome
    }

    /// Every command applied so far.
    pub fn log(&self) -> Vec<Command> {
        lock(&self.log).clone()
    }
}

impl Coordinator for FakeCoordinator {
    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
        let leads = matches!(*self.leadership.borrow(), Leadership::Leader { .. });
        let outcome = if leads {
            Ok(self.apply(command))
        } else {
            Err(ProposeError::NoLeader)
        };
        async move {
            // A real commit takes some time: code that relies on an immediate one fails here.
            tokio::time::sleep(Duration::from_millis(1)).await;
            outcome
        }
        .boxed()
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&lock(&self.state))
    }

    fn applied(&self) -> watch::Receiver<LogIndex> {
        self.applied.subscribe()
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }
}

/// The real clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn log_time(&self) -> LogTime {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        LogTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn ran(&self) -> RanTime {
        RanTime(self.log_time().0)
    }
}

/// A clock that a test advances by hand.
#[derive(Debug)]
pub struct ManualClock {
    start: Instant,
    millis: AtomicU64,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            millis: AtomicU64::new(0),
        }
    }
}

impl ManualClock {
    /// Lets `time` pass.
    pub fn advance(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }

    fn log_time(&self) -> LogTime {
        LogTime(self.millis.load(Ordering::Relaxed))
    }

    fn ran(&self) -> RanTime {
        RanTime(self.log_time().0)
    }
}

/// A host whose orders are lines of text for the fake worker and whose outputs are made up.
///
/// Each order is one line an output: `kind index frames`, followed by the tricks that
/// [`FakeHost::trick`] asked for.
#[derive(Debug, Default)]
pub struct FakeHost {
    segments: Vec<FrameRange>,
    has_audio: bool,
    tricks: Mutex<Vec<(TaskKind, String)>>,
    /// Transfers of these jobs never come to their end.
    hung: Mutex<BTreeSet<JobId>>,
    transferring: Arc<AtomicU64>,
    scratch: Mutex<BTreeSet<PathBuf>>,
    staged: Mutex<Vec<Vec<(TaskKind, u32)>>>,
    published: Mutex<Vec<TaskKind>>,
    next: AtomicU64,
}

impl FakeHost {
    /// Plans every job as `segments` segments of `frames` frames.
    pub fn new(segments: u64, frames: u64, has_audio: bool) -> Arc<Self> {
        let segments = (0..segments)
            .filter_map(|index| FrameRange::new(index * frames, (index + 1) * frames))
            .collect();
        Arc::new(Self {
            segments,
            has_audio,
            ..Self::default()
        })
    }

    /// Adds a trick to the first order for `kind`: `die`, `hang`, `slow`, `fail`.
    pub fn trick(&self, kind: TaskKind, trick: &str) {
        lock(&self.tricks).push((kind, trick.to_owned()));
    }

    /// Has every transfer of `job` go on, byte by byte, without an end.
    pub fn hang(&self, job: JobId) {
        lock(&self.hung).insert(job);
    }

    /// Transfers that go on now.
    pub fn transferring(&self) -> u64 {
        self.transferring.load(Ordering::Relaxed)
    }

    /// Scratch directories not cleaned yet.
    pub fn scratch(&self) -> usize {
        lock(&self.scratch).len()
    }

    /// Every run staged: its tasks with their attempt numbers.
    pub fn staged(&self) -> Vec<Vec<(TaskKind, u32)>> {
        lock(&self.staged).clone()
    }

    /// Every output published, in order.
    pub fn published(&self) -> Vec<TaskKind> {
        lock(&self.published).clone()
    }

    fn order(&self, run: &[Assignment]) -> String {
        let mut order = String::new();
        for assignment in run {
            let kind = assignment.granted.task.kind;
            let frames = assignment.granted.frames.map_or(3, FrameRange::count);
            order.push_str(&format!("{frames}"));
            let mut tricks = lock(&self.tricks);
            if let Some(at) = tricks.iter().position(|(which, _)| *which == kind) {
                let (_, trick) = tricks.remove(at);
                order.push(' ');
                order.push_str(&trick);
            }
            order.push('\n');
        }
        order
    }
}

/// Counts a transfer for as long as it goes on.
struct UnderWay(Arc<AtomicU64>);

impl UnderWay {
    fn begin(count: &Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TaskHost for FakeHost {
    fn transfer(
        &self,
        assignment: Assignment,
        progress: Arc<AtomicU64>,
    ) -> BoxFuture<'static, Result<Transferred, Failure>> {
        let task = assignment.granted.task;
        let hangs = lock(&self.hung).contains(&task.job);
        let under_way = UnderWay::begin(&self.transferring);
        if !hangs && task.kind != TaskKind::Ingest {
            lock(&self.published).push(task.kind);
        }
        async move {
            let _under_way = under_way;
            if hangs {
                loop {
                    progress.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            Ok(match task.kind {
                TaskKind::Ingest => Transferred::ToProbe(b"file".to_vec()),
                TaskKind::Deliver => Transferred::Done(Box::new(TaskOutput::Delivered)),
                _ => Transferred::Done(Box::new(TaskOutput::Fetched)),
            })
        }
        .boxed()
    }

    fn stage(
        &self,
        _slot: usize,
        run: Vec<Assignment>,
        _to_probe: Option<Vec<u8>>,
        progress: Arc<AtomicU64>,
    ) -> BoxFuture<'static, Result<Staged, Failure>> {
        progress.fetch_add(1, Ordering::Relaxed);
        let scratch = PathBuf::from(format!(
            "scratch-{}",
            self.next.fetch_add(1, Ordering::Relaxed)
        ));
        lock(&self.scratch).insert(scratch.clone());
        let tasks = run
            .iter()
            .map(|one| (one.granted.task.kind, one.granted.attempt))
            .collect();
        lock(&self.staged).push(tasks);
        let order = self.order(&run).into_bytes();
        async move { Ok(Staged { order, scratch }) }.boxed()
    }

    fn publish(
        &self,
        assignment: Assignment,
        _scratch: PathBuf,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<TaskOutput, Failure>> {
        let granted = &assignment.granted;
        lock(&self.published).push(granted.task.kind);
        let key = format!(
            "{}/{:?}/{}",
            granted.task.job, granted.task.kind, granted.epoch
        );
        let object = object(&key, body.len() as u64);
        let rate = FrameRate::new(30, 1).expect("30 and 1 are not zero");
        let frames = self.segments.iter().map(|segment| segment.count()).sum();
        let output = match granted.task.kind {
            TaskKind::Prepare => TaskOutput::Plan {
                object,
                facts: PlanFacts {
                    frames,
                    rate,
                    segments: self.segments.clone(),
                    has_audio: self.has_audio,
                },
            },
            TaskKind::Audio => TaskOutput::Audio {
                object,
                from_cache: false,
            },
            TaskKind::Segment(_) => TaskOutput::Segment {
                object,
                from_cache: false,
            },
            TaskKind::Ingest => TaskOutput::Ingested(Ingested {
                object,
                content_type: "video/mp4".to_owned(),
                filename: None,
                probe: "{}".to_owned(),
            }),
            TaskKind::Deliver => TaskOutput::Delivered,
            TaskKind::Fetch => TaskOutput::Fetched,
            TaskKind::Join => TaskOutput::Artifact(Artifact {
                object,
                filename: "out.mp4".to_owned(),
                content_type: "video/mp4".to_owned(),
                width: 16,
                height: 16,
                frames,
                rate,
                thumbnail: None,
                join_millis: 1,
            }),
        };
        async move { Ok(output) }.boxed()
    }

    fn clean(&self, scratch: PathBuf) -> BoxFuture<'static, ()> {
        lock(&self.scratch).remove(&scratch);
        async {}.boxed()
    }
}

/// An object that only has a name.
pub fn object(key: &str, size: u64) -> ObjectRef {
    ObjectRef {
        key: ObjectKey(key.to_owned()),
        sha256: Digest([7; 32]),
        size,
    }
}

/// A job of workspace `w`.
pub fn submission(job: JobId) -> Submission {
    Submission {
        job,
        workspace: "w".to_owned(),
        priority: 0,
        request: object("request", 2),
        idempotency: None,
    }
}

/// A render node.
pub fn node(id: u64, incarnation: u128, slots: u32) -> NodeInfo {
    NodeInfo {
        id: NodeId(id),
        incarnation: Incarnation(incarnation),
        address: String::new(),
        version: "test".to_owned(),
        roles: Roles {
            edge: false,
            coordinator: true,
            render: true,
        },
        slots,
        gpu: "none".to_owned(),
        fingerprint: Fingerprint(Digest([1; 32])),
        state: NodeState::Ready,
        registered_at: LogTime(0),
    }
}

// Nothing is ever left half-changed under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A state in which node 1 (two slots) has planned `job` as `segments` segments of `frames`
/// frames and holds all of them, and the epochs of these attempts.
pub fn planned(job: JobId, segments: u32, frames: u64) -> (State, Vec<Epoch>) {
    let mut state = newest();
    let info = node(1, 1, 2);
    let mut apply = |command| {
        let index = LogIndex(state.applied.0 + 1);
        state.apply(
            index,
            Stamped {
                at: LogTime(1000),
                ran: Some(RanTime(1000)),
                command,
            },
        )
    };
    let granted = |outcome| match outcome {
        Outcome::Round(round) => round.grants.into_iter().flatten().flatten().collect(),
        _ => Vec::new(),
    };
    let run = |tasks| {
        Command::Round(Round {
            grants: vec![Grant {
                job,
                tasks,
                node: info.id,
                incarnation: info.incarnation,
                fingerprint: info.fingerprint,
                extra: false,
            }],
            ..Round::default()
        })
    };
    apply(Command::RegisterNode(info.clone()));
    apply(Command::SubmitJob(submission(job)));
    let prepare: Vec<Granted> = granted(apply(run(vec![TaskKind::Prepare])));
    let facts = PlanFacts {
        frames: u64::from(segments) * frames,
        rate: FrameRate::new(30, 1).expect("30 and 1 are not zero"),
        segments: (0..u64::from(segments))
            .filter_map(|index| FrameRange::new(index * frames, (index + 1) * frames))
            .collect(),
        has_audio: false,
    };
    let reports = prepare
        .iter()
        .map(|granted| Report {
            task: granted.task,
            epoch: granted.epoch,
            generation: granted.generation,
            result: Ok(TaskOutput::Plan {
                object: object("plan", 1),
                facts: facts.clone(),
            }),
            retry_after_millis: 0,
        })
        .collect();
    apply(Command::Round(Round {
        reports,
        ..Round::default()
    }));
    let segments = granted(apply(run((0..segments).map(TaskKind::Segment).collect())));
    (
        state,
        segments.into_iter().map(|granted| granted.epoch).collect(),
    )
}

/// A receiver that accepts every webhook.
#[derive(Debug, Clone, Copy, Default)]
pub struct FakeWebhookSender;

impl crate::ports::WebhookSender for FakeWebhookSender {
    fn send(&self, _delivery: Delivery) -> BoxFuture<'static, Answered> {
        taken()
    }

    fn progress(&self, _endpoint: Endpoint, _job: Arc<Job>) -> BoxFuture<'static, Answered> {
        taken()
    }
}

fn taken() -> BoxFuture<'static, Answered> {
    let answered = Answered {
        status: Some(200),
        error: None,
    };
    async move { answered }.boxed()
}
