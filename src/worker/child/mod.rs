//! The inside of `framelane worker`: the process that touches hostile files and drivers, so
//! that the server does not have to.
//!
//! It lives and dies with its parent: the kernel kills it when the thread that started it
//! ends, and it ends by itself when its stdin closes. Before it reads its first order it gives up
//! whatever it does not need ([`sandbox`]).

mod run;
mod serve;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use rustix::process::{Signal, getpid, getppid, kill_process, set_parent_process_death_signal};

pub use run::{Meter, Run};
pub use serve::{ServeError, serve};

use crate::worker::sandbox;
use crate::worker::settings::WorkerSettings;
use crate::worker::tools::Tools;

/// Runs `framelane worker` to its end: 0 when the parent closed the pipe.
pub fn run() -> ExitCode {
    run_with(|_order| {})
}

/// The same with something done before each order is carried out. For stand-ins of a decoder
/// that was taken over, in tests: they are confined as the real one is.
pub fn run_with(before: impl FnMut(&[u8])) -> ExitCode {
    match try_run(before) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent logs it. Without a parent it is lost.
            let _ = writeln!(io::stderr(), "the worker ends: {error:#}");
            // Not by returning: libraries' exit handlers must not hang a broken process.
            std::process::exit(1)
        }
    }
}

fn try_run(mut before: impl FnMut(&[u8])) -> anyhow::Result<()> {
    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Started and orphaned before the kernel knew whom to watch.
    if getppid() != parent {
        return Ok(());
    }
    close_inherited();
    let settings = WorkerSettings::from_environment()?;
    let confined = sandbox::confine(&settings.policy(slot()))?;
    // The kernel forgot whom to watch while privileges changed.
    if getppid() != parent {
        return Ok(());
    }
    let output = take_stdout()?;
    let input = io::stdin();
    let mut tools = Tools::new(&settings);
    confined.seal()?;
    serve(
        input,
        output,
        move |order, run| {
            before(order);
            tools.carry_out(order, run)
        },
        end_at_once,
    )?;
    Ok(())
}

/// The slot this worker belongs to.
pub fn slot() -> Option<usize> {
    std::env::var(actors::protocol::SLOT_VARIABLE)
        .ok()?
        .parse()
        .ok()
}

/// Closes descriptors that the server, or its parent, left open by accident.
fn close_inherited() {
    #[expect(unsafe_code, reason = "the standard library has no such call")]
    // SAFETY: no descriptor above 2 is owned by anything yet: this is the process's beginning,
    // before any file was opened. An old kernel without the call leaves them open.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
    }
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
