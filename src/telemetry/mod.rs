//! What operators observe of the process: log lines and metrics.

pub mod metrics;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people at a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("log filter `{filter}` is not valid")]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something in this process logs already.
    #[error("logging has been started before")]
    Started(#[from] tracing_subscriber::util::TryInitError),
    /// Something in this process records metrics already.
    #[error("metrics have been started before")]
    Metrics,
}

/// Sends log lines that pass `filter` (such as `info,framelane=debug`) to standard error;
/// standard output belongs to what the command was asked for. A line that cannot be written, on a
/// full disk, is lost.
///
/// # Errors
/// [`TelemetryError`] for a filter that cannot be read, or when logging was started before.
pub fn start_logging(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let env_filter = EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(env_filter)
        // Its own complaint about a line that cannot be written would end the process: it is
        // printed to the same standard error, on the same full disk.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
