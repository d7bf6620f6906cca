//! What must fail in a sealed process, tried. For `framelane doctor`: this detects
//! a kernel that reports a layer as given when it is not.

use std::fs::File;
use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// More than any worker may have.
const TOO_MUCH: usize = 16 << 30;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was tried.
    pub what: String,
    /// Whether it failed, as it must.
    pub refused: bool,
}

/// Tries everything that a process can try on itself without harm.
pub(super) fn all() -> Vec<Check> {
    let check = |what: &str, refused| Check {
        what: what.to_owned(),
        refused,
    };
    // Nothing listens there, but the refusal shows that the process could connect.
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let connected = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    let reached = connected.map_or_else(
        |error| error.kind() == std::io::ErrorKind::ConnectionRefused,
        |_| true,
    );
    let mut memory: Vec<u8> = Vec::new();
    vec![
        check("reading /etc/passwd", File::open("/etc/passwd").is_err()),
        check("connecting", !reached),
        check("a datagram socket", UdpSocket::bind("127.0.0.1:0").is_err()),
        check(
            "starting a program",
            Command::new("/bin/true").spawn().is_err(),
        ),
        check(
            "16 GiB of memory",
            memory.try_reserve_exact(TOO_MUCH).is_err(),
        ),
    ]
}
