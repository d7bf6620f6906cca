//! A worker child for tests: speaks the protocol, renders nothing. Its order is one line an
//! output: the number of frames, then tricks. Arguments: `never-ready` and `crash` spoil
//! the start, `version` announces a wrong one.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use actors::protocol::{FromWorker, ToWorker, VERSION, read_message, write_message};
use cluster::model::Failure;

/// One frame's time.
const FRAME: Duration = Duration::from_millis(4);

fn main() {
    let start = std::env::args().nth(1).unwrap_or_default();
    match start.as_str() {
        "never-ready" => wait_for_end(),
        "crash" => std::process::exit(3),
        _ => {}
    }
    let version = if start == "version" {
        VERSION + 1
    } else {
        VERSION
    };
    let (sender, orders) = channel();
    std::thread::spawn(move || {
        while let Ok(Some(message)) = read_message::<ToWorker>(&mut io::stdin().lock()) {
            if sender.send(message).is_err() {
                return;
            }
        }
        // Our parent is gone.
        std::process::exit(0);
    });
    send(&FromWorker::Ready { version });
    while let Ok(message) = orders.recv() {
        if let ToWorker::Run { order } = message {
            run(&String::from_utf8_lossy(&order), &orders);
            send(&FromWorker::Ready { version });
        }
    }
}

fn run(order: &str, orders: &Receiver<ToWorker>) {
    let mut end = u32::MAX;
    for (output, line) in (0u32..).zip(order.lines()) {
        let mut fields = line.split(' ');
        let frames: u64 = fields
            .next()
            .and_then(|field| field.parse().ok())
            .unwrap_or(0);
        let trick = fields.next().unwrap_or_default();
        for frame in 0..frames {
            let wait = if trick == "slow" { FRAME * 50 } else { FRAME };
            if let Ok(ToWorker::StopBefore { output }) = orders.recv_timeout(wait) {
                end = end.min(output);
            }
            if output >= end {
                send(&FromWorker::Finished);
                return;
            }
            match trick {
                "die" if frame * 2 >= frames => std::process::abort(),
                "hang" if frame * 2 >= frames => wait_for_end(),
                "fail" if frame * 2 >= frames => {
                    let failure = Failure {
                        code: "invalid_source".to_owned(),
                        message: "ordered to fail".to_owned(),
                        path: None,
                        permanent: true,
                    };
                    send(&FromWorker::Failed { output, failure });
                    return;
                }
                _ => {}
            }
            send(&FromWorker::Progress {
                output,
                units: frame + 1,
            });
        }
        send(&FromWorker::Output {
            output,
            body: b"made".to_vec(),
        });
    }
    send(&FromWorker::Finished);
}

/// Waits until killed and ignores all messages.
fn wait_for_end() -> ! {
    let mut rest = Vec::new();
    // Reads to the end of stdin, which only comes with the end of the parent.
    let _ = io::stdin().lock().read_to_end(&mut rest);
    std::process::exit(0)
}

fn send(message: &FromWorker) {
    let mut output = io::stdout().lock();
    if write_message(&mut output, message).is_err() || output.flush().is_err() {
        std::process::exit(0);
    }
}
