//! What the slot thread does: keep a child up, feed it, watch it, judge its end. Blocks;
//! every wait has a deadline.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use actix::prelude::Addr;

use super::child::{Input, Worker};
use super::watch::{Observed, Watch};
use super::{Execute, Keep, SlotActor, SlotEvent, SlotParts};
use crate::node::book::engine_error;
use crate::node::slots::RunId;
use crate::protocol::{FromWorker, ToWorker, VERSION};

/// Delay before the second start in a row that fails; doubled each time.
const FIRST_RESTART_DELAY: Duration = Duration::from_millis(100);
const LONGEST_RESTART_DELAY: Duration = Duration::from_secs(10);

/// A slot's state on its own thread.
pub(super) struct Slot {
    parts: SlotParts,
    address: Option<Addr<SlotActor>>,
    worker: Option<Worker>,
    is_ready: bool,
    is_closed: bool,
    running: Option<RunId>,
}

impl Slot {
    pub(super) fn new(parts: SlotParts) -> Self {
        Self {
            parts,
            address: None,
            worker: None,
            is_ready: false,
            is_closed: false,
            running: None,
        }
    }

    pub(super) fn address(&mut self, address: Addr<SlotActor>) {
        self.address.get_or_insert(address);
    }

    /// Sees that a child is up and ready; tries until it is, or the slot closes.
    pub(super) fn keep(&mut self) {
        let was_ready = self.is_ready;
        self.catch_up();
        let mut is_settled = was_ready && self.is_ready;
        let mut delay = FIRST_RESTART_DELAY;
        while !self.is_closed && !is_settled {
            match self.make_ready() {
                Ok(()) => {
                    is_settled = true;
                    self.emit(SlotEvent::Ready);
                }
                Err(reason) => {
                    self.emit(SlotEvent::Down { reason });
                    self.pause(delay);
                    delay = (delay * 2).min(LONGEST_RESTART_DELAY);
                }
            }
        }
    }

    /// Carries out a run, reports how it ended, and makes the child ready for the next.
    pub(super) fn execute(&mut self, order: &Execute) {
        self.running = Some(order.run);
        let event = match self.run(order) {
            Ok(()) => SlotEvent::Finished { run: order.run },
            Err(event) => event,
        };
        self.running = None;
        self.emit(event);
        self.keep();
    }

    /// Kills and reaps the child for good.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.drop_worker();
    }

    /// After a panic: whatever was running has failed, and the child is in doubt.
    pub(super) fn recover(&mut self) {
        if let Some(run) = self.running.take() {
            let failure = engine_error("slot panicked".to_owned());
            self.emit(SlotEvent::Failed {
                run,
                output: 0,
                failure,
            });
        }
        self.drop_worker();
        if let Some(address) = &self.address {
            address.do_send(Keep);
        }
    }

    fn emit(&self, event: SlotEvent) {
        (self.parts.events)(self.parts.index, event);
    }

    fn drop_worker(&mut self) {
        self.is_ready = false;
        if let Some(worker) = self.worker.take() {
            worker.kill();
        }
    }

    fn receive(&self, wait: Duration) -> Result<Input, RecvTimeoutError> {
        let inputs = self
            .parts
            .inputs
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        inputs.recv_timeout(wait)
    }

    /// Handles messages that arrived between runs: that the child is ready, or has died.
    fn catch_up(&mut self) {
        while let Ok(input) = self.receive(Duration::ZERO) {
            match input {
                Input::Gone { generation } => self.lost(generation),
                Input::Close => self.is_closed = true,
                Input::Received {
                    generation,
                    message: FromWorker::Ready { version: VERSION },
                    ..
                } => {
                    self.is_ready |= self.is_current(generation);
                }
                Input::Received { .. } | Input::StopBefore { .. } => {}
            }
        }
    }

    /// Reaps the child if it is the one that has gone, and reports that it is down.
    fn lost(&mut self, generation: u64) {
        if let Some(worker) = self
            .worker
            .take_if(|worker| worker.generation == generation)
        {
            self.is_ready = false;
            let reason = worker.ended();
            self.emit(SlotEvent::Down { reason });
        }
    }

    /// Waits `delay`, unless the slot is closed meanwhile.
    fn pause(&mut self, delay: Duration) {
        let until = Instant::now() + delay;
        loop {
            match self.receive(until.saturating_duration_since(Instant::now())) {
                Ok(Input::Close) => self.is_closed = true,
                Ok(_) => continue,
                Err(_) => {}
            }
            return;
        }
    }

    /// Starts a child if there is none, and waits until it is ready.
    fn make_ready(&mut self) -> Result<(), String> {
        if self.worker.is_none() {
            self.start()?;
        }
        let deadline = Instant::now() + self.parts.timings.ready;
        while !self.is_ready {
            let wait = deadline.saturating_duration_since(Instant::now());
            match self.receive(wait) {
                Ok(Input::Received {
                    generation,
                    message,
                    ..
                }) if self.is_current(generation) => {
                    match message {
                        FromWorker::Ready { version: VERSION } => self.is_ready = true,
                        FromWorker::Ready { version } => {
                            self.drop_worker();
                            return Err(format!("worker speaks version {version}, not {VERSION}"));
                        }
                        // A late message of a run that has ended.
                        FromWorker::Progress { .. }
                        | FromWorker::Output { .. }
                        | FromWorker::Failed { .. }
                        | FromWorker::Finished => {}
                    }
                }
                Ok(Input::Gone { generation }) if self.is_current(generation) => {
                    return Err(self.worker.take().map_or_else(String::new, Worker::ended));
                }
                Ok(Input::Close) => {
                    self.is_closed = true;
                    self.drop_worker();
                    return Err("slot is closed".to_owned());
                }
                Ok(Input::Received { .. } | Input::Gone { .. } | Input::StopBefore { .. }) => {}
                Err(_) => {
                    self.drop_worker();
                    let seconds = self.parts.timings.ready.as_secs();
                    return Err(format!("worker was not ready within {seconds} s"));
                }
            }
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), String> {
        // Shared with earlier incarnations of this slot, whose readers may still speak.
        let generation = self.parts.generations.fetch_add(1, Ordering::Relaxed);
        let address = self.address.clone();
        let on_gone = move || {
            // While a run goes on this waits in the mailbox and then finds nothing to do.
            if let Some(address) = address {
                address.do_send(Keep);
            }
        };
        let worker = Worker::spawn(
            &self.parts.command,
            self.parts.index,
            generation,
            self.parts.sender.clone(),
            &self.parts.kill,
            on_gone,
        );
        match worker {
            Ok(worker) => {
                self.worker = Some(worker);
                Ok(())
            }
            Err(error) => {
                self.parts.kill.reap(Duration::ZERO);
                Err(format!("worker does not start: {error}"))
            }
        }
    }

    fn is_current(&self, generation: u64) -> bool {
        self.worker
            .as_ref()
            .is_some_and(|worker| worker.generation == generation)
    }

    fn run(&mut self, order: &Execute) -> Result<(), SlotEvent> {
        let failed = |output: u32, message: String| SlotEvent::Failed {
            run: order.run,
            output,
            failure: engine_error(message),
        };
        self.catch_up();
        self.make_ready().map_err(|reason| failed(0, reason))?;
        // Ready again only once the child reports it.
        self.is_ready = false;
        self.send(&ToWorker::Run {
            order: order.order.clone(),
        });
        let mut watch = Watch::new(order.limits.clone(), self.parts.timings.stall);
        loop {
            match self.receive(watch.patience()) {
                Ok(Input::Received {
                    generation,
                    message,
                    ..
                }) if self.is_current(generation) => match watch.observe(message) {
                    Observed::Nothing => {}
                    Observed::Progress { output, units } => self.emit(SlotEvent::Progress {
                        run: order.run,
                        output,
                        units,
                    }),
                    Observed::Output { output, body } => self.emit(SlotEvent::Output {
                        run: order.run,
                        output,
                        body,
                    }),
                    Observed::Failed { output, failure } => {
                        return Err(SlotEvent::Failed {
                            run: order.run,
                            output,
                            failure,
                        });
                    }
                    Observed::Finished => return Ok(()),
                    Observed::ProtocolViolation(message) => {
                        self.drop_worker();
                        return Err(failed(watch.output(), message.to_owned()));
                    }
                },
                Ok(Input::Gone { generation }) if self.is_current(generation) => {
                    let reason = self.worker.take().map_or_else(String::new, Worker::ended);
                    return Err(failed(watch.output(), reason));
                }
                Ok(Input::StopBefore { run, output }) if run == order.run => {
                    self.send(&ToWorker::StopBefore { output });
                }
                Ok(Input::Close) => {
                    self.close();
                    return Err(failed(watch.output(), "slot is closed".to_owned()));
                }
                // Of an earlier child or run.
                Ok(Input::Received { .. } | Input::Gone { .. } | Input::StopBefore { .. }) => {}
                Err(_) => {
                    self.drop_worker();
                    return Err(failed(watch.output(), watch.overdue()));
                }
            }
        }
    }

    /// Writes to the child. A broken pipe needs no care: its end is noticed by the reader.
    fn send(&mut self, message: &ToWorker) {
        if let Some(worker) = &mut self.worker
            && let Err(error) = worker.send(message)
        {
            tracing::warn!(slot = self.parts.index, %error, "failed to send to worker");
        }
    }
}
