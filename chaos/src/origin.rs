//! The web server that sources come from: serves a directory over loopback HTTP/1.1 and
//! misbehaves on demand.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What goes wrong with one path.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// This status and nothing else.
    Status(u16),
    /// This status for the first so many requests, then the file.
    StatusAtFirst(u16, u32),
    /// The whole length is promised, half of the bytes come, the connection ends.
    Truncated,
    /// The headers come, the body never does.
    Stalls,
    /// The bytes come at this rate.
    Slow {
        /// Bytes a second.
        rate: usize,
    },
    /// This length is promised; zeros follow without an end.
    Endless {
        /// The promised length.
        length: u64,
    },
    /// Another address is named.
    Redirect(String),
    /// The connection ends before any answer.
    HangsUp,
}

#[derive(Debug, Default)]
struct Shared {
    troubles: HashMap<String, Trouble>,
    requests: HashMap<String, u32>,
}

/// A running web server; it ends when this is dropped.
#[derive(Debug)]
pub struct Origin {
    root: PathBuf,
    base: String,
    shared: Arc<Mutex<Shared>>,
    accepting: JoinHandle<()>,
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Origin {
    /// Serves the files in `root`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let accepting = {
            let (root, shared) = (root.clone(), Arc::clone(&shared));
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (root, shared) = (root.clone(), Arc::clone(&shared));
                    // A client that goes away in the middle is its own business.
                    tokio::spawn(async move { drop(serve(stream, &root, &shared).await) });
                }
            })
        };
        Ok(Self {
            root,
            base,
            shared,
            accepting,
        })
    }

    /// The address of a file.
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    /// The directory it serves.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// From now on, `name` misbehaves.
    pub fn trouble(&self, name: &str, trouble: Trouble) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.troubles.insert(format!("/{name}"), trouble);
    }

    /// How often `name` was asked for.
    pub fn requests(&self, name: &str) -> u32 {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared
            .requests
            .get(&format!("/{name}"))
            .copied()
            .unwrap_or(0)
    }
}

#[derive(Debug)]
struct Request {
    method: String,
    path: String,
    range: Option<(u64, Option<u64>)>,
}

async fn read_request(reader: &mut BufReader<TcpStream>) -> Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().context("no method")?.to_owned();
    let target = words.next().context("no path")?;
    let path = target.split('?').next().unwrap_or(target).to_owned();
    let mut range = None;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).await?;
        let header = header.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = parse_range(value.trim());
        }
    }
    Ok(Some(Request {
        method,
        path,
        range,
    }))
}

/// `bytes=from-[to]`; other forms are ignored, as the protocol allows.
fn parse_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()))
}

async fn serve(stream: TcpStream, root: &Path, shared: &Mutex<Shared>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader).await? {
        let trouble = {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let count = shared.requests.entry(request.path.clone()).or_default();
            *count += 1;
            let count = *count;
            match shared.troubles.get(&request.path).cloned() {
                Some(Trouble::StatusAtFirst(status, times)) => {
                    (count <= times).then_some(Trouble::Status(status))
                }
                other => other,
            }
        };
        let stream = reader.get_mut();
        let keep = match trouble {
            None => send_file(stream, root, &request).await?,
            Some(trouble) => misbehave(stream, root, &request, trouble).await?,
        };
        if !keep {
            break;
        }
    }
    Ok(())
}

/// The file's bytes; only plain names below `root` are served.
async fn file_of(root: &Path, path: &str) -> Option<Vec<u8>> {
    let name = path.trim_start_matches('/');
    if name
        .split('/')
        .any(|part| part.is_empty() || part.starts_with('.'))
    {
        return None;
    }
    tokio::fs::read(root.join(name)).await.ok()
}

async fn send_head(stream: &mut TcpStream, status: u16, headers: &str) -> Result<()> {
    let head = format!("HTTP/1.1 {status} -\r\n{headers}\r\n");
    Ok(stream.write_all(head.as_bytes()).await?)
}

async fn send_file(stream: &mut TcpStream, root: &Path, request: &Request) -> Result<bool> {
    let Some(bytes) = file_of(root, &request.path).await else {
        send_head(stream, 404, "Content-Length: 0\r\n").await?;
        return Ok(true);
    };
    let total = bytes.len();
    let (status, from, to) = match request.range {
        None => (200, 0, total),
        Some((from, to)) => {
            let from = usize::try_from(from)?.min(total);
            let end = to.map_or(Ok(total), |to| usize::try_from(to).map(|to| to + 1))?;
            (206, from, end.clamp(from, total))
        }
    };
    let mut headers = format!(
        "Content-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\nContent-Length: {}\r\n",
        to - from
    );
    if status == 206 {
        headers += &format!(
            "Content-Range: bytes {from}-{}/{total}\r\n",
            to.saturating_sub(1)
        );
    }
    send_head(stream, status, &headers).await?;
    if request.method != "HEAD" {
        stream.write_all(&bytes[from..to]).await?;
    }
    Ok(true)
}

async fn misbehave(
    stream: &mut TcpStream,
    root: &Path,
    request: &Request,
    trouble: Trouble,
) -> Result<bool> {
    let bytes = file_of(root, &request.path).await.unwrap_or_default();
    let length = format!("Content-Length: {}\r\n", bytes.len());
    match trouble {
        Trouble::Status(status) | Trouble::StatusAtFirst(status, _) => {
            send_head(stream, status, "Content-Length: 0\r\n").await?;
            return Ok(true);
        }
        Trouble::Redirect(to) => {
            let headers = format!("Location: {to}\r\nContent-Length: 0\r\n");
            send_head(stream, 302, &headers).await?;
            return Ok(true);
        }
        Trouble::HangsUp => {}
        Trouble::Truncated => {
            send_head(stream, 200, &length).await?;
            stream.write_all(&bytes[..bytes.len() / 2]).await?;
        }
        Trouble::Stalls => {
            send_head(stream, 200, &length).await?;
            std::future::pending::<()>().await;
        }
        Trouble::Slow { rate } => {
            send_head(stream, 200, &length).await?;
            let chunk = (rate / 10).max(1);
            let share = u32::try_from(rate.max(1) / chunk)?;
            let pause = Duration::from_secs(1) / share;
            for chunk in bytes.chunks(chunk) {
                stream.write_all(chunk).await?;
                tokio::time::sleep(pause).await;
            }
        }
        Trouble::Endless { length } => {
            send_head(stream, 200, &format!("Content-Length: {length}\r\n")).await?;
            let zeros = vec![0; 1 << 16];
            loop {
                stream.write_all(&zeros).await?;
            }
        }
    }
    Ok(false)
}
