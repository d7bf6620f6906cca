//! The worker child process: start, write to, kill, reap. Its stdout is read by a thread
//! that passes every message on; its stderr goes to the log line by line.
//!
//! The child is not trusted: it gets no variable that is not its own, and its output on
//! either pipe takes a bounded amount of memory.

use std::io::{self, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use super::backlog::{Backlog, Credit};
use super::log;
use crate::config::WorkerCommand;
use crate::node::slots::{RunId, SlotIndex};
use crate::protocol::{FromWorker, SLOT_VARIABLE, ToWorker, read_reply, write_message};

/// How long a child that closed its stdout has to exit by itself.
const EXIT_GRACE: Duration = Duration::from_millis(500);

/// What process lists show: the program may be a path of `/proc`.
const NAME: &str = "framelane";

/// What wakes a slot that waits.
#[derive(Debug)]
pub(super) enum Input {
    /// A message from the child of this generation.
    Received {
        generation: u64,
        message: FromWorker,
        /// Given back when this is dropped.
        _credit: Credit,
    },
    /// Nothing more comes from the child of this generation.
    Gone { generation: u64 },
    /// The run is to end before this output.
    StopBefore { run: RunId, output: u32 },
    /// The slot is to end.
    Close,
}

/// Holds the process where both the slot and its node can reach it. The lock is only held
/// for system calls that do not wait (and the reaping of a killed child).
#[derive(Debug, Clone, Default)]
pub(super) struct KillSwitch {
    child: Arc<Mutex<Option<Child>>>,
}

impl KillSwitch {
    /// Kills the child, if there is one. `Child` remembers that it was reaped, so this
    /// never reaches another process that got the same id.
    pub(super) fn kill(&self) {
        if let Some(child) = self.lock().as_mut()
            && let Err(error) = child.kill()
        {
            tracing::warn!(%error, "worker could not be killed");
        }
    }

    /// Kills the child if it is still the one with this id.
    fn kill_only(&self, pid: u32) {
        if self.pid() == Some(pid) {
            self.kill();
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(Child::id)
    }

    /// Waits a moment for the child's own exit, else kills it; reaps it in any case.
    pub(super) fn reap(&self, grace: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + grace;
        let mut child = loop {
            let mut held = self.lock();
            let has_ended = held
                .as_mut()
                .is_none_or(|child| matches!(child.try_wait(), Ok(Some(_))));
            if has_ended || Instant::now() >= deadline {
                break held.take()?;
            }
            drop(held);
            thread::park_timeout(Duration::from_millis(5));
        };
        // Killing one that has ended does nothing.
        let _ = child.kill();
        child.wait().ok()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot's end of a running child.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) generation: u64,
    stdin: ChildStdin,
    kill: KillSwitch,
}

impl Worker {
    /// Starts a child. Must be called on the slot's thread: the child dies with it.
    pub(super) fn spawn(
        command: &WorkerCommand,
        slot: SlotIndex,
        generation: u64,
        inputs: Sender<Input>,
        kill: &KillSwitch,
        on_gone: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let mut child = Command::new(&command.program)
            .arg0(NAME)
            .args(&command.args)
            .env_clear()
            .env(SLOT_VARIABLE, slot.to_string())
            .envs(command.envs.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let pid = child.id();
        // From here on the switch sees to it that the child is killed and reaped.
        *kill.lock() = Some(child);
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("worker has no pipes"));
        };
        let reader = Reader {
            generation,
            inputs,
            pid,
            kill: kill.clone(),
        };
        Builder::new()
            .name(format!("slot-{slot}-out"))
            .spawn(move || reader.read(stdout, on_gone))?;
        Builder::new()
            .name(format!("slot-{slot}-err"))
            .spawn(move || log::forward(stderr, slot, pid))?;
        tracing::debug!(slot, pid, "worker started");
        Ok(Self {
            generation,
            stdin,
            kill: kill.clone(),
        })
    }

    /// Sends the child a message.
    pub(super) fn send(
        &mut self,
        message: &ToWorker,
    ) -> Result<(), crate::protocol::ProtocolError> {
        write_message(&mut self.stdin, message)
    }

    /// Waits for the end of a child whose stdout has closed and returns how it ended.
    pub(super) fn ended(self) -> String {
        describe(self.kill.reap(EXIT_GRACE))
    }

    /// Kills and reaps the child.
    pub(super) fn kill(self) {
        self.kill.reap(Duration::ZERO);
    }
}

fn describe(status: Option<ExitStatus>) -> String {
    match status.map(|status| (status.signal(), status.code())) {
        Some((Some(signal), _)) => format!("worker exited: signal {signal}"),
        Some((None, Some(code))) => format!("worker exited: code {code}"),
        Some((None, None)) | None => "worker exited".to_owned(),
    }
}

/// The thread that reads the child's messages.
struct Reader {
    generation: u64,
    inputs: Sender<Input>,
    pid: u32,
    kill: KillSwitch,
}

impl Reader {
    fn read(self, stdout: ChildStdout, on_gone: impl FnOnce()) {
        let mut stdout = BufReader::new(stdout);
        let backlog = Backlog::default();
        loop {
            let message = match read_reply(&mut stdout) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "worker output is unreadable");
                    self.kill.kill_only(self.pid);
                    break;
                }
            };
            let Some(credit) = backlog.enter(&message) else {
                tracing::warn!("worker sends more messages than its slot can take");
                self.kill.kill_only(self.pid);
                break;
            };
            let input = Input::Received {
                generation: self.generation,
                message,
                _credit: credit,
            };
            if self.inputs.send(input).is_err() {
                return;
            }
        }
        // Unreceived only when the slot has ended.
        let _ = self.inputs.send(Input::Gone {
            generation: self.generation,
        });
        on_gone();
    }
}
