//! `framelane serve`: everything, until a signal says stop.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::ServerFlags;
use crate::app::App;

/// How long running work may take to end after a signal.
const GRACE: Duration = Duration::from_secs(10);

/// How long calls may take that are still at work on threads of their own after that.
const LAST_CALLS: Duration = Duration::from_secs(1);

pub(super) fn run(flags: &ServerFlags, accept_clock: bool) -> anyhow::Result<ExitCode> {
    limit_arenas();
    let mut settings = flags.load()?;
    settings.accept_clock = accept_clock;
    super::start_logging(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be started")?;
    let outcome = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("no signal handler")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("no signal handler")?;
        let mut app = App::start(settings).await?;
        outln!("{}", app.listening_line());
        let reason = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            reason = app.failed() => Some(reason),
        };
        app.stop(GRACE).await;
        match reason {
            None => Ok(ExitCode::SUCCESS),
            Some(reason) => Err(anyhow::anyhow!(reason)),
        }
    });
    // A call to a file system that hangs must not hold the process.
    runtime.shutdown_timeout(LAST_CALLS);
    outcome
}

/// Lets the threads of this process share as many arenas of memory as there are cores. glibc
/// would make eight times as many, and each keeps what the largest request body on its thread
/// needed: bodies of 2 MB, one at a time, made that 370 MiB on two cores, and 140 MiB so.
/// `MALLOC_ARENA_MAX` in the environment counts instead.
fn limit_arenas() {
    #[cfg(target_env = "gnu")]
    if std::env::var_os("MALLOC_ARENA_MAX").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let arenas = libc::c_int::try_from(cores.max(2)).unwrap_or(libc::c_int::MAX);
        #[expect(unsafe_code, reason = "the standard library has no such call")]
        // SAFETY: it sets a number in the allocator, under the allocator's lock.
        let is_set = unsafe { libc::mallopt(libc::M_ARENA_MAX, arenas) } == 1;
        if !is_set {
            tracing::debug!(arenas, "the number of memory arenas cannot be set");
        }
    }
}
