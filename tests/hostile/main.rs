//! A decoder that was taken over, for tests: confined by the same code as the real worker, it
//! then tries what it must not. Built as an example, so that nothing of it is in the product.
//!
//! `hostile attempts JSON` tries everything once and prints what came of it. `hostile worker`
//! is a worker that works, unless a source begins with `EVIL ` and the name of an
//! attack.
#![expect(clippy::print_stdout, reason = "its stdout is its answer")]

mod attempts;
mod orders;

use std::process::ExitCode;

use framelane::worker::settings::WorkerSettings;
use framelane::worker::{child, fingerprint, probe_sandbox, sandbox};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["worker"] => return child::run_with(orders::obey),
        ["worker", "--fingerprint"] => fingerprint::print(),
        ["worker", "--probe-sandbox"] => probe_sandbox(),
        ["attempts", targets] => try_all(targets),
        _ => Err(anyhow::anyhow!("unknown arguments {arguments:?}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_all(targets: &str) -> anyhow::Result<()> {
    let targets = serde_json::from_str(targets)?;
    let settings = WorkerSettings::from_environment()?;
    sandbox::confine(&settings.policy(child::slot()))?.seal()?;
    let outcomes = attempts::all(&targets);
    println!("{}", serde_json::to_string(&outcomes)?);
    Ok(())
}
