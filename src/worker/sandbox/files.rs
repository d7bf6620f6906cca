//! The files layer: Landlock rules for this process. Everything that is not named here cannot
//! be opened, made, renamed or removed; TCP and signals to others are refused too where the kernel
//! is new enough.
//!
//! Landlock does not watch `stat`, `chmod`, `chown`, `utimes` and extended attributes: the
//! system calls layer refuses those that change something.

use std::env;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::Policy;

/// The newest version whose rights are known here; an older kernel gives what it has.
const KNOWN: ABI = ABI::V6;

/// Where libraries, their plugins and their data are.
const LIBRARIES: [&str; 7] = [
    "/usr",
    "/lib",
    "/lib64",
    "/lib32",
    "/opt",
    "/nix/store",
    "/gnu/store",
];

/// What loaders and drivers read: which libraries there are, which cards, which processor.
const READABLE: [&str; 22] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/vulkan",
    "/etc/glvnd",
    "/etc/drirc",
    "/etc/nvidia",
    "/etc/localtime",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/devices",
    "/proc/filesystems",
    "/proc/sys/vm/overcommit_memory",
    "/proc/driver/nvidia",
    "/sys/devices",
    "/sys/class",
    "/sys/bus",
    "/sys/dev",
    "/sys/module",
    "/dev/random",
];

/// Devices to read and write; `nvidia*` are found by name.
const DEVICES: [&str; 7] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/urandom",
    "/dev/dri",
    "/dev/kfd",
    "/dev/nvidia-caps",
];

/// Variables that lead to libraries in other places.
const LIBRARY_VARIABLES: [&str; 9] = [
    "LD_LIBRARY_PATH",
    "GST_PLUGIN_PATH",
    "GST_PLUGIN_PATH_1_0",
    "GST_PLUGIN_SYSTEM_PATH",
    "GST_PLUGIN_SYSTEM_PATH_1_0",
    "LIBGL_DRIVERS_PATH",
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "VK_LAYER_PATH",
];

/// Confines this process, which must have one thread.
pub(super) fn restrict(policy: &Policy) -> Result<String, String> {
    let status = ruleset(policy)
        .and_then(|rules| rules.no_new_privs(true).restrict_self())
        .map_err(|error| format!("Landlock: {error}"))?;
    match (status.ruleset, status.landlock) {
        (
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
            LandlockStatus::Available { effective_abi, .. },
        ) => {
            let version = effective_abi as u32;
            let mut detail = format!("Landlock ABI {version}");
            if version < ABI::V4 as u32 {
                detail.push_str(", without its network rules");
            } else if version < ABI::V6 as u32 {
                detail.push_str(", without its signal rules");
            }
            Ok(detail)
        }
        (_, LandlockStatus::NotEnabled) => {
            Err("the kernel has Landlock, but it was not enabled at boot".to_owned())
        }
        _ => Err("the kernel has no Landlock".to_owned()),
    }
}

fn ruleset(policy: &Policy) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        // Without the right to execute: nothing is started, and mapping code needs none.
        .add_rules(path_beneath_rules(libraries(), read))?
        .add_rules(path_beneath_rules(readable(policy), read))?
        .add_rules(path_beneath_rules(devices(), device | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(&policy.output, working()))
}

/// For the directory of outputs: files, and nothing that could lead elsewhere. No links, no
/// directories, and nothing moved in or out.
fn working() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
}

fn libraries() -> Vec<PathBuf> {
    let named = LIBRARY_VARIABLES.iter().filter_map(env::var_os);
    let named = named.flat_map(|value| env::split_paths(&value).collect::<Vec<_>>());
    let mut places: Vec<_> = LIBRARIES.iter().map(PathBuf::from).collect();
    // Relative or empty entries would open the working directory to it.
    places.extend(named.filter(|path| path.is_absolute() && path != Path::new("/")));
    places
}

fn readable(policy: &Policy) -> Vec<PathBuf> {
    let mut places: Vec<_> = READABLE.iter().map(PathBuf::from).collect();
    places.extend(policy.input.clone());
    places.extend(policy.registry.clone());
    places
}

fn devices() -> Vec<PathBuf> {
    let mut places: Vec<_> = DEVICES.iter().map(PathBuf::from).collect();
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let cards = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"nvidia"));
    places.extend(cards.map(|entry| entry.path()));
    places
}
