//! Everything a taken over decoder might try, once each.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::ptr::null_mut;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde::{Deserialize, Serialize};

/// What to try it on.
#[derive(Debug, Deserialize)]
pub(crate) struct Targets {
    /// A file of the server's.
    pub(crate) secret: PathBuf,
    /// A file that may be read.
    pub(crate) input: PathBuf,
    /// The directory that may be written to.
    pub(crate) output: PathBuf,
    /// The address of a listener.
    pub(crate) tcp: SocketAddr,
    /// The address of a receiver.
    pub(crate) udp: SocketAddr,
    /// A local socket.
    pub(crate) socket: PathBuf,
    /// The process to attack.
    pub(crate) victim: i32,
    /// Also what would harm the machine if it were possible.
    pub(crate) harmful: bool,
}

/// What came of one attempt.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    what: &'static str,
    refused: bool,
    detail: String,
}

/// A call that fails for another reason than that it may not be made was not refused.
fn outcome<T>(what: &'static str, result: io::Result<T>) -> Outcome {
    const REFUSALS: [i32; 5] = [
        libc::EPERM,
        libc::EACCES,
        libc::ENOSYS,
        libc::EXDEV,
        libc::ENOMEM,
    ];
    let error = result.err();
    let number = error.as_ref().and_then(io::Error::raw_os_error);
    Outcome {
        what,
        refused: number.is_some_and(|number| REFUSALS.contains(&number)),
        detail: error.map_or_else(|| "done".to_owned(), |error| error.to_string()),
    }
}

/// A system call that must fail.
fn call(number: libc::c_long, arguments: [i64; 5]) -> io::Result<()> {
    let [a, b, c, d, e] = arguments;
    #[expect(unsafe_code, reason = "the attack is the call itself")]
    // SAFETY: every caller passes numbers, or null pointers where the call takes pointers.
    let result = unsafe { libc::syscall(number, a, b, c, d, e) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Tries to be two. The second one ends at once.
pub(crate) fn fork() -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library does not fork")]
    // SAFETY: the new process, if there is one, does nothing but end.
    unsafe {
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => libc::_exit(0),
            child => {
                libc::waitpid(child, null_mut(), 0);
                Ok(())
            }
        }
    }
}

/// Connects, giving up after a while.
pub(crate) fn connect(to: SocketAddr) -> io::Result<()> {
    TcpStream::connect_timeout(&to, Duration::from_secs(2)).map(drop)
}

pub(crate) fn all(targets: &Targets) -> Vec<Outcome> {
    let mut outcomes = files(targets);
    outcomes.extend(connections(targets));
    outcomes.extend(processes(targets));
    if targets.harmful {
        outcomes.extend(others(targets));
        outcomes.extend(kernel());
        outcomes.extend(memory());
        // The last: a success would leave nothing of this program.
        let program = Command::new("/bin/true").exec();
        outcomes.push(outcome::<()>("becoming another program", Err(program)));
    }
    outcomes
}

fn files(targets: &Targets) -> Vec<Outcome> {
    let Targets {
        secret,
        input,
        output,
        ..
    } = targets;
    let beside = secret.with_extension("new");
    let moved = output.join("moved");
    let mut permissions = fs::metadata(secret).map(|about| about.permissions());
    if let Ok(permissions) = &mut permissions {
        permissions.set_readonly(true);
    }
    let all = vec![
        outcome("reading /etc/passwd", fs::read("/etc/passwd")),
        outcome("reading a secret", fs::read(secret)),
        outcome("listing the root", fs::read_dir("/")),
        outcome(
            "overwriting a secret",
            OpenOptions::new().append(true).open(secret),
        ),
        outcome("making a file elsewhere", File::create(&beside)),
        outcome(
            "closing a secret to its owner",
            permissions.and_then(|permissions| fs::set_permissions(secret, permissions)),
        ),
        outcome(
            "writing an input",
            OpenOptions::new().append(true).open(input),
        ),
        outcome("a second name for an input", fs::hard_link(input, &moved)),
        outcome("moving an input away", fs::rename(input, &moved)),
        outcome("removing an input", fs::remove_file(input)),
        outcome(
            "a link",
            std::os::unix::fs::symlink(secret, output.join("link")),
        ),
        outcome("a directory", fs::create_dir(output.join("directory"))),
        outcome(
            "making a device",
            mknodat(
                CWD,
                output.join("device"),
                FileType::CharacterDevice,
                Mode::RWXU,
                259,
            )
            .map_err(io::Error::from),
        ),
    ];
    // What a run of this without a sandbox leaves, so that it can be run again.
    let _ = fs::remove_file(beside);
    all
}

fn connections(targets: &Targets) -> Vec<Outcome> {
    let datagram = UdpSocket::bind("127.0.0.1:0").and_then(|socket| {
        socket.send_to(b"stolen", targets.udp)?;
        Ok(())
    });
    let mut all = vec![
        outcome("connecting to loopback", connect(targets.tcp)),
        outcome("sending a datagram", datagram),
        outcome(
            "connecting to a local socket",
            UnixStream::connect(&targets.socket),
        ),
    ];
    if targets.harmful {
        let outside = SocketAddr::from(([1, 1, 1, 1], 80));
        all.push(outcome("connecting out", connect(outside)));
        for (what, family, kind) in [
            ("an IPv6 socket", libc::AF_INET6, libc::SOCK_STREAM),
            ("a netlink socket", libc::AF_NETLINK, libc::SOCK_RAW),
            ("a packet socket", libc::AF_PACKET, libc::SOCK_RAW),
            ("a vsock socket", libc::AF_VSOCK, libc::SOCK_STREAM),
        ] {
            let arguments = [i64::from(family), i64::from(kind), 0, 0, 0];
            all.push(outcome(what, call(libc::SYS_socket, arguments)));
        }
    }
    all
}

fn processes(targets: &Targets) -> Vec<Outcome> {
    let forks = (0..1000).filter(|_| fork().is_ok()).count();
    let mut all = vec![
        Outcome {
            what: "forking 1,000 times",
            refused: forks == 0,
            detail: format!("{forks} forks"),
        },
        outcome(
            "starting a program",
            Command::new("/bin/true")
                .spawn()
                .and_then(|mut child| child.wait()),
        ),
    ];
    if targets.harmful {
        #[cfg(target_arch = "x86_64")]
        all.push(outcome("vfork", call(libc::SYS_vfork, [0; 5])));
        let signal = i64::from(libc::SIGCHLD);
        all.push(outcome(
            "clone",
            call(libc::SYS_clone, [signal, 0, 0, 0, 0]),
        ));
        all.push(outcome("clone3", call(libc::SYS_clone3, [0, 88, 0, 0, 0])));
        let pdeath = i64::from(libc::PR_SET_PDEATHSIG);
        all.push(outcome(
            "outliving the parent",
            call(libc::SYS_prctl, [pdeath, 0, 0, 0, 0]),
        ));
    }
    all
}

/// On the process that started this one.
fn others(targets: &Targets) -> Vec<Outcome> {
    let victim = i64::from(targets.victim);
    let seize = i64::from(libc::PTRACE_SEIZE);
    let of = |pid: i64, name: &str| fs::read(format!("/proc/{pid}/{name}"));
    let memory = OpenOptions::new()
        .read(true)
        .write(true)
        .open(format!("/proc/{victim}/mem"));
    let files = i64::from(libc::RLIMIT_NOFILE);
    vec![
        outcome("tracing", call(libc::SYS_ptrace, [seize, victim, 0, 0, 0])),
        outcome(
            "reading memory",
            call(libc::SYS_process_vm_readv, [victim, 0, 0, 0, 0]),
        ),
        outcome("opening memory", memory),
        outcome("reading the victim's environment", of(victim, "environ")),
        outcome("reading init's environment", of(1, "environ")),
        outcome(
            "looking for the victim",
            call(libc::SYS_kill, [victim, 0, 0, 0, 0]),
        ),
        outcome(
            "signalling everyone",
            call(libc::SYS_kill, [-1, 0, 0, 0, 0]),
        ),
        outcome(
            "signalling a thread",
            call(libc::SYS_tgkill, [victim, victim, 0, 0, 0]),
        ),
        outcome(
            "a handle on the victim",
            call(libc::SYS_pidfd_open, [victim, 0, 0, 0, 0]),
        ),
        outcome(
            "limiting the victim",
            call(libc::SYS_prlimit64, [victim, files, 0, 0, 0]),
        ),
        outcome(
            "slowing the victim",
            call(libc::SYS_setpriority, [0, victim, 19, 0, 0]),
        ),
    ]
}

fn kernel() -> Vec<Outcome> {
    let user = i64::from(libc::CLONE_NEWUSER);
    let calls: [(&str, libc::c_long, [i64; 5]); 14] = [
        ("a user namespace", libc::SYS_unshare, [user, 0, 0, 0, 0]),
        ("mounting", libc::SYS_mount, [0; 5]),
        ("another root", libc::SYS_chroot, [0; 5]),
        ("bpf", libc::SYS_bpf, [0; 5]),
        ("io_uring", libc::SYS_io_uring_setup, [1, 0, 0, 0, 0]),
        ("userfaultfd", libc::SYS_userfaultfd, [1, 0, 0, 0, 0]),
        ("perf", libc::SYS_perf_event_open, [0; 5]),
        ("keys", libc::SYS_keyctl, [0; 5]),
        ("a module", libc::SYS_init_module, [0; 5]),
        ("a file by handle", libc::SYS_open_by_handle_at, [0; 5]),
        ("another personality", libc::SYS_personality, [0; 5]),
        ("a capability", libc::SYS_capset, [0; 5]),
        (
            "shared memory by key",
            libc::SYS_shmget,
            [0, 4096, 0o1600, 0, 0],
        ),
        ("a call of tomorrow", 900, [0; 5]),
    ];
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(unused_mut, reason = "one more below")
    )]
    let mut all: Vec<_> = calls
        .into_iter()
        .map(|(what, number, arguments)| outcome(what, call(number, arguments)))
        .collect();
    // The same call by the numbers of the x32 table: a filter by number alone overlooks it.
    #[cfg(target_arch = "x86_64")]
    all.push(outcome(
        "a call by another table",
        call(0x4000_0000 + libc::SYS_getpid, [0; 5]),
    ));
    all
}

fn memory() -> Vec<Outcome> {
    const TOO_MUCH: usize = 16 << 30;
    let mut vector: Vec<u8> = Vec::new();
    let private = vector.try_reserve_exact(TOO_MUCH);
    if private.is_ok() {
        vector.resize(TOO_MUCH, 1);
    }
    let private = private.map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM));
    #[expect(unsafe_code, reason = "the standard library has no shared memory")]
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing there is.
    let shared = unsafe {
        libc::mmap(
            null_mut(),
            TOO_MUCH,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    let shared = if shared == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    };
    // Piece by piece, as a leak would.
    let piece = || {
        let mut piece: Vec<u8> = Vec::new();
        piece.try_reserve_exact(1 << 26).ok().map(|()| piece)
    };
    let most = TOO_MUCH >> 26;
    let pieces: Vec<_> = (0..most).map_while(|_| piece()).collect();
    vec![
        outcome("16 GiB of private memory", private),
        outcome("16 GiB of shared memory", shared),
        Outcome {
            what: "16 GiB in pieces",
            refused: pieces.len() < most,
            detail: format!("after {} pieces of 64 MiB", pieces.len()),
        },
    ]
}
