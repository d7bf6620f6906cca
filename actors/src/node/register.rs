//! Makes the node known to the cluster, as often as it takes.

use std::time::Duration;

use cluster::command::{Command, Outcome, Rejection};
use cluster::model::Registration;
use ractor::ActorRef;

use super::{NodeArgs, NodeMsg};

const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How registration ended.
#[derive(Debug)]
pub(crate) enum Registered {
    /// The cluster has registered this incarnation.
    Accepted,
    /// It never will.
    Refused(Rejection),
}

/// Proposes the registration until it is decided, then sends the result to the node actor.
pub(super) async fn register(args: NodeArgs, node: ActorRef<NodeMsg>) {
    let mut pause = PAUSE;
    loop {
        let mut info = args.info.clone();
        info.registered_at = args.clock.log_time();
        let proposal = args.coordinator.propose(Command::Register(Registration {
            info,
            boot: args.boot,
        }));
        match tokio::time::timeout(args.timings.propose, proposal).await {
            // The leader raises the level as soon as every voter supports the next.
            Ok(Ok(Outcome::Rejected(Rejection::WrongLevel))) => {
                tracing::debug!("level has no registrations yet");
            }
            Ok(Ok(Outcome::Rejected(rejection))) => {
                let _ = node.cast(NodeMsg::Registered(Registered::Refused(rejection)));
                return;
            }
            Ok(Ok(_)) => {
                let _ = node.cast(NodeMsg::Registered(Registered::Accepted));
                return;
            }
            Ok(Err(error)) => tracing::debug!(%error, "node is not registered yet"),
            Err(_) => tracing::debug!("registration has no answer yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
