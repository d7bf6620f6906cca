//! The system calls layer: seccomp filters on every thread of this process.
//!
//! A list of what is refused, not of what is allowed. Graphics drivers of vendors we never saw
//! make calls we cannot list, and a render that dies of a harmless call on one vendor's card is
//! worse than what a list of refusals leaves open once files, network and privileges are gone.
//! What such a list usually misses is closed here: every call that is newer than this file, and
//! every call through another architecture's numbers.
//!
//! A refused call fails with `EPERM`, as it does for any process without rights: libraries
//! expect that. Only a call by a foreign architecture's table ends the process.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads, sock_filter,
};

/// Refused whatever their arguments.
const REFUSED: &[c_long] = &[
    // Other programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Connections. Pairs of sockets lead nowhere, and stay.
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // Other processes' memory, descriptors and fate.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_kcmp,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_rt_tgsigqueueinfo,
    // What Landlock does not watch: who may use a file, and when it changed.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // Its older versions do not watch this one either.
    libc::SYS_truncate,
    // The file system's shape, and ways round it.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_quotactl,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    // Parts of the kernel that drivers of pictures and sound do not need.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_personality,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    // The machine's.
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Identity.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
];

/// What other architectures have dropped.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_modify_ldt,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS_lookup_dcookie,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[c_long] = &[];

/// The newest call known when the list above was written. Later ones, and those with the
/// x32 bit, fail with the error of a kernel that does not have them.
const NEWEST: c_long = libc::SYS_mseal;

/// Puts the filters on all threads, for good.
pub(super) fn refuse() -> Result<String, String> {
    let rules = rules().map_err(|error| format!("seccomp rules: {error}"))?;
    let refused = rules.len();
    let mut programs = vec![unknown_calls()];
    for (rules, error) in [
        (rules, libc::EPERM),
        // The C library then asks with `clone`, whose flags a filter can see.
        (
            BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
            libc::ENOSYS,
        ),
    ] {
        let program = compile(rules, error).map_err(|error| format!("seccomp rules: {error}"))?;
        programs.push(program);
    }
    for program in &programs {
        apply_filter_all_threads(program).map_err(|error| format!("seccomp: {error}"))?;
    }
    Ok(format!(
        "seccomp refuses {refused} calls and those it does not know"
    ))
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

fn compile(rules: Rules, error: i32) -> Result<BpfProgram, seccompiler::BackendError> {
    let refused = SeccompAction::Errno(error.unsigned_abs());
    let arch = TargetArch::try_from(ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, refused, arch)?.try_into()
}

fn rules() -> Result<Rules, seccompiler::BackendError> {
    let own = u64::from(std::process::id());
    let mut rules: Rules = REFUSED
        .iter()
        .chain(REFUSED_HERE)
        .map(|call| (*call, Vec::new()))
        .collect();
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let int = SeccompCmpArgLen::Dword;
    let ne = SeccompCmpOp::Ne;
    // A new process; a new thread stays possible.
    let is_process = condition(0, int.clone(), SeccompCmpOp::MaskedEq(thread), 0)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![is_process])?]);
    // Signals to anyone else.
    for call in [libc::SYS_kill, libc::SYS_tgkill, libc::SYS_rt_sigqueueinfo] {
        let others = condition(0, int.clone(), ne.clone(), own)?;
        rules.insert(call, vec![SeccompRule::new(vec![others])?]);
    }
    // Limits, and shares of the processor, of anyone else; 0 is the caller itself.
    let own_limits = vec![
        condition(0, int.clone(), ne.clone(), 0)?,
        condition(0, int.clone(), ne.clone(), own)?,
    ];
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(own_limits)?]);
    for (call, argument) in [
        (libc::SYS_sched_setaffinity, 0),
        (libc::SYS_sched_setscheduler, 0),
        (libc::SYS_sched_setparam, 0),
        (libc::SYS_sched_setattr, 0),
        (libc::SYS_setpriority, 1),
        (libc::SYS_ioprio_set, 1),
    ] {
        let others = condition(argument, int.clone(), ne.clone(), 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![others])?]);
    }
    // Outliving the parent, and moving its own program about.
    let options = [libc::PR_SET_PDEATHSIG, libc::PR_SET_MM];
    let options = options.map(|option| equals(0, option.unsigned_abs()));
    rules.insert(
        libc::SYS_prctl,
        options.into_iter().collect::<Result<_, _>>()?,
    );
    // Input into another process's terminal.
    let requests = [libc::TIOCSTI, libc::TIOCLINUX];
    let requests = requests.map(|request| equals(1, u32::try_from(request).unwrap_or(u32::MAX)));
    rules.insert(
        libc::SYS_ioctl,
        requests.into_iter().collect::<Result<_, _>>()?,
    );
    Ok(rules)
}

fn equals(argument: u8, value: u32) -> Result<SeccompRule, seccompiler::BackendError> {
    let length = SeccompCmpArgLen::Dword;
    SeccompRule::new(vec![condition(
        argument,
        length,
        SeccompCmpOp::Eq,
        u64::from(value),
    )?])
}

fn condition(
    argument: u8,
    length: SeccompCmpArgLen,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, length, operator, value)
}

/// Four instructions by hand, because rules by number cannot express "above": load the number, and
/// answer `ENOSYS` beyond the newest known one.
fn unknown_calls() -> BpfProgram {
    let instruction = |code: u32, jt, jf, k| sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    let newest = u32::try_from(NEWEST).unwrap_or(u32::MAX);
    let no_such_call = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    vec![
        // The number is the first field of `seccomp_data`.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, 0, 1, newest),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, no_such_call),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_compile_for_both_architectures() {
        for arch in [TargetArch::x86_64, TargetArch::aarch64] {
            let action = SeccompAction::Errno(1);
            let filter =
                SeccompFilter::new(rules().unwrap(), SeccompAction::Allow, action, arch).unwrap();
            let program: BpfProgram = filter.try_into().unwrap();
            assert!(program.len() > REFUSED.len());
        }
    }

    #[test]
    fn every_call_of_the_list_is_one_that_the_filter_for_unknown_ones_lets_through_to_it() {
        for call in rules().unwrap().keys() {
            assert!(*call <= NEWEST, "{call}");
        }
    }
}
