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
