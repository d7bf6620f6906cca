//! One rendering slot: an actix `SyncArbiter` of one thread that owns one worker child.
//!
//! ```text
//! node actor ── Execute ──► mailbox ─► slot thread ── ToWorker ──► child
//!      │                                   ▲  ▲                      │
//!      ├── StopBefore, Close ── inputs ────┘  └──── reader thread ◄──┘ FromWorker
//!      └── kill ───────────────────────────────────────────────────► SIGKILL
//! ```
//! The slot thread blocks while a run goes on, so nothing that must interrupt it goes
//! through its mailbox: orders about the current run come with the child's own messages,
//! and the kill switch reaches the process directly. The thread lives as long as the node,
//! because a child dies with the thread that started it.

mod backlog;
mod child;
mod log;
mod run;
mod system;
mod watch;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::{Actor, ActorContext as _, Addr, Handler, Message, SyncContext};
use cluster::model::Failure;

pub(crate) use self::system::SlotSystem;

use self::child::{Input, KillSwitch};
use self::run::Slot;
use crate::config::{Timings, WorkerCommand};
use crate::node::slots::{RunId, SlotIndex};

/// Events that a slot reports to its node.
#[derive(Debug)]
pub(crate) enum SlotEvent {
    /// The child waits for an order.
    Ready,
    /// The child is gone while idle, or does not start; the slot keeps trying.
    Down {
        /// Why.
        reason: String,
    },
    /// Work goes on.
    Progress { run: RunId, output: u32, units: u64 },
    /// The child has made an output.
    Output {
        run: RunId,
        output: u32,
        body: Vec<u8>,
    },
    /// The run has ended with this output blamed.
    Failed {
        run: RunId,
        output: u32,
        failure: Failure,
    },
    /// The run has ended.
    Finished { run: RunId },
}

/// Where a slot's events go.
pub(crate) type Events = Arc<dyn Fn(SlotIndex, SlotEvent) + Send + Sync>;

/// Carry out this run. Ends in exactly one `Failed` or `Finished`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Execute {
    pub(crate) run: RunId,
    pub(crate) order: Vec<u8>,
    /// The longest each output may take.
    pub(crate) limits: Vec<Duration>,
}

/// See that the child is up: at the start, and whenever one ended.
#[derive(Message)]
#[rtype(result = "()")]
struct Keep;

/// Kill and reap the child for good.
#[derive(Message)]
#[rtype(result = "()")]
struct Close;

/// The actix actor: keeps panics inside, and nothing else.
struct SlotActor {
    slot: Slot,
}

impl Actor for SlotActor {
    type Context = SyncContext<Self>;
}

impl SlotActor {
    /// A panic must not end the thread: the arbiter would be left without one, and the
    /// child would die with it.
    fn guarded(&mut self, context: &mut SyncContext<Self>, work: impl FnOnce(&mut Slot)) {
        self.slot.address(context.address());
        if catch_unwind(AssertUnwindSafe(|| work(&mut self.slot))).is_err() {
            tracing::error!("slot panicked; its worker is started anew");
            self.slot.recover();
            // Replaces this actor's state; the thread stays.
            context.stop();
        }
    }
}

impl Handler<Execute> for SlotActor {
    type Result = ();

    fn handle(&mut self, order: Execute, context: &mut SyncContext<Self>) {
        self.guarded(context, |slot| slot.execute(&order));
    }
}

impl Handler<Keep> for SlotActor {
    type Result = ();

    fn handle(&mut self, _: Keep, context: &mut SyncContext<Self>) {
        self.guarded(context, Slot::keep);
    }
}

impl Handler<Close> for SlotActor {
    type Result = ();

    fn handle(&mut self, _: Close, context: &mut SyncContext<Self>) {
        self.guarded(context, Slot::close);
    }
}

/// What every incarnation of a slot's actor is made from.
#[derive(Clone)]
pub(crate) struct SlotParts {
    index: SlotIndex,
    command: WorkerCommand,
    timings: Timings,
    events: Events,
    inputs: Arc<Mutex<Receiver<Input>>>,
    sender: Sender<Input>,
    kill: KillSwitch,
    generations: Arc<AtomicU64>,
}

/// The node's hold on a slot.
pub(crate) struct SlotHandle {
    address: Addr<SlotActor>,
    sender: Sender<Input>,
    kill: KillSwitch,
    generations: Arc<AtomicU64>,
}

impl SlotHandle {
    /// Starts slot `index` and its child.
    pub(crate) fn start(
        system: &SlotSystem,
        index: SlotIndex,
        command: WorkerCommand,
        timings: Timings,
        events: Events,
    ) -> io::Result<Self> {
        let (sender, inputs) = channel();
        let kill = KillSwitch::default();
        let generations = Arc::new(AtomicU64::new(0));
        let parts = SlotParts {
            index,
            command,
            timings,
            events,
            inputs: Arc::new(Mutex::new(inputs)),
            sender: sender.clone(),
            kill: kill.clone(),
            generations: Arc::clone(&generations),
        };
        let name = format!("slot-{index}");
        let address = system.start_arbiter(&name, move || SlotActor {
            slot: Slot::new(parts.clone()),
        })?;
        address.do_send(Keep);
        Ok(Self {
            address,
            sender,
            kill,
            generations,
        })
    }

    /// Gives the slot a run; only while it is ready.
    pub(crate) fn execute(&self, order: Execute) {
        self.address.do_send(order);
    }

    /// Ends `run` before its output `output`.
    pub(crate) fn stop_before(&self, run: RunId, output: u32) {
        // Fails only when the slot has ended: nothing runs then.
        let _ = self.sender.send(Input::StopBefore { run, output });
    }

    /// Kills the child now. The slot starts another.
    pub(crate) fn kill(&self) {
        self.kill.kill();
    }

    /// The child's process id while there is one.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.kill.pid()
    }

    /// How often a child was started after the first.
    pub(crate) fn restarts(&self) -> u64 {
        self.generations.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// Kills the child and waits until it is reaped, at most `limit`.
    pub(crate) async fn close(&self, limit: Duration) {
        let _ = self.sender.send(Input::Close);
        self.kill.kill();
        if tokio::time::timeout(limit, self.address.send(Close))
            .await
            .is_err()
        {
            tracing::warn!("slot did not close in time");
        }
    }
}
