//! The inside of `framelane worker`: the process that touches hostile files and drivers, so
//! that the server does not have to.
//!
//! It lives and dies with its parent: the kernel kills it when the thread that started it
//! ends, and it ends by itself when its stdin closes.

mod run;
mod serve;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::process::ExitCode;

use rustix::process::{Signal, getpid, getppid, kill_process, set_parent_process_death_signal};

pub use run::{Meter, Run};
pub use serve::{ServeError, serve};

use crate::worker::settings::WorkerSettings;
use crate::worker::tools::Tools;

/// Runs `framelane worker` to its end: 0 when the parent closed the pipe.
pub fn run() -> ExitCode {
    match try_run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the worker ends");
            // Not by returning: libraries' exit handlers must not hang a broken process.
            std::process::exit(1)
        }
    }
}

fn try_run() -> anyhow::Result<()> {
    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Started and orphaned before the kernel knew whom to watch.
    if getppid() != parent {
        return Ok(());
    }
    let output = take_stdout()?;
    let input = io::stdin();
    let mut tools = Tools::new(&WorkerSettings::from_environment()?);
    serve(
        input,
        output,
        move |order, run| tools.carry_out(order, run),
        end_at_once,
    )?;
    Ok(())
}

/// Moves the pipe away from descriptor 1, which becomes stderr: what libraries print must not
/// end up between messages.
pub(super) fn take_stdout() -> io::Result<File> {
    let private = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(private))
}

/// Ends a process whose threads are in the middle of native code, without running any of it.
fn end_at_once() {
    if kill_process(getpid(), Signal::KILL).is_err() {
        std::process::abort();
    }
}
