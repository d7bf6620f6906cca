//! The child's side of the protocol: one thread reads, one works, one sends the progress
//! every 200 ms. The work is a closure; nothing here depends on media.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use actors::protocol::{FromWorker, ProtocolError, ToWorker, VERSION, read_message};
use cluster::model::Failure;

use super::run::{Position, Run, Wire};
use crate::worker::failure;

/// Time between two progress messages.
const TICK: Duration = Duration::from_millis(200);

/// Why the child ends other than because its parent closed the pipe.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The parent sent something that is no message, or cannot be written to.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The work panicked: nothing in this process can be trusted any more.
    #[error("the work panicked")]
    Panicked,
    /// No thread could be started.
    #[error("no thread can be started")]
    Thread(#[source] std::io::Error),
}

/// Serves runs until the parent closes `input`. `work` carries out one order; `orphaned` is
/// called on the reading thread when `input` ends, or turns to garbage, in the middle of a
/// run, and must not return to a process that works on.
///
/// # Errors
/// [`ServeError`]; the process should end.
pub fn serve<R, W>(
    input: R,
    output: W,
    mut work: impl FnMut(&[u8], &Run) -> Result<(), Failure>,
    orphaned: impl Fn() + Send + 'static,
) -> Result<(), ServeError>
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    let position = Arc::new(Position::new());
    let wire = Arc::new(Mutex::new(Wire::new(output)));
    let busy = Arc::new(AtomicBool::new(false));
    let run = Run::new(Arc::clone(&position), Arc::clone(&wire));

    let (orders, inbox) = mpsc::channel();
    let reader = Reader {
        orders,
        position: Arc::clone(&position),
        busy: Arc::clone(&busy),
    };
    start("stdin", move || reader.read(input, &orphaned))?;
    // Dropped with this function: that ends the ticker.
    let (_stop, stopped) = mpsc::channel();
    let (ticking, ticked) = (Arc::clone(&wire), Arc::clone(&position));
    start("progress", move || tick(&ticking, &ticked, &stopped))?;

    lock(&wire).send(&FromWorker::Ready { version: VERSION })?;
    while let Ok(order) = inbox.recv() {
        let order = order?;
        lock(&wire).set_active(true);
        let result = catch_unwind(AssertUnwindSafe(|| work(&order, &run)));
        let mut wire = lock(&wire);
        wire.set_active(false);
        busy.store(false, Ordering::Release);
        let output = position.output();
        match result {
            Ok(Ok(())) => wire.send(&FromWorker::Finished)?,
            Ok(Err(failure)) => wire.send(&FromWorker::Failed { output, failure })?,
            Err(panic) => {
                let failure =
                    failure::engine(format!("the worker panicked: {}", panic_message(&*panic)));
                wire.send(&FromWorker::Failed { output, failure })?;
                return Err(ServeError::Panicked);
            }
        }
        wire.send(&FromWorker::Ready { version: VERSION })?;
    }
    Ok(())
}

/// The reading thread.
struct Reader {
    orders: Sender<Result<Vec<u8>, ProtocolError>>,
    position: Arc<Position>,
    busy: Arc<AtomicBool>,
}

impl Reader {
    fn read(self, mut input: impl Read, orphaned: &impl Fn()) {
        let broken = loop {
            match read_message(&mut input) {
                Ok(Some(ToWorker::Run { order })) => {
                    // Here and not where the run begins: a stop that follows must not be lost.
                    self.position.reset();
                    self.busy.store(true, Ordering::Release);
                    if self.orders.send(Ok(order)).is_err() {
                        return;
                    }
                }
                Ok(Some(ToWorker::StopBefore { output })) => self.position.stop_before(output),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        if self.busy.load(Ordering::Acquire) {
            orphaned();
        }
        if let Some(error) = broken {
            // Fails only if the work thread has ended by itself, which is fine.
            let _ = self.orders.send(Err(error));
        }
    }
}

fn tick<W: Write>(wire: &Mutex<Wire<W>>, position: &Position, stopped: &Receiver<()>) {
    while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        let mut wire = lock(wire);
        // The work thread notices as well that the parent cannot be reached.
        if wire.is_active() && wire.send(&position.progress()).is_err() {
            return;
        }
    }
}

fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), ServeError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(|_detached| ())
        .map_err(ServeError::Thread)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
