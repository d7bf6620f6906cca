//! One run as the work sees it: where it reports its progress and its outputs, and where it
//! reads that it should stop.

use std::io::Write;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actors::protocol::{FromWorker, ProtocolError, write_message};
use cluster::model::Failure;

use crate::worker::failure;
use crate::worker::order::{self, Made};

/// The way to the parent, shared by the work and the ticker.
pub(super) struct Wire<W> {
    output: W,
    /// A run is going on; progress is only sent then.
    active: bool,
}

impl<W: Write> Wire<W> {
    pub(super) fn new(output: W) -> Self {
        Self {
            output,
            active: false,
        }
    }

    pub(super) fn send(&mut self, message: &FromWorker) -> Result<(), ProtocolError> {
        write_message(&mut self.output, message)
    }

    pub(super) fn set_active(&mut self, active: bool) {
        self.active = active;
    }

    pub(super) fn is_active(&self) -> bool {
        self.active
    }
}

/// How far the current run is; one for the life of the process.
#[derive(Debug)]
pub(super) struct Position {
    output: AtomicU32,
    units: AtomicU64,
    stop_before: AtomicU32,
}

impl Position {
    pub(super) fn new() -> Self {
        Self {
            output: AtomicU32::new(0),
            units: AtomicU64::new(0),
            stop_before: AtomicU32::new(u32::MAX),
        }
    }

    /// Resets the state of the last run, before any order for the next one is handled.
    pub(super) fn reset(&self) {
        self.output.store(0, Ordering::Relaxed);
        self.units.store(0, Ordering::Relaxed);
        self.stop_before.store(u32::MAX, Ordering::Relaxed);
    }

    pub(super) fn stop_before(&self, output: u32) {
        self.stop_before.fetch_min(output, Ordering::Relaxed);
    }

    pub(super) fn progress(&self) -> FromWorker {
        FromWorker::Progress {
            output: self.output.load(Ordering::Relaxed),
            units: self.units.load(Ordering::Relaxed),
        }
    }

    pub(super) fn output(&self) -> u32 {
        self.output.load(Ordering::Relaxed)
    }
}

/// How a run's messages leave.
type Send = dyn Fn(&FromWorker) -> Result<(), ProtocolError>;

/// The current run.
pub struct Run {
    position: Arc<Position>,
    send: Box<Send>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// Counts units of a run's current output from another thread.
#[derive(Debug, Clone)]
pub struct Meter(Arc<Position>);

impl Meter {
    /// Sets the units of the current output done.
    pub fn reach(&self, units: u64) {
        self.0.units.store(units, Ordering::Relaxed);
    }
}

impl Run {
    pub(super) fn new<W: Write + 'static>(
        position: Arc<Position>,
        wire: Arc<Mutex<Wire<W>>>,
    ) -> Self {
        let send = move |message: &FromWorker| {
            wire.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .send(message)
        };
        Self {
            position,
            send: Box::new(send),
        }
    }

    /// A run without a parent: what it sends is added to `into`.
    pub(in crate::worker) fn collecting(into: Arc<Mutex<Vec<FromWorker>>>) -> Self {
        let send = move |message: &FromWorker| {
            into.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(message.clone());
            Ok(())
        };
        Self {
            position: Arc::new(Position::new()),
            send: Box::new(send),
        }
    }

    /// Begins output `output`; false if the run is to stop before it.
    pub fn begin(&self, output: u32) -> bool {
        if output >= self.position.stop_before.load(Ordering::Relaxed) {
            return false;
        }
        // Units first: a reader between the two sees the old output at no progress.
        self.position.units.store(0, Ordering::Relaxed);
        self.position.output.store(output, Ordering::Relaxed);
        true
    }

    /// Counts units of the current output done.
    pub fn advance(&self, units: u64) {
        self.position.units.fetch_add(units, Ordering::Relaxed);
    }

    /// Sets the units of the current output done.
    pub fn reach(&self, units: u64) {
        self.position.units.store(units, Ordering::Relaxed);
    }

    /// What another thread may count units with while this one waits for a library.
    pub fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.position))
    }

    /// Sends a finished output to the parent.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn made(&self, made: &Made) -> Result<(), Failure> {
        let body = order::encode(made).map_err(|error| failure::engine(error.to_string()))?;
        let output = self.position.output();
        (self.send)(&FromWorker::Output { output, body })
            .map_err(|error| failure::engine(error.to_string()))
    }
}
