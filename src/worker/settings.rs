//! What a worker process is told at its start, through its environment: its stdin and stdout
//! belong to the protocol, and its arguments show in process lists.

use serde::{Deserialize, Serialize};

/// The environment variable that holds [`WorkerSettings`] as JSON.
pub const VARIABLE: &str = "FRAMELANE_WORKER";

/// A worker's settings, the same for every worker of a node: they are part of what its output
/// depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerSettings {
    /// `render.adapter`: `auto`, or part of an adapter's name.
    pub adapter: String,
    /// Largest picture of a source, in pixels.
    pub pixels: u64,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            adapter: "auto".to_owned(),
            pixels: 33_177_600,
        }
    }
}

impl WorkerSettings {
    /// The settings this process was started with; the defaults where there are none.
    ///
    /// # Errors
    /// When the variable is there and makes no sense.
    pub fn from_environment() -> Result<Self, serde_json::Error> {
        match std::env::var(VARIABLE) {
            Ok(json) => serde_json::from_str(&json),
            Err(_) => Ok(Self::default()),
        }
    }

    /// What to put in a worker's environment when starting it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let json = serde_json::to_string(self).unwrap_or_default();
        vec![
            (VARIABLE.to_owned(), json),
            // One software rasteriser thread a worker: there is a worker a core.
            ("LP_NUM_THREADS".to_owned(), "1".to_owned()),
        ]
    }
}
