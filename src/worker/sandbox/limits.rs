//! Resource limits. Memory that runs into its limit fails to be allocated, and the process
//! aborts: one attempt is lost.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Policy;

/// Every video of a composition holds half a dozen descriptors while it is read.
const FILES: u64 = 8192;
/// Three hours at 50 Mbit/s, and half as much again.
const FILE_BYTES: u64 = 100 << 30;

/// Sets them all.
pub(super) fn set(policy: &Policy) -> Result<String, String> {
    let mut limits = vec![
        (Resource::Core, 0),
        (Resource::Nofile, FILES),
        (Resource::Fsize, FILE_BYTES),
        // No locked memory beyond what a page or two of a library needs.
        (Resource::Memlock, 8 << 20),
    ];
    let mut details = Vec::new();
    for (resource, bytes, name) in [
        // What is written to and not shared, so that a driver's reservations don't count.
        (Resource::Data, policy.memory, "private memory"),
        // Shared memory counts here only.
        (Resource::As, policy.address_space, "address space"),
    ] {
        if bytes > 0 {
            limits.push((resource, bytes));
            details.push(format!("{name} {} MiB", bytes >> 20));
        }
    }
    for (resource, most) in limits {
        lower(resource, most).map_err(|error| format!("{resource:?}: {error}"))?;
    }
    details.push(format!("files of {} GiB", FILE_BYTES >> 30));
    details.push("no core dumps".to_owned());
    Ok(details.join(", "))
}

/// Sets a limit for good, unless a tighter one is there already.
fn lower(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let before = getrlimit(resource);
    let tighter = |limit: Option<u64>| Some(limit.map_or(most, |limit| limit.min(most)));
    let new = Rlimit {
        current: tighter(before.current.or(before.maximum)),
        maximum: tighter(before.maximum),
    };
    // Raising the soft limit up to the hard one is as intended: descriptors often need it.
    let current = match resource {
        Resource::Nofile => new.maximum,
        _ => new.current,
    };
    setrlimit(resource, Rlimit { current, ..new })
}
