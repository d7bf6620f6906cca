//! Privileges and the network namespace. Each attempt is for this process alone; what fails
//! leaves the process as it was.

use std::fs;
use std::io;

use rustix::process::{DumpableBehavior, Signal, getegid, geteuid};
use rustix::process::{set_dumpable_behavior, set_parent_process_death_signal};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};
use rustix::thread::{capabilities, set_capabilities, set_no_new_privs};

/// Leaves for a network namespace with nothing in it: with the right to, or by becoming root
/// of a user namespace of one.
pub(super) fn leave_network() -> Result<String, String> {
    if unshare(UnshareFlags::NEWNET).is_ok() {
        return Ok("a network namespace of its own".to_owned());
    }
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET)
        .map_err(|error| format!("no namespace can be made: {error}"))?;
    // Without them the process would have the user `nobody`; they change names, not access.
    let named = fs::write("/proc/self/setgroups", "deny")
        .and_then(|()| fs::write("/proc/self/uid_map", format!("{user} {user} 1")))
        .and_then(|()| fs::write("/proc/self/gid_map", format!("{group} {group} 1")));
    Ok(match named {
        Ok(()) => "a network and a user namespace of its own".to_owned(),
        Err(error) => format!("a network namespace of its own, users unnamed: {error}"),
    })
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    #[expect(unsafe_code, reason = "rustix leaves descriptor tables to its callers")]
    // SAFETY: the flags hold no FILES: descriptors are not shared, as before.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(io::Error::from)
}

/// Gives up every privilege for good, and offers itself when memory runs out.
pub(super) fn drop_all() -> Result<String, String> {
    let failed = |what: &'static str| move |error: rustix::io::Errno| format!("{what}: {error}");
    set_no_new_privs(true).map_err(failed("no_new_privs"))?;
    let held = capabilities(None).map_err(failed("capabilities"))?;
    // A server that runs as root may keep its data below a directory of another
    // user. Landlock bounds what this one right reaches.
    let kept = if geteuid().is_root() {
        held.effective & CapabilitySet::DAC_OVERRIDE
    } else {
        CapabilitySet::empty()
    };
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(failed("capabilities"))?;
    let mut detail = if kept.is_empty() {
        "none held, none to be had".to_owned()
    } else {
        "none but passing over file modes, none to be had".to_owned()
    };
    match fs::write("/proc/self/oom_score_adj", "1000") {
        Ok(()) => detail.push_str("; the first to go when memory runs out"),
        Err(error) => detail.push_str(&format!("; not first to go when memory runs out: {error}")),
    }
    // From here on this process's own files in /proc are root's.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("dumpable"))?;
    // Once more: the kernel forgets it when privileges change.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("death signal"))?;
    Ok(detail)
}
