//! An S3 server on loopback, for those who store things in one: a real one (it checks every
//! signature) over a directory, that misbehaves on demand.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use futures::StreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, BodyStream, Full, StreamBody};
use hyper::body::{Body as _, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// This status and nothing else; nothing is done.
    Status(u16),
    /// This status with one of S3's error codes; nothing is done.
    Code(u16, &'static str),
    /// The connection ends before any answer; nothing is done.
    HangsUp,
    /// It is done, and the connection ends before any answer.
    LosesAnswer,
    /// Half of the answer's body comes, then the connection ends.
    CutsBody,
}

type Error = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Error>;

#[derive(Debug, Default)]
struct Shared {
    /// A method, and what happens to the next request that has it.
    troubles: VecDeque<(String, Trouble)>,
    /// Method, path and query of every request.
    requests: Vec<String>,
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct S3Server {
    /// Where it is: `http://127.0.0.1:…`.
    pub endpoint: String,
    /// The key it knows.
    pub access_key: String,
    /// That key's secret.
    pub secret_key: String,
    directory: PathBuf,
    shared: Arc<Mutex<Shared>>,
    accepting: JoinHandle<()>,
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl S3Server {
    /// Serves `directory`, with these buckets in it.
    ///
    /// # Errors
    /// When no port can be had, or the directory cannot be used.
    pub async fn start(directory: &Path, buckets: &[&str]) -> Result<Self> {
        for bucket in buckets {
            std::fs::create_dir_all(directory.join(bucket))
                .with_context(|| format!("bucket {bucket}"))?;
        }
        let (access_key, secret_key) = ("framelane-tests", "a-secret-of-the-tests");
        let files = FileSystem::new(directory)
            .map_err(|error| anyhow!("{} cannot be served: {error:?}", directory.display()))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(access_key, secret_key));
        let service = service.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let accepting = tokio::spawn(accept(listener, service, Arc::clone(&shared)));
        Ok(Self {
            endpoint,
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            directory: directory.to_owned(),
            shared,
            accepting,
        })
    }

    /// The next `times` requests with this method meet `trouble`.
    pub fn trouble(&self, method: &str, trouble: Trouble, times: usize) {
        let troubles = std::iter::repeat_n((method.to_owned(), trouble), times);
        lock(&self.shared).troubles.extend(troubles);
    }

    /// How many troubles nobody has met yet.
    pub fn troubles_left(&self) -> usize {
        lock(&self.shared).troubles.len()
    }

    /// Every request so far, such as `GET /bucket/key?list-type=2`.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.shared).requests.clone()
    }

    /// Files that uploads in parts have left, unfinished.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn unfinished(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.contains(".upload") || name.starts_with(".tmp.") {
                found.push(name);
            }
        }
        Ok(found)
    }
}

async fn accept(listener: TcpListener, service: S3Service, shared: Arc<Mutex<Shared>>) {
    // Dropped with this future: then every connection ends too.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (service, shared) = (service.clone(), Arc::clone(&shared));
        let answer =
            service_fn(move |request| answer(service.clone(), Arc::clone(&shared), request));
        let connection = hyper::server::conn::http1::Builder::new();
        let connection = connection.serve_connection(TokioIo::new(stream), answer);
        // A client that goes away in the middle is its own business.
        connections.spawn(async move { drop(connection.await) });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    service: S3Service,
    shared: Arc<Mutex<Shared>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let trouble = {
        let mut shared = lock(&shared);
        let (method, target) = (request.method().as_str(), request.uri());
        shared.requests.push(format!("{method} {target}"));
        let met = shared.troubles.iter().position(|(of, _)| of == method);
        met.and_then(|at| shared.troubles.remove(at))
    };
    let trouble = trouble.map(|(_, trouble)| trouble);
    match trouble {
        Some(Trouble::Status(status)) => return refusal(status, String::new()),
        Some(Trouble::Code(status, code)) => {
            let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
            return refusal(status, body);
        }
        Some(Trouble::HangsUp) => return Err("told to hang up".into()),
        _ => {}
    }
    let answer = service
        .call(request.map(s3s::Body::from))
        .await
        .map_err(|error| format!("{error:?}"))?;
    match trouble {
        Some(Trouble::LosesAnswer) => Err("told to lose the answer".into()),
        Some(Trouble::CutsBody) => Ok(answer.map(cut)),
        _ => Ok(answer.map(http_body_util::BodyExt::boxed_unsync)),
    }
}

fn refusal(status: u16, body: String) -> Result<Response<Body>, Error> {
    let body = Full::from(body).map_err(|never: Infallible| match never {});
    Ok(Response::builder()
        .status(status)
        .body(body.boxed_unsync())?)
}

/// The first half of a body, then an error.
fn cut(body: s3s::Body) -> Body {
    let half = body.size_hint().exact().unwrap_or(0) / 2;
    let frames = BodyStream::new(body).scan(half, |left, frame| {
        let next = match frame {
            Ok(frame) if *left > 0 => match frame.into_data() {
                Ok(mut bytes) => {
                    bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    Ok(Frame::data(bytes))
                }
                Err(other) => Ok(other),
            },
            Ok(_) => Err("told to cut the body".into()),
            Err(error) => Err(error),
        };
        futures::future::ready(Some(next))
    });
    StreamBody::new(frames).boxed_unsync()
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
