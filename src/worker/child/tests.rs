//! The child's side of the protocol over a real pair of sockets.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use actors::protocol::{FromWorker, ToWorker, VERSION, read_message, write_message};
use cluster::model::Failure;

use super::{Run, ServeError, serve};
use crate::worker::failure;
use crate::worker::order::{self, Made};

/// A child in a thread, with its parent's ends in hand.
struct Parent {
    to_child: UnixStream,
    from_child: UnixStream,
    child: JoinHandle<Result<(), ServeError>>,
    orphaned: Receiver<()>,
}

impl Parent {
    fn start(work: impl FnMut(&[u8], &Run) -> Result<(), Failure> + Send + 'static) -> Self {
        let (to_child, input) = UnixStream::pair().unwrap();
        let (from_child, output) = UnixStream::pair().unwrap();
        from_child
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let (notify, orphaned) = mpsc::channel();
        let child = std::thread::spawn(move || {
            serve(input, output, work, move || {
                let _ = notify.send(());
            })
        });
        let mut parent = Self {
            to_child,
            from_child,
            child,
            orphaned,
        };
        assert_eq!(parent.next(), FromWorker::Ready { version: VERSION });
        parent
    }

    fn run(&mut self, order: &[u8]) {
        let order = order.to_vec();
        write_message(&mut self.to_child, &ToWorker::Run { order }).unwrap();
    }

    fn next(&mut self) -> FromWorker {
        read_message(&mut self.from_child)
            .unwrap()
            .expect("the child ended")
    }

    /// The next message that is not progress.
    fn event(&mut self) -> FromWorker {
        loop {
            match self.next() {
                FromWorker::Progress { .. } => {}
                other => return other,
            }
        }
    }
}

fn made(name: &str) -> Made {
    Made::Audio { file: name.into() }
}

/// Makes outputs for as long as it is given permission.
fn permitted(permits: Receiver<()>) -> impl FnMut(&[u8], &Run) -> Result<(), Failure> + Send {
    move |_, run| {
        for output in 0..10 {
            if !run.begin(output) {
                return Ok(());
            }
            run.advance(7);
            permits.recv().map_err(|_| failure::engine("no permit"))?;
            run.made(&made("x"))?;
        }
        Ok(())
    }
}

fn permit() -> (Sender<()>, Receiver<()>) {
    mpsc::channel()
}

#[test]
fn a_run_says_its_progress_its_outputs_and_its_end() {
    let (permits, wait) = permit();
    let mut parent = Parent::start(permitted(wait));
    parent.run(b"");
    assert_eq!(
        parent.next(),
        FromWorker::Progress {
            output: 0,
            units: 7
        }
    );
    for output in 0..10 {
        permits.send(()).unwrap();
        let body = order::encode(&made("x")).unwrap();
        assert_eq!(parent.event(), FromWorker::Output { output, body });
    }
    assert_eq!(parent.event(), FromWorker::Finished);
    assert_eq!(parent.next(), FromWorker::Ready { version: VERSION });
    drop(parent.to_child);
    parent.child.join().unwrap().unwrap();
}

#[test]
fn a_stop_ends_the_run_before_that_output_and_not_the_next_run() {
    let (permits, wait) = permit();
    let mut parent = Parent::start(permitted(wait));
    parent.run(b"");
    parent.next();
    write_message(&mut parent.to_child, &ToWorker::StopBefore { output: 1 }).unwrap();
    // A second look at the progress: the stop was sent before it, and is read in the meantime.
    parent.next();
    permits.send(()).unwrap();
    assert!(matches!(
        parent.event(),
        FromWorker::Output { output: 0, .. }
    ));
    assert_eq!(parent.event(), FromWorker::Finished);
    assert_eq!(parent.event(), FromWorker::Ready { version: VERSION });
    parent.run(b"");
    for output in 0..2 {
        permits.send(()).unwrap();
        assert!(matches!(parent.event(), FromWorker::Output { output: o, .. } if o == output));
    }
}

#[test]
fn a_failure_names_its_output_and_the_child_lives_on() {
    let mut parent = Parent::start(|_, run| {
        run.begin(0);
        run.made(&made("x"))?;
        run.begin(1);
        Err(failure::permanent(
            "invalid_source",
            "no",
            Some("elements[0]"),
        ))
    });
    for _ in 0..2 {
        parent.run(b"");
        assert!(matches!(
            parent.event(),
            FromWorker::Output { output: 0, .. }
        ));
        let FromWorker::Failed { output: 1, failure } = parent.event() else {
            panic!("no failure of output 1");
        };
        assert_eq!(failure.code, "invalid_source");
        assert_eq!(parent.event(), FromWorker::Ready { version: VERSION });
    }
}

#[test]
fn a_panic_is_reported_and_ends_the_child() {
    let mut parent = Parent::start(|_, _| panic!("torn"));
    parent.run(b"");
    let FromWorker::Failed { failure, .. } = parent.event() else {
        panic!("no failure");
    };
    assert!(failure.message.contains("torn"), "{failure:?}");
    assert!(!failure.permanent);
    assert!(matches!(
        parent.child.join().unwrap(),
        Err(ServeError::Panicked)
    ));
}

#[test]
fn garbage_ends_the_child_with_an_error() {
    let mut parent = Parent::start(|_, _| Ok(()));
    parent
        .to_child
        .write_all(b"GET / HTTP/1.1\r\n\r\n")
        .unwrap();
    assert!(matches!(
        parent.child.join().unwrap(),
        Err(ServeError::Protocol(_))
    ));
    assert!(parent.orphaned.try_recv().is_err(), "nothing was going on");
}

#[test]
fn a_parent_that_goes_in_the_middle_of_a_run_orphans_the_child() {
    let (permits, wait) = permit();
    let mut parent = Parent::start(permitted(wait));
    parent.run(b"");
    parent.next();
    drop(parent.to_child);
    parent
        .orphaned
        .recv_timeout(Duration::from_secs(20))
        .unwrap();
    drop(permits);
}
