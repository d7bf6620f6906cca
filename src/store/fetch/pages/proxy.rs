//! A forward proxy that is restricted by the network guard, for one run of a program that we did
//! not write. It listens on loopback and serves clients with this run's secret.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use crate::store::fetch::guard::{Forbidden, Guard, NoWay};

/// Connections at a time.
const CONNECTIONS: usize = 32;
/// Longest request head.
const HEAD_BYTES: usize = 64 << 10;
/// For a client to send one.
const HEAD_TIME: Duration = Duration::from_secs(10);
const USER: &str = "framelane";

/// The running proxy. It and every connection of it end when this is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    secret: String,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    guard: Guard,
    connect: Duration,
    /// Bytes that may come in over all connections.
    most: u64,
    authorization: String,
    received: AtomicU64,
    exceeded: AtomicBool,
    refused: Mutex<Option<Forbidden>>,
}

impl Proxy {
    /// Starts one that lets in `most` bytes.
    pub(super) async fn start(guard: Guard, connect: Duration, most: u64) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let secret = format!("{:032x}", rand::random::<u128>());
        let pair = base64::prelude::BASE64_STANDARD.encode(format!("{USER}:{secret}"));
        let shared = Arc::new(Shared {
            guard,
            connect,
            most,
            authorization: format!("Basic {pair}"),
            received: AtomicU64::new(0),
            exceeded: AtomicBool::new(false),
            refused: Mutex::new(None),
        });
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            secret,
            shared,
            _serving: serving,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// For the client's settings. Carries the secret.
    pub(super) fn url(&self) -> String {
        format!("http://{USER}:{}@{}", self.secret, self.address)
    }

    /// Bytes that came in so far.
    pub(super) fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Relaxed)
    }

    /// Whether more came than may.
    pub(super) fn exceeded(&self) -> bool {
        self.shared.exceeded.load(Ordering::Relaxed)
    }

    /// What the guard forbade last, if anything.
    pub(super) fn refused(&self) -> Option<Forbidden> {
        let refused = self.shared.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors: those that are open will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            if let Err(error) = shared.serve(client).await {
                tracing::debug!(%error, "proxy connection ended");
            }
            drop(permit);
        });
    }
}

impl Shared {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let asked = match timeout(HEAD_TIME, read_head(&mut client)).await {
            Ok(head) => head?,
            Err(_) => return refuse(&mut client, "408 Request Timeout").await,
        };
        let Some(request) = Request::parse(&asked.head) else {
            return refuse(&mut client, "400 Bad Request").await;
        };
        let given = request.field("proxy-authorization").unwrap_or_default();
        if !bool::from(given.as_bytes().ct_eq(self.authorization.as_bytes())) {
            return refuse(&mut client, "407 Proxy Authentication Required").await;
        }
        let url = match request.destination(&self.guard) {
            Ok(url) => url,
            Err(forbidden) => return self.forbid(&mut client, forbidden).await,
        };
        let mut server = match self.connect(&url).await {
            Ok(Some(server)) => server,
            Ok(None) => return refuse(&mut client, "502 Bad Gateway").await,
            Err(forbidden) => return self.forbid(&mut client, forbidden).await,
        };
        if request.is_connect() {
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        } else {
            server.write_all(request.passed_on(&url).as_bytes()).await?;
        }
        server.write_all(&asked.beyond).await?;
        self.relay(client, server).await
    }

    /// Connects to an address that was checked just now, and to no other.
    async fn connect(&self, url: &Url) -> Result<Option<TcpStream>, Forbidden> {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(Forbidden::NotAUrl);
        };
        let found = match timeout(self.connect, self.guard.reach(&host)).await {
            Ok(Ok(found)) => found,
            Ok(Err(NoWay::Forbidden(forbidden))) => return Err(forbidden),
            Ok(Err(NoWay::Unknown(_))) | Err(_) => return Ok(None),
        };
        for address in found {
            let connecting = TcpStream::connect(SocketAddr::new(address, port));
            if let Ok(Ok(server)) = timeout(self.connect, connecting).await {
                return Ok(Some(server));
            }
        }
        Ok(None)
    }

    async fn forbid(&self, client: &mut TcpStream, forbidden: Forbidden) -> io::Result<()> {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(forbidden);
        refuse(client, "403 Forbidden").await
    }

    /// Passes bytes both ways until the server closes the connection.
    async fn relay(&self, client: TcpStream, server: TcpStream) -> io::Result<()> {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let mut up = std::pin::pin!(async {
            let sent = tokio::io::copy(&mut from_client, &mut to_server).await;
            let _ = to_server.shutdown().await;
            sent
        });
        let mut down = std::pin::pin!(self.counted(&mut from_server, &mut to_client));
        tokio::select! {
            ended = &mut down => return ended,
            sent = &mut up => sent?,
        };
        down.await
    }

    async fn counted(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                return to.shutdown().await;
            }
            let before = self.received.fetch_add(read as u64, Ordering::Relaxed);
            if before + read as u64 > self.most {
                self.exceeded.store(true, Ordering::Relaxed);
                return Err(io::Error::other("more bytes than may come"));
            }
            to.write_all(&buffer[..read]).await?;
        }
    }
}

/// What a client sent: the head, and what came with it.
struct Asked {
    head: String,
    beyond: Vec<u8>,
}

async fn read_head(client: &mut TcpStream) -> io::Result<Asked> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let beyond = bytes.split_off(end + 4);
            let head = String::from_utf8_lossy(&bytes).into_owned();
            return Ok(Asked { head, beyond });
        }
        if bytes.len() > HEAD_BYTES || client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

struct Request<'a> {
    method: &'a str,
    target: &'a str,
    version: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Request<'a> {
    fn parse(head: &'a str) -> Option<Self> {
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target, version) = (first.next()?, first.next()?, first.next()?);
        if first.next().is_some() || !version.starts_with("HTTP/1.") {
            return None;
        }
        let fields = lines.map(|line| line.split_once(':').map(|(n, v)| (n, v.trim())));
        Some(Self {
            method,
            target,
            version,
            fields: fields.collect::<Option<_>>()?,
        })
    }

    fn field(&self, name: &str) -> Option<&'a str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    }

    fn is_connect(&self) -> bool {
        self.method == "CONNECT"
    }

    /// The destination that the client asks for, if the guard admits it.
    fn destination(&self, guard: &Guard) -> Result<Url, Forbidden> {
        if self.is_connect() {
            let plain = !self.target.contains(['/', '?', '#', '@', '\\']);
            let url = format!("https://{}/", self.target);
            return guard.admit(if plain { &url } else { "" });
        }
        let url = guard.admit(self.target)?;
        // What is encrypted is asked for by CONNECT.
        if url.scheme() == "http" {
            Ok(url)
        } else {
            Err(Forbidden::Scheme)
        }
    }

    /// The request as a server expects it. One request a connection: the next may be for
    /// another host.
    fn passed_on(&self, url: &Url) -> String {
        use std::fmt::Write as _;
        let after = self.target.split_once("://").map_or("", |(_, after)| after);
        let path = after.find(['/', '?']).map_or("", |start| &after[start..]);
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut head = format!("{} {slash}{path} {}\r\n", self.method, self.version);
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let _ = write!(head, "Host: {authority}\r\n");
        for (name, value) in &self.fields {
            let own_headers = ["host", "connection", "keep-alive", "upgrade"];
            let lower = name.to_ascii_lowercase();
            if !own_headers.contains(&lower.as_str()) && !lower.starts_with("proxy-") {
                let _ = write!(head, "{name}: {value}\r\n");
            }
        }
        head + "Connection: close\r\n\r\n"
    }
}

async fn refuse(client: &mut TcpStream, status: &str) -> io::Result<()> {
    let ask = "Proxy-Authenticate: Basic realm=\"framelane\"\r\n";
    let ask = if status.starts_with("407") { ask } else { "" };
    let answer =
        format!("HTTP/1.1 {status}\r\n{ask}Content-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}
