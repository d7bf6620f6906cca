//! The way to the scheduler of a leader in this very process.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ractor::ActorRef;
use tokio::sync::{oneshot, watch};

use crate::poll::{Leader, Poll, PollError, PollReply};
use crate::scheduler::SchedulerMsg;

/// Polls this process's own scheduler, while there is one.
#[derive(Debug, Clone)]
pub(crate) struct LocalLeader {
    scheduler: watch::Receiver<Option<ActorRef<SchedulerMsg>>>,
    limit: Duration,
}

impl LocalLeader {
    /// `limit` bounds the wait for an answer.
    pub(crate) fn new(
        scheduler: watch::Receiver<Option<ActorRef<SchedulerMsg>>>,
        limit: Duration,
    ) -> Self {
        Self { scheduler, limit }
    }
}

impl Leader for LocalLeader {
    fn poll(&self, poll: Poll) -> BoxFuture<'static, Result<PollReply, PollError>> {
        let (sender, answer) = oneshot::channel();
        // Sent before the future is first awaited: polls arrive in the order of the calls.
        let is_sent = self
            .scheduler
            .borrow()
            .as_ref()
            .is_some_and(|scheduler| scheduler.cast(SchedulerMsg::Poll(poll, sender)).is_ok());
        let limit = self.limit;
        async move {
            if !is_sent {
                return Err(PollError::NoLeader);
            }
            match tokio::time::timeout(limit, answer).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(_)) | Err(_) => Err(PollError::NoLeader),
            }
        }
        .boxed()
    }
}
