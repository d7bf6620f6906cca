//! The settings of a worker process, passed through its environment: its stdin and stdout
//! belong to the protocol, and its arguments show in process lists.
//!
//! The environment holds nothing else of the server's: a server's variables have secrets in them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::sandbox::{Mode, Policy};
use super::scratch::SlotDirs;

/// The environment variable that holds [`WorkerSettings`] as JSON.
pub const VARIABLE: &str = "FRAMELANE_WORKER";

/// What libraries, loaders and drivers are steered by; passed on from the server's environment.
const INHERITED: [&str; 13] = [
    "PATH",
    "HOME",
    "TZ",
    "LANG",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_DATA_DIRS",
    "RUST_BACKTRACE",
    "LD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
    "CUDA_VISIBLE_DEVICES",
    "DRI_PRIME",
    "ORC_CODE",
];

/// Families of such variables.
const INHERITED_PREFIXES: [&str; 10] = [
    "LC_", "GST_", "VK_", "MESA_", "LIBGL_", "GALLIUM_", "LP_", "NVIDIA_", "RADV_", "__GLX_",
];

/// A worker's settings, the same for every worker of a node: they are part of what its output
/// depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerSettings {
    /// `render.adapter`: `auto`, or part of an adapter's name.
    pub adapter: String,
    /// Largest picture of a source, in pixels.
    pub pixels: u64,
    /// `render.sandbox`.
    pub sandbox: Mode,
    /// Private memory in bytes; 0: no limit.
    pub memory: u64,
    /// Address space in bytes; 0: no limit.
    pub address_space: u64,
    /// Where the slots' directories are.
    pub scratch: Option<PathBuf>,
    /// The media library's list of its plugins: made once by the node, read by every worker.
    pub registry: Option<PathBuf>,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            adapter: "auto".to_owned(),
            pixels: 33_177_600,
            sandbox: Mode::Auto,
            memory: 0,
            address_space: 0,
            scratch: None,
            registry: None,
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

    /// The whole environment of a process that finds out what the machine has, and may leave
    /// the list of plugins behind.
    pub fn environment(&self) -> Vec<(String, String)> {
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut variables: Vec<_> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| is_inherited(name))
            .collect();
        variables.push((VARIABLE.to_owned(), json));
        // One software rasteriser thread a worker: there is a worker a core.
        variables.push(("LP_NUM_THREADS".to_owned(), "1".to_owned()));
        // A join has a thread an input, and without this each thread reserves 64 MiB of address
        // space for allocations of its own, which count against the limit of address space.
        variables.push(("MALLOC_ARENA_MAX".to_owned(), "2".to_owned()));
        if let Some(registry) = self.registry.as_deref().and_then(Path::to_str) {
            variables.push(("GST_REGISTRY".to_owned(), registry.to_owned()));
        }
        variables
    }

    /// The whole environment of a process that renders: the list of plugins is only read, and
    /// a stale one is read anew without another process.
    pub fn slot_environment(&self) -> Vec<(String, String)> {
        let mut variables = self.environment();
        for name in ["GST_REGISTRY_UPDATE", "GST_REGISTRY_FORK"] {
            variables.push((name.to_owned(), "no".to_owned()));
        }
        variables
    }

    /// What a worker of `slot` is left with; without a slot, no directory at all.
    pub fn policy(&self, slot: Option<usize>) -> Policy {
        let dirs = self
            .scratch
            .as_ref()
            .zip(slot)
            .map(|(scratch, slot)| SlotDirs::of(scratch, slot));
        Policy {
            mode: self.sandbox,
            input: dirs.as_ref().map(|dirs| dirs.input.clone()),
            output: dirs.map(|dirs| dirs.output),
            registry: self.registry.clone().or_else(usual_registry),
            memory: self.memory,
            address_space: self.address_space,
        }
    }
}

fn is_inherited(name: &str) -> bool {
    INHERITED.contains(&name)
        || INHERITED_PREFIXES
            .iter()
            .any(|known| name.starts_with(known))
}

/// The directory in which the media library keeps its list by default.
pub fn usual_registry() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Some(cache.or_else(home)?.join("gstreamer-1.0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_secrets_are_not_passed_on() {
        for (name, passed) in [
            ("FRAMELANE__CLUSTER__SECRET", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("LD_PRELOAD", false),
            ("HTTP_PROXY", false),
            ("PATH", true),
            ("GST_PLUGIN_PATH", true),
            ("VK_DRIVER_FILES", true),
            ("LC_ALL", true),
        ] {
            assert_eq!(is_inherited(name), passed, "{name}");
        }
    }
}
