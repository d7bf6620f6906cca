//! The `framelane` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    framelane::cli::run()
}
