//! Starts a program that can connect to one port and write to one directory, and to nothing
//! else, as far as the kernel can see to that (Landlock: files from Linux 5.13 on,
//! connections from 6.7 on). Where it cannot, the program's own settings have to do.

use std::io;
use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, NetPort, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, path_beneath_rules,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

/// The newest rules that are used here; an older kernel enforces those it has.
const RULES: ABI = ABI::V5;

/// What is left open.
#[derive(Debug, Clone)]
pub(super) struct Fence {
    /// The only port that can be connected to.
    pub(super) port: u16,
    /// The only directory that can be written to, beside `/dev`.
    pub(super) directory: PathBuf,
    /// Most bytes in one file.
    pub(super) file_bytes: u64,
    /// Most bytes of memory.
    pub(super) memory_bytes: u64,
}

/// A process group; killed when this is dropped.
#[derive(Debug)]
pub(super) struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // No process may be left in it.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

/// Starts `command` within `fence`, as the head of a process group.
pub(super) async fn start(mut command: Command, fence: Fence) -> io::Result<(Child, Group)> {
    command.process_group(0);
    let runtime = Handle::current();
    // Landlock holds a thread and the processes it starts, for good: a thread for this alone.
    let starting = std::thread::Builder::new()
        .name("fence".to_owned())
        .spawn(move || {
            let _within = runtime.enter();
            restrict(&fence).map_err(io::Error::other)?;
            let child = command.spawn()?;
            let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
            let pid = pid.ok_or_else(|| io::Error::other("it has ended already"))?;
            let group = Group(pid);
            limit(pid, Resource::Fsize, fence.file_bytes)?;
            limit(pid, Resource::Data, fence.memory_bytes)?;
            limit(pid, Resource::Core, 0)?;
            Ok((child, group))
        })?;
    let started = tokio::task::spawn_blocking(move || starting.join()).await?;
    started.unwrap_or_else(|_| Err(io::Error::other("its starter panicked")))
}

fn restrict(fence: &Fence) -> Result<(), RulesetError> {
    let writes = AccessFs::from_write(RULES);
    let open = [fence.directory.as_path(), "/dev".as_ref()];
    Ruleset::default()
        .handle_access(writes)?
        .handle_access(AccessNet::from_all(RULES))?
        .create()?
        .add_rules(path_beneath_rules(open, writes))?
        .add_rule(NetPort::new(fence.port, AccessNet::ConnectTcp))?
        .restrict_self()?;
    Ok(())
}

fn limit(pid: Pid, resource: Resource, most: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    prlimit(Some(pid), resource, limit)?;
    Ok(())
}
