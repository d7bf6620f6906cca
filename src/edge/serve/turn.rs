//! Whose turn it is on a connection: between two requests only hyper itself writes, and what
//! it writes then is an error that none of our handlers has seen.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// No request is being answered.
const IDLE: u8 = 0;
/// The router has a request, or its answer is being read.
const ANSWERING: u8 = 1;
/// The answer has ended; some of it may not have been sent.
const ANSWERED: u8 = 2;

/// The state of one connection, shared by its two ends: the service and the socket.
#[derive(Debug, Default)]
pub(super) struct Turn(AtomicU8);

/// An answer on its way. Dropping it ends the turn.
#[derive(Debug)]
pub(super) struct Answer(Arc<Turn>);

impl Turn {
    /// The router has a request.
    pub(super) fn begin(self: &Arc<Self>) -> Answer {
        self.0.store(ANSWERING, Ordering::Release);
        Answer(Arc::clone(self))
    }

    /// Everything that was written has been sent.
    pub(super) fn flushed(&self) {
        let _ = self
            .0
            .compare_exchange(ANSWERED, IDLE, Ordering::AcqRel, Ordering::Acquire);
    }

    /// No request is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.0.load(Ordering::Acquire) == IDLE
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.0.store(ANSWERED, Ordering::Release);
    }
}

impl Answer {
    /// The turn lasts as long as `body`.
    pub(super) fn over(self, body: Body) -> AnswerBody {
        AnswerBody { body, _turn: self }
    }
}

/// The body of an answer, whose end is the turn's.
#[derive(Debug)]
pub(super) struct AnswerBody {
    body: Body,
    _turn: Answer,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
