//! The most memory that a server and its workers take while something is tried.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinHandle;

use crate::claim::Figure;
use crate::node::NodeOptions;
use crate::process::{Process, descendants};

/// The most that a server may have had resident, shared pages included.
const SERVER_LIMIT: u64 = 256 << 20;

/// The most private memory that a worker is given.
const WORKER_LIMIT: u64 = 1 << 30;

const INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct Seen {
    server: u64,
    worker: u64,
}

impl Seen {
    fn text(&self) -> String {
        let (server, worker) = (self.server >> 20, self.worker >> 20);
        format!("server {server} MiB, a worker {worker} MiB")
    }
}

/// Watches servers, one after another; it ends when this is dropped.
#[derive(Debug, Default)]
pub struct Peaks {
    seen: Arc<Mutex<Seen>>,
    watching: Option<JoinHandle<()>>,
}

impl Drop for Peaks {
    fn drop(&mut self) {
        if let Some(task) = self.watching.take() {
            task.abort();
        }
    }
}

impl Peaks {
    /// Gives the workers of a node as much memory as is looked for here.
    #[must_use]
    pub fn limited(options: NodeOptions) -> NodeOptions {
        options.with("RENDER__WORKER_MEMORY", &"1.0 GiB")
    }

    /// Watches `server` from now on.
    pub fn follow(&mut self, server: Process) {
        let seen = Arc::clone(&self.seen);
        let task = tokio::spawn(async move {
            while server.is_alive() {
                look(server, &seen);
                tokio::time::sleep(INTERVAL).await;
            }
        });
        if let Some(before) = self.watching.replace(task) {
            before.abort();
        }
    }

    /// What was seen.
    ///
    /// # Errors
    /// When a process took more than it may.
    pub fn figure(&self) -> Result<Figure> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let text = seen.text();
        ensure!(seen.server <= SERVER_LIMIT, "the server took more: {text}");
        ensure!(seen.worker <= WORKER_LIMIT, "a worker took more: {text}");
        Ok(Figure::new("most memory", text))
    }

    /// What was seen, whatever it is: for a claim that fails for another reason.
    pub fn text(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        format!("most memory: {}", seen.text())
    }
}

fn look(server: Process, seen: &Mutex<Seen>) {
    let workers = descendants(server.pid);
    let worker = workers.iter().map(|worker| worker.private_memory()).max();
    let peak = server.peak_memory();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.server = seen.server.max(peak);
    seen.worker = seen.worker.max(worker.unwrap_or(0));
}
