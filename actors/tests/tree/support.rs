//! A tree with short timings and a fake worker, and waits with a deadline.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actors::ports::Coordinator as _;
use actors::testkit::{FakeCoordinator, FakeHost, SystemClock, node, submission};
use actors::{ActorNode, Config, Ports, RootHandle, Timings, WorkerCommand, start};
use cluster::command::{Command, Outcome};
use cluster::model::{Boot, FrameRange, JobId};
use cluster::state::Job;

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Tree {
    pub(crate) handle: RootHandle,
    pub(crate) coordinator: Arc<FakeCoordinator>,
    pub(crate) host: Arc<FakeHost>,
    slots: u32,
}

pub(crate) fn timings() -> Timings {
    Timings {
        poll: Duration::from_millis(100),
        suspect: Duration::from_millis(900),
        lease: Duration::from_secs(4),
        round: Duration::from_millis(5),
        ready: Duration::from_secs(5),
        stall: Duration::from_millis(600),
        retry_base: Duration::from_millis(50),
        look: Duration::from_millis(20),
        ..Timings::default()
    }
}

impl Tree {
    /// `slots` slots; every job has `segments` segments of `frames` frames.
    pub(crate) async fn start(slots: u32, segments: u64, frames: u64, audio: bool) -> Self {
        let host = FakeHost::new(segments, frames, audio);
        Self::with(FakeCoordinator::new(), host, slots, 1, "").await
    }

    /// A tree whose workers get `argument` at their start.
    pub(crate) async fn with(
        coordinator: Arc<FakeCoordinator>,
        host: Arc<FakeHost>,
        slots: u32,
        incarnation: u128,
        argument: &str,
    ) -> Self {
        let config = Config {
            boot: Boot(1),
            probe_slots: 1,
            transfers: 4,
            concurrent_per_workspace: 0,
            node: node(1, incarnation, slots),
            worker: WorkerCommand {
                program: PathBuf::from(env!("CARGO_BIN_EXE_fake-worker")),
                args: vec![argument.to_owned()],
                envs: Vec::new(),
            },
            timings: timings(),
            webhooks: actors::Schedule::default(),
        };
        let ports = Ports {
            coordinator: coordinator.clone(),
            host: host.clone(),
            webhooks: Arc::new(actors::testkit::FakeWebhookSender),
            clock: Arc::new(SystemClock),
        };
        let handle = start(config, ports).await.unwrap();
        Self {
            handle,
            coordinator,
            host,
            slots,
        }
    }

    /// Stops everything and starts it again as another incarnation, with a fresh host.
    pub(crate) async fn restart(self, incarnation: u128) -> Self {
        let frames = {
            let state = self.coordinator.state();
            let job = state.jobs.values().next().unwrap();
            let segments = &job.plan.as_ref().unwrap().facts.segments;
            (
                segments.len() as u64,
                segments.first().copied().map_or(0, FrameRange::count),
            )
        };
        self.handle.stop().await;
        let host = FakeHost::new(frames.0, frames.1, false);
        Self::with(self.coordinator, host, self.slots, incarnation, "").await
    }

    pub(crate) fn submit(&self, id: u128) -> JobId {
        let job = JobId(id);
        let outcome = self.coordinator.apply(Command::SubmitJob(submission(job)));
        assert_eq!(outcome, Outcome::Submitted(job));
        job
    }

    pub(crate) fn job(&self, job: JobId) -> Arc<Job> {
        Arc::clone(&self.coordinator.state().jobs[&job])
    }

    /// Committed segments.
    pub(crate) fn committed(&self, job: JobId) -> usize {
        self.job(job)
            .segments()
            .filter(|(_, task)| task.is_done())
            .count()
    }

    pub(crate) fn is_all_free(&self) -> bool {
        self.handle
            .nodes()
            .first()
            .is_some_and(|node| node.slots_free == self.slots)
    }

    /// The job once it is terminal.
    pub(crate) async fn ended(&self, job: JobId) -> Arc<Job> {
        self.until("the job has ended", |tree| {
            tree.job(job).status.is_terminal()
        })
        .await;
        self.job(job)
    }

    /// Looks again and again; fails after a while.
    pub(crate) async fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let looking = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, looking).await.is_err() {
            let tree = self.handle.tree().await;
            panic!(
                "never: {what}\n{tree:#?}\n{:#?}",
                self.coordinator.state().jobs
            );
        }
    }

    pub(crate) async fn until_tree(&self, what: &str, holds: impl Fn(&ActorNode) -> bool) {
        let looking = async {
            while !self.handle.tree().await.is_some_and(|tree| holds(&tree)) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, looking).await.is_ok(),
            "never: {what}"
        );
    }

    /// Process ids of the children, as the tree shows them.
    pub(crate) async fn worker_pids(&self) -> Vec<u32> {
        let tree = self.handle.tree().await.unwrap();
        let node = tree
            .children
            .iter()
            .find(|child| child.kind == "NodeActor")
            .unwrap();
        let pid = |slot: &ActorNode| slot.state.get("worker_pid")?.parse().ok();
        node.children.iter().filter_map(pid).collect()
    }

    pub(crate) async fn stop(self) {
        let pids = self.worker_pids().await;
        self.handle.stop().await;
        for pid in pids {
            assert!(!is_alive(pid), "worker {pid} outlives its node");
        }
    }
}

fn is_alive(pid: u32) -> bool {
    PathBuf::from(format!("/proc/{pid}")).try_exists().unwrap()
}
