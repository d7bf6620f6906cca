//! What a download may cost.

use std::time::Duration;

/// What a download may cost.
#[derive(Debug, Clone)]
pub struct FetchLimits {
    /// Largest source in bytes.
    pub bytes: u64,
    /// For making a connection.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// For one source, retries included.
    pub total: Duration,
    /// Tries per source; one that brings a good piece of it is not counted.
    pub tries: u32,
    /// Before the second try; doubled for each further one.
    pub backoff: Duration,
    /// Redirects followed.
    pub redirects: usize,
    /// Bytes a second that must come in every `rate_window`; 0: any rate will do.
    pub min_rate: u64,
    /// Over which a rate is measured.
    pub rate_window: Duration,
    /// Downloads at once, over all jobs of this node.
    pub downloads: usize,
}

/// Defaults of a server that means well and a network that mostly works.
impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            bytes: 5 << 30,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(3600),
            tries: 3,
            backoff: Duration::from_millis(500),
            redirects: 5,
            min_rate: 64 << 10,
            rate_window: Duration::from_secs(30),
            downloads: 64,
        }
    }
}
