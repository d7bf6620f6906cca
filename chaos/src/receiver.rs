//! A receiver of webhooks on loopback that keeps what it gets and answers as it is told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One webhook as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its `webhook-id`.
    pub id: String,
    /// Its body.
    pub bytes: Vec<u8>,
    /// The status it was answered with.
    pub status: u16,
}

impl Received {
    /// Its body as JSON; null where it is none.
    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Shared {
    got: Vec<Received>,
    /// What the next requests are answered with; 204 once none is left.
    answers: VecDeque<u16>,
}

/// A running receiver; it ends when this is dropped.
#[derive(Debug)]
pub struct Receiver {
    /// Where it is.
    pub url: String,
    shared: Arc<Mutex<Shared>>,
    accepting: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Receiver {
    /// Starts a receiver.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            url,
            shared,
            accepting,
        })
    }

    /// The next requests are answered with these statuses.
    pub fn answer(&self, statuses: &[u16]) {
        lock(&self.shared).answers.extend(statuses);
    }

    /// Whether it was told of this event of this render.
    pub fn was_told(&self, render: &str, event: &str) -> bool {
        lock(&self.shared).got.iter().any(|one| {
            let body = one.body();
            body["type"] == event && body["data"]["object"]["id"] == render
        })
    }

    /// What came so far.
    pub fn got(&self) -> Vec<Received> {
        lock(&self.shared).got.clone()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| keep(request, Arc::clone(&shared)));
            let connection = hyper::server::conn::http1::Builder::new();
            // A sender that is killed breaks its connection: that is what is tried here.
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn keep(
    request: Request<Incoming>,
    shared: Arc<Mutex<Shared>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let id = request.headers().get("webhook-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let id = id.to_owned();
    let body = request.into_body().collect().await;
    let mut shared = lock(&shared);
    let status = shared.answers.pop_front().unwrap_or(204);
    // A body that broke off was not received.
    if let Ok(body) = body {
        shared.got.push(Received {
            id,
            bytes: body.to_bytes().to_vec(),
            status,
        });
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::NO_CONTENT);
    Ok(response)
}
