//! Connections of clients that do not behave: silent, slow, without sense.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

/// An address of this machine that is nobody else's: for the server, another host.
pub const fn host(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

/// The address that a URL like `http://127.0.0.1:80` names.
///
/// # Errors
/// When it names none.
pub fn address(url: &str) -> Result<SocketAddr> {
    let authority = url.strip_prefix("http://").context("no http URL")?;
    Ok(authority.trim_end_matches('/').parse()?)
}

/// Lets this process have as many connections open as the system allows it.
///
/// # Errors
/// When the system does not raise the limit.
pub fn raise_open_files() -> Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(limit.maximum)
}

/// A connection from an address of this machine.
///
/// # Errors
/// When none comes about.
pub async fn connect(from: IpAddr, to: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(socket.connect(to).await?)
}

/// Sends a request that never ends, a header's byte a second.
///
/// # Errors
/// When the server ends the connection.
pub async fn drip(mut stream: TcpStream) -> Result<()> {
    stream
        .write_all(b"GET /v1/renders HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        .await?;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stream.write_all(b"a").await?;
    }
}
