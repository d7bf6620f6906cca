//! The command line. Exit codes: 0 done, 1 it could not be done, 2 the call was wrong.

/// Prints a line on standard output, whose reader may be gone: `framelane doctor | head -1`.
macro_rules! outln {
    ($($part:tt)*) => {
        $crate::cli::print_line(format_args!($($part)*))
    };
}

/// Prints a line on standard error. One that cannot be written, on a full disk, is lost.
macro_rules! errln {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($part)*);
    }};
}

mod doctor;
mod keys;
mod private;
mod probe;
mod render;
mod serve;
mod validate;

use std::fmt::Arguments;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Settings, SettingsError};

/// A self-hosted video render cluster: JSON compositions in, finished videos out.
#[derive(Debug, Parser)]
#[command(name = "framelane", version)]
struct Call {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and render.
    Serve {
        #[command(flatten)]
        flags: ServerFlags,
        /// Take this machine's wall clock for the time, however far it is from the last time
        /// in the log.
        #[arg(long)]
        accept_clock: bool,
    },
    /// Render one composition to a file, with a private server that ends with it.
    Render {
        /// The composition, as JSON; `-` for standard input.
        file: PathBuf,
        /// Where the video goes.
        #[arg(short, long)]
        output: PathBuf,
        /// Print the finished render as JSON instead of a progress bar.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Say what is wrong with a composition.
    Validate {
        /// The composition, as JSON; `-` for standard input.
        file: PathBuf,
        /// Print violations and warnings as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Say what is in a media file, and what a render would make of it.
    Probe {
        /// A file of this machine, or an http(s) URL.
        subject: String,
        /// Print the report as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Make, list and revoke API keys.
    Keys(keys::KeysCall),
    /// Check what this machine has, and say what to install.
    Doctor {
        /// Print the findings as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Sign links with a fresh key from the server's next start on.
    RotateSigningKey {
        /// End the links of every key before it.
        #[arg(long)]
        forget: bool,
        /// Print the new key's id as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        flags: ServerFlags,
    },
    /// The rendering child process; started by the server.
    #[command(hide = true)]
    Worker {
        /// Print this node's render fingerprint and end.
        #[arg(long)]
        fingerprint: bool,
        /// Give up what workers give up, print what that came to, and end.
        #[arg(long, conflicts_with = "fingerprint")]
        probe_sandbox: bool,
    },
}

/// Where settings come from.
#[derive(Debug, Clone, Args)]
struct ConfigFlags {
    /// A TOML file with what differs from the defaults.
    #[arg(long, env = "FRAMELANE_CONFIG")]
    config: Option<PathBuf>,
}

/// Settings a server can be given on the command line.
#[derive(Debug, Clone, Args)]
struct ServerFlags {
    #[command(flatten)]
    config: ConfigFlags,
    /// `edge.listen`: address and port of the API.
    #[arg(long)]
    listen: Option<std::net::SocketAddr>,
    /// `data_dir`: Raft log, embedded storage and scratch.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// `roles`: a comma-separated list.
    #[arg(long, value_delimiter = ',')]
    roles: Option<Vec<String>>,
}

/// Reads the call, carries it out, and returns its exit status.
pub fn run() -> ExitCode {
    match Call::parse().command {
        Command::Serve {
            flags,
            accept_clock,
        } => report(serve::run(&flags, accept_clock)),
        Command::Render {
            file,
            output,
            json,
            flags,
        } => report(render::run(&file, &output, json, &flags)),
        Command::Validate { file, json, flags } => report(validate::run(&file, json, &flags)),
        Command::Probe {
            subject,
            json,
            flags,
        } => report(probe::run(&subject, json, &flags)),
        Command::Keys(call) => report(keys::run(&call)),
        Command::Doctor { json, flags } => report(doctor::run(json, &flags)),
        Command::RotateSigningKey {
            forget,
            json,
            flags,
        } => report(rotate_signing_key(&flags, forget, json)),
        Command::Worker {
            fingerprint,
            probe_sandbox,
        } => worker(fingerprint, probe_sandbox),
    }
}

fn worker(fingerprint: bool, probe_sandbox: bool) -> ExitCode {
    crate::worker::program::set_process_name();
    if fingerprint {
        report(crate::worker::fingerprint::print().map(|()| ExitCode::SUCCESS))
    } else if probe_sandbox {
        report(crate::worker::probe_sandbox().map(|()| ExitCode::SUCCESS))
    } else {
        crate::worker::child::run()
    }
}

fn rotate_signing_key(flags: &ServerFlags, forget: bool, json: bool) -> anyhow::Result<ExitCode> {
    let id = crate::app::rotate_signing_key(&flags.load()?, forget)?;
    if json {
        outln!("{}", serde_json::json!({ "id": id }));
    } else {
        outln!("key {id} signs links from the server's next start on");
    }
    Ok(ExitCode::SUCCESS)
}

/// A closed pipe ends the output and not the command, whose exit code still counts.
fn print_line(line: Arguments<'_>) {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            errln!("framelane: standard output cannot be written: {error}");
        }
        _ => {}
    }
}

fn report(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        errln!("framelane: {error:#}");
        ExitCode::FAILURE
    })
}

impl ConfigFlags {
    fn load(&self) -> Result<Settings, SettingsError> {
        Settings::load(self.config.as_deref(), std::env::vars())
    }
}

impl ServerFlags {
    fn load(&self) -> anyhow::Result<Settings> {
        let mut settings = self.config.load()?;
        if let Some(listen) = self.listen {
            settings.edge.listen = listen;
        }
        if let Some(data_dir) = &self.data_dir {
            settings.data_dir.clone_from(data_dir);
        }
        if let Some(roles) = &self.roles {
            settings.roles = roles
                .iter()
                .map(|role| serde_json::from_value(role.as_str().into()))
                .collect::<Result<_, _>>()
                .map_err(|_| anyhow::anyhow!("--roles takes edge, coordinator and render"))?;
        }
        settings.validate()?;
        Ok(settings)
    }
}

fn start_logging(log: &crate::settings::Log) -> anyhow::Result<()> {
    use crate::settings::LogFormat as Wanted;
    use crate::telemetry::{LogFormat, start_logging};
    let format = match log.format {
        Wanted::Text => LogFormat::Text,
        Wanted::Json => LogFormat::Json,
    };
    Ok(start_logging(format, &log.filter)?)
}

/// The bytes of `file`, or of standard input for `-`.
fn read(file: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    use anyhow::Context;
    use std::io::Read;
    if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin()
            .read_to_end(&mut bytes)
            .context("standard input cannot be read")?;
        return Ok(bytes);
    }
    std::fs::read(file).with_context(|| format!("`{}` cannot be read", file.display()))
}
