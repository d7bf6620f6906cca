//! The listener: accepts connections, holds them to a number and to time limits, and ends
//! them. Above it is the router; below it hyper reads requests and writes answers.

mod answers;
mod io;
mod peers;
mod turn;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use io::Guarded;
use peers::{Peers, Place};
use turn::Turn;

/// Bytes of a request's head that are read, and of an answer that are held ready for a client.
const BUFFER: usize = 64 * 1024;

/// Fields in a request's head.
const FIELDS: usize = 100;

/// How long connections may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// After an answer that ends a connection: how much more of what the client is sending is
/// taken, and for how long, so that the answer is not lost to it.
const LINGER_BYTES: u64 = 1 << 20;
const LINGER: Duration = Duration::from_secs(1);

/// Before the next connection is accepted when that failed for want of something.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The limits of connections.
#[derive(Debug, Clone, Copy)]
pub struct ServeLimits {
    /// Open connections.
    pub connections: usize,
    /// Those of one address (of IPv6: of one /64 network); 0: no limit of its own.
    pub connections_per_peer: usize,
    /// From the connection's start, or the answer before, to the end of a request's head.
    pub header_timeout: Duration,
    /// How long a client may leave unread what it is sent.
    pub send_timeout: Duration,
}

/// Serves `router` to those who connect, until `stop`. Then no connection is accepted, and the
/// connections that have not ended after two seconds are cut.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    stop: CancellationToken,
) {
    let peers = Peers::new(limits.connections, limits.connections_per_peer);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match peers.admit(peer.ip()) {
                    Ok(place) => {
                        let connection = Connection { stream, peer, limits, _place: place };
                        connections.spawn(connection.serve(router.clone(), stop.clone()));
                    }
                    Err(refused) => answers::turn_away(&stream, refused),
                },
                // The client gave up before it was accepted.
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections were cut");
    }
    connections.shutdown().await;
}

/// One client's connection, and its place among them.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    limits: ServeLimits,
    _place: Place,
}

impl Connection {
    async fn serve(self, router: Router, stop: CancellationToken) {
        // Answers are written whole; waiting for more only delays them.
        let _ = self.stream.set_nodelay(true);
        let turn = Arc::new(Turn::default());
        let io = Guarded::new(self.stream, Arc::clone(&turn), self.limits.send_timeout);
        let peer = self.peer;
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let answer = turn.begin();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answered = router.clone().oneshot(request);
            async move {
                let response: Response = match answered.await {
                    Ok(response) => response,
                    Err(never) => match never {},
                };
                Ok::<_, Infallible>(response.map(|body| answer.over(body)))
            }
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_headers(FIELDS)
            .max_header_size(BUFFER)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(io), service);
        let mut is_stopping = false;
        let outcome = loop {
            tokio::select! {
                outcome = &mut connection => break outcome,
                () = stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        let Err(error) = outcome else { return };
        let parts = connection.into_parts();
        let mut io = parts.io.into_inner();
        if error.is_timeout() && !parts.read_buf.is_empty() {
            io.refuse_slow_head().await;
        }
        if error.is_parse() || error.is_timeout() {
            linger(io.into_inner()).await;
        }
    }
}

/// Takes what the client is still sending: a connection that is closed with bytes unread is
/// reset, and the answer on its way may be lost with it.
async fn linger(mut stream: TcpStream) {
    let taken = async {
        stream.shutdown().await?;
        tokio::io::copy(
            &mut (&mut stream).take(LINGER_BYTES),
            &mut tokio::io::sink(),
        )
        .await
    };
    // Whatever comes of it, the connection ends here.
    let _ = tokio::time::timeout(LINGER, taken).await;
}

/// Whether accepting failed for the client's part, and the next one can be accepted at once.
fn is_of_one_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests;
