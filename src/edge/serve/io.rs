//! A connection's socket as hyper sees it. It ends a connection whose client leaves unread
//! what it is sent, and writes in full what hyper itself would answer with a bare status: an
//! error of reading a request, which reaches no handler.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Sleep;

use super::answers;
use super::turn::Turn;

/// How long a last answer may take to be sent.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// How every answer begins, up to its status.
const BEGINNING: usize = "HTTP/1.1 ".len();

/// A socket with a limit on how long what is sent may stay unread.
#[derive(Debug)]
pub(super) struct Guarded<T> {
    io: T,
    turn: Arc<Turn>,
    /// The first line of the next request: its bytes so far, and whether it has ended.
    line: usize,
    has_line: bool,
    /// The rest of the answer that replaces hyper's own.
    instead: Bytes,
    send_timeout: Duration,
    /// Since when nothing could be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Guarded<T> {
    pub(super) fn new(io: T, turn: Arc<Turn>, send_timeout: Duration) -> Self {
        Self {
            io,
            turn,
            line: 0,
            has_line: false,
            instead: Bytes::new(),
            send_timeout,
            stalled: None,
        }
    }

    /// The socket.
    pub(super) fn into_inner(self) -> T {
        self.io
    }

    /// Answers a request whose head did not arrive in time.
    pub(super) async fn refuse_slow_head(&mut self) {
        if !self.turn.is_idle() {
            return;
        }
        let answer = answers::written(answers::slow_head());
        let sent = self.io.write_all(&answer);
        // The connection ends in any case.
        let _ = tokio::time::timeout(LAST_ANSWER, sent).await;
    }

    /// Takes hyper's own answer away and puts the full one in its place.
    fn replaces(&mut self, bufs: &[IoSlice<'_>]) -> bool {
        if !self.turn.is_idle() || !self.instead.is_empty() {
            return false;
        }
        let mut head = bufs.iter().flat_map(|buf| buf.iter().copied());
        let begins = head.by_ref().take(BEGINNING).eq(*b"HTTP/1.1 ");
        let status: Vec<u8> = head.take(3).collect();
        let status = StatusCode::from_bytes(&status).ok().filter(|_| begins);
        let Some(error) = status.and_then(|status| answers::unreadable(status, self.line)) else {
            return false;
        };
        self.instead = answers::written(error);
        true
    }

    /// Sends what stands in place of hyper's own answer.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let written = Pin::new(&mut self.io).poll_write(cx, &self.instead);
            let count = ready!(self.limited(cx, written))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let _ = self.instead.split_to(count);
        }
        Poll::Ready(Ok(()))
    }

    /// `polled`, or an error once the client has taken nothing for too long.
    fn limited<R>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let timeout = self.send_timeout;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        let message = "the client does not read what it is sent";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buf));
        if !self.has_line {
            let read = &buf.filled()[before..];
            let end = read.iter().position(|byte| *byte == b'\n');
            self.line += end.unwrap_or(read.len());
            self.has_line = end.is_some();
        }
        Poll::Ready(read)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.replaces(bufs) {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        ready!(this.poll_instead(cx))?;
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.limited(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        ready!(this.limited(cx, flushed))?;
        let was_idle = this.turn.is_idle();
        this.turn.flushed();
        if !was_idle && this.turn.is_idle() {
            (this.line, this.has_line) = (0, false);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        let shut = Pin::new(&mut this.io).poll_shutdown(cx);
        this.limited(cx, shut)
    }
}
