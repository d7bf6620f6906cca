//! Where work on files runs: it blocks, so never on the threads that drive raft.

use super::StoreError;

/// Runs work on files.
#[derive(Clone, Default)]
pub(super) enum Disk {
    /// On tokio's threads for blocking work.
    #[default]
    Threads,
    /// At once, after whatever a test wants to wait for at this step.
    #[cfg(test)]
    Stepped(std::sync::Arc<Pause>),
    /// At once, on a disk on which nothing new fits while this is set.
    #[cfg(test)]
    Full(std::sync::Arc<std::sync::atomic::AtomicBool>),
}

/// What a test waits for before a step.
#[cfg(test)]
pub(super) type Pause =
    dyn Fn(Step) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The steps by which snapshot files change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A temporary file is made.
    Create,
    /// A temporary file is filled with this member's state and made durable.
    Build,
    /// A file that was received is read and made durable.
    Install,
    /// A temporary file gets the name it will be recorded by.
    Name,
    /// Files that do not count are removed.
    Remove,
    /// The file that counts is read.
    Read,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Threads => f.write_str("Threads"),
            #[cfg(test)]
            Self::Stepped(_) => f.write_str("Stepped"),
            #[cfg(test)]
            Self::Full(_) => f.write_str("Full"),
        }
    }
}

impl Disk {
    /// Runs one step and returns its result.
    #[cfg_attr(
        not(test),
        expect(unused_variables, reason = "only tests stop at a step")
    )]
    pub(super) async fn run<T: Send + 'static>(
        &self,
        step: Step,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Threads => tokio::task::spawn_blocking(work)
                .await
                .map_err(|error| StoreError::Closed(error.to_string()))?,
            #[cfg(test)]
            Self::Stepped(pause) => {
                pause(step).await;
                work()
            }
            #[cfg(test)]
            Self::Full(is_full) => {
                let is_full = is_full.load(std::sync::atomic::Ordering::SeqCst);
                if matches!(step, Step::Build | Step::Install) && is_full {
                    let full = std::io::ErrorKind::StorageFull.into();
                    return Err(StoreError::io(std::path::Path::new("snapshots"), full));
                }
                work()
            }
        }
    }
}
