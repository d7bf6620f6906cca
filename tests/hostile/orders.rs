//! What a worker does that a source took over: the source names the attack.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};

use actors::protocol::{FromWorker, write_message};
use cluster::model::{FrameRate, PlanFacts};
use framelane::worker::order::{self, Made, Order};

use crate::attempts;

/// What a source begins with that takes the worker over.
const MARK: &[u8] = b"EVIL ";

/// Carries out the attacks of the order's sources, then lets the order be carried out. What was
/// possible though it must not be ends the run as another failure than that of a bad source.
pub(crate) fn obey(order: &[u8]) {
    let Ok(Order::Prepare(order)) = order::decode(order) else {
        return;
    };
    for source in &order.sources {
        let Ok(bytes) = fs::read(&source.file) else {
            continue;
        };
        let Some(line) = bytes.strip_prefix(MARK) else {
            continue;
        };
        let line = String::from_utf8_lossy(line);
        let (attack, argument) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        evil(attack, argument);
    }
}

fn evil(attack: &str, argument: &str) {
    match attack {
        "passwd" => assert!(fs::read("/etc/passwd").is_err(), "read /etc/passwd"),
        "file" => assert!(fs::read(argument).is_err(), "read {argument}"),
        "connect" => {
            let address: SocketAddr = argument.parse().expect("the test names an address");
            assert!(attempts::connect(address).is_err(), "connected");
        }
        "fork" => {
            let forks = (0..1000).filter(|_| attempts::fork().is_ok()).count();
            assert_eq!(forks, 0, "forked");
        }
        "memory" => {
            // Aborts where it is refused.
            let taken = vec![1_u8; 16 << 30];
            assert!(taken.is_empty(), "had 16 GiB");
        }
        "crash" => std::process::abort(),
        "leave" => std::process::exit(0),
        "hang" => loop {
            std::thread::park();
        },
        "garbage" => to_parent(&mut |pipe| pipe.write_all(&[0xff; 4096])),
        // A file of the server's as its own output.
        "steal" => to_parent(&mut |pipe| {
            let made = Made::Plan {
                plan: argument.into(),
                findings: argument.into(),
                facts: PlanFacts {
                    frames: 30,
                    rate: FrameRate::new(30, 1).expect("30 and 1 are not zero"),
                    segments: Vec::new(),
                    has_audio: false,
                },
            };
            let body = order::encode(&made)?;
            let message = FromWorker::Output { output: 0, body };
            write_message(pipe, &message).map_err(std::io::Error::other)?;
            write_message(pipe, &FromWorker::Finished).map_err(std::io::Error::other)
        }),
        other => panic!("unknown evil `{other}`"),
    }
}

/// Finds the pipe to the parent among the open descriptors, and uses it.
fn to_parent(send: &mut dyn FnMut(&mut File) -> std::io::Result<()>) {
    let names = fs::read_dir("/proc/self/fd").expect("a process sees its own descriptors");
    let open = names.flatten().filter_map(|entry| {
        let number: RawFd = entry.file_name().to_str()?.parse().ok()?;
        let is_pipe = fs::read_link(entry.path())
            .ok()?
            .to_str()?
            .starts_with("pipe:");
        (number > 2 && is_pipe).then_some(number)
    });
    for number in open.collect::<Vec<_>>() {
        #[expect(
            unsafe_code,
            reason = "the descriptor belongs to another part of the process"
        )]
        // SAFETY: it is open: it was just listed, and the pipe lives as long as the process.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        let Ok(copy) = borrowed.try_clone_to_owned() else {
            continue;
        };
        // A pipe for reading refuses; the one for writing is among them.
        let _ = send(&mut File::from(copy));
    }
}
