//! The limits of the listener: from the settings, reduced to the process's limit on open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::edge::ServeLimits;
use crate::settings;

/// Files that the process needs beside its connections: the log, the store, workers, sources.
const OTHER_FILES: u64 = 512;

/// The limits of the listener. The process raises its limit on open files to the hard limit,
/// from then on.
pub(super) fn limits(settings: &settings::Edge) -> ServeLimits {
    let wanted = usize::try_from(settings.connections).unwrap_or(usize::MAX);
    let possible = possible(raised_file_limit());
    if possible < wanted {
        tracing::warn!(
            wanted,
            possible,
            "the limit on open files (ulimit -n) allows fewer connections than edge.connections"
        );
    }
    ServeLimits {
        connections: wanted.min(possible),
        connections_per_peer: usize::try_from(settings.connections_per_peer).unwrap_or(usize::MAX),
        header_timeout: settings.header_timeout,
        send_timeout: settings.send_timeout,
    }
}

/// Files that the process may have open, once that is as many as it may have; none: no limit.
fn raised_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files cannot be raised");
            limit.current
        }
    }
}

/// Connections that fit beside the other files; at least half of the files are theirs.
fn possible(files: Option<u64>) -> usize {
    files.map_or(usize::MAX, |files| {
        let connections = files.saturating_sub(OTHER_FILES).max(files / 2);
        usize::try_from(connections).unwrap_or(usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(possible(None), usize::MAX);
        assert_eq!(possible(Some(4096)), 3584);
        assert_eq!(possible(Some(600)), 300);
    }
}
