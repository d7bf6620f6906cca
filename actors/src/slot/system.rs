//! The actix system that slots live in, on a thread of its own: actix needs a runtime
//! of its own, and this process has tokio's multi-threaded one.

use std::io;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use actix::prelude::{Actor, Addr, SyncArbiter, SyncContext, System};

const START_LIMIT: Duration = Duration::from_secs(10);

/// A running actix system.
pub(crate) struct SlotSystem {
    system: System,
    thread: Option<JoinHandle<()>>,
}

impl SlotSystem {
    /// Starts the system and waits until it runs.
    pub(crate) fn start() -> io::Result<Self> {
        let (sender, started) = mpsc::channel();
        let thread = Builder::new().name("slots".to_owned()).spawn(move || {
            let runner = System::new();
            // Fails if the starter has given up; the system then ends with its handle.
            if sender.send(System::current()).is_ok()
                && let Err(error) = runner.run()
            {
                tracing::error!(%error, "slot system failed");
            }
        })?;
        let system = started
            .recv_timeout(START_LIMIT)
            .map_err(io::Error::other)?;
        Ok(Self {
            system,
            thread: Some(thread),
        })
    }

    /// Starts an arbiter of exactly one thread for the actor that `factory` makes.
    pub(crate) fn start_arbiter<A>(
        &self,
        name: &str,
        factory: impl Fn() -> A + Send + Sync + 'static,
    ) -> io::Result<Addr<A>>
    where
        A: Actor<Context = SyncContext<A>> + Send,
    {
        let (sender, started) = mpsc::channel();
        let name = name.to_owned();
        self.system.arbiter().spawn_fn(move || {
            let threads = || Builder::new().name(name.clone());
            let address = SyncArbiter::start_with_thread_builder(1, threads, factory);
            // Unreceived only if the starter has given up; the arbiter then ends at once.
            let _ = sender.send(address);
        });
        started.recv_timeout(START_LIMIT).map_err(io::Error::other)
    }

    /// Stops the system and waits for its thread. Blocks for a moment.
    pub(crate) fn stop(&mut self) {
        self.system.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("slot system thread panicked");
        }
    }
}
