//! A confined process tries everything: all of it must fail, and would not without a sandbox.

use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use cluster::model::Incarnation;
use framelane::worker::sandbox::Mode;
use framelane::worker::scratch::Scratch;
use framelane::worker::settings::WorkerSettings;
use serde_json::{Value, json};

/// The stand-in for a decoder that was taken over.
pub(crate) fn hostile() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a program");
    let target = test.parent().and_then(|deps| deps.parent());
    let program = target
        .expect("it lies in target/*/deps")
        .join("examples/hostile");
    let is_there = program.try_exists().expect("its directory can be read");
    assert!(
        is_there,
        "first: cargo build -p framelane --example hostile"
    );
    program
}

/// Listeners to connect to, and files of others.
struct World {
    data: tempfile::TempDir,
    tcp: TcpListener,
    udp: UdpSocket,
    unix: UnixListener,
}

impl World {
    fn new() -> Result<Self> {
        let data = tempfile::tempdir()?;
        std::fs::write(data.path().join("signing.key"), "secret")?;
        let world = Self {
            tcp: TcpListener::bind("127.0.0.1:0")?,
            udp: UdpSocket::bind("127.0.0.1:0")?,
            unix: UnixListener::bind(data.path().join("socket"))?,
            data,
        };
        world.tcp.set_nonblocking(true)?;
        world.udp.set_nonblocking(true)?;
        world.unix.set_nonblocking(true)?;
        Ok(world)
    }

    /// Has a process with `mode` try everything.
    fn attempts(&self, mode: Mode, harmful: bool) -> Result<Vec<Value>> {
        let scratch = Scratch::open(self.data.path(), Incarnation(1), 1)?;
        let run = scratch.fresh(0, "run")?;
        let input = run.input.join("0");
        std::fs::write(&input, "media")?;
        let targets = json!({
            "secret": self.data.path().join("signing.key"),
            "input": input,
            "output": run.output,
            "tcp": self.tcp.local_addr()?,
            "udp": self.udp.local_addr()?,
            "socket": self.data.path().join("socket"),
            "victim": std::process::id(),
            "harmful": harmful,
        });
        let settings = WorkerSettings {
            sandbox: mode,
            memory: 4 << 30,
            address_space: 6 << 30,
            scratch: Some(scratch.root().to_owned()),
            ..WorkerSettings::default()
        };
        let output = Command::new(hostile())
            .args(["attempts", &targets.to_string()])
            .env_clear()
            .envs(settings.slot_environment())
            .env(actors::protocol::SLOT_VARIABLE, "0")
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&text).with_context(|| format!("{:?}: {text}", output.status))
    }

    /// Whether anybody was reached.
    fn was_reached(&self) -> bool {
        let mut buffer = [0; 16];
        let quiet = [
            self.tcp.accept().err(),
            self.udp.recv(&mut buffer).err(),
            self.unix.accept().err(),
        ];
        quiet
            .into_iter()
            .any(|error| error.is_none_or(|error| error.kind() != ErrorKind::WouldBlock))
    }
}

fn what(outcomes: &[Value], refused: bool) -> Vec<String> {
    outcomes
        .iter()
        .filter(|outcome| outcome["refused"] == refused)
        .map(|outcome| format!("{}: {}", outcome["what"], outcome["detail"]))
        .collect()
}

#[test]
fn a_confined_process_is_refused_everything_it_tries() -> Result<()> {
    let world = World::new()?;
    let outcomes = world.attempts(Mode::Required, true)?;
    assert!(outcomes.len() > 45, "{} attempts", outcomes.len());
    let possible = what(&outcomes, false);
    assert!(possible.is_empty(), "possible: {possible:#?}");
    assert!(!world.was_reached());
    let secret = std::fs::read(world.data.path().join("signing.key"))?;
    assert_eq!(secret, b"secret");
    Ok(())
}

#[test]
fn without_a_sandbox_the_same_attempts_succeed() -> Result<()> {
    let world = World::new()?;
    let outcomes = world.attempts(Mode::Off, false)?;
    let possible = what(&outcomes, false).join("\n");
    for attempt in [
        "reading /etc/passwd",
        "reading a secret",
        "making a file elsewhere",
        "writing an input",
        "connecting to loopback",
        "sending a datagram",
        "connecting to a local socket",
        "forking 1,000 times",
        "starting a program",
    ] {
        assert!(
            possible.contains(attempt),
            "{attempt} is not in:\n{possible}"
        );
    }
    assert!(world.was_reached());
    Ok(())
}
