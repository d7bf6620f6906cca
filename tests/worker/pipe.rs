//! The worker process as its parent sees it: `framelane worker` over real pipes.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actors::protocol::{FromWorker, VERSION, read_message};

fn worker() -> Child {
    Command::new(env!("CARGO_BIN_EXE_framelane"))
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the worker starts")
}

fn ready(child: &mut Child) {
    let output = child.stdout.as_mut().expect("its stdout is a pipe");
    let first: Option<FromWorker> = read_message(output).expect("a message");
    assert_eq!(first, Some(FromWorker::Ready { version: VERSION }));
}

/// Whether it ended well, within a deadline.
fn ended_well(mut child: Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().expect("its status") {
            return status.success();
        }
        if Instant::now() > deadline {
            child.kill().expect("it can be killed");
            panic!("the worker did not end");
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn a_worker_ends_when_its_stdin_closes() {
    let mut child = worker();
    ready(&mut child);
    drop(child.stdin.take());
    assert!(ended_well(child));
}

#[test]
fn a_worker_that_is_sent_garbage_ends_with_an_error() {
    let mut child = worker();
    ready(&mut child);
    let mut input = child.stdin.take().expect("its stdin is a pipe");
    input
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .expect("it reads");
    assert!(!ended_well(child));
}
