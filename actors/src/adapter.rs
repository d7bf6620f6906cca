//! The real coordinator behind the port.

use std::sync::Arc;

use cluster::State;
use cluster::command::{Command, Outcome};
use cluster::model::LogIndex;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::ports::{Coordinator, Leadership, ProposeError};

impl Coordinator for cluster::Coordinator {
    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
        let member = self.clone();
        async move { member.propose(command).await }.boxed()
    }

    fn state(&self) -> Arc<State> {
        Self::state(self)
    }

    fn applied(&self) -> watch::Receiver<LogIndex> {
        Self::applied(self)
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        Self::leadership(self)
    }
}
