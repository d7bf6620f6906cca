//! What the leader does for the state itself, whatever is in it: keeps its log time true to
//! the voters' wall clocks, and raises its level once every voter supports the next.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::clock::Clocks;
use super::{Leadership, propose};
use crate::command::Command;
use crate::model::Level;
use crate::raft::Member;

/// Between two looks at the voters' clocks.
const PERIOD: Duration = Duration::from_secs(10);

/// Looks after the state until the member ends.
pub(crate) async fn run(
    member: Arc<Member>,
    clocks: Arc<Clocks>,
    mut leadership: watch::Receiver<Leadership>,
) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            changed = leadership.changed() => if changed.is_err() { return },
            _ = period.tick() => {}
        }
        let now = *leadership.borrow_and_update();
        if let Leadership::Leader { term } = now {
            round(&member, &clocks, term).await;
        }
    }
}

/// One look. The wall clock of the only voter counts at its start alone, which is not here.
pub(super) async fn round(member: &Member, clocks: &Clocks, term: u64) {
    let voters = member.voters().await;
    if voters.len() > 1 {
        let walls: Vec<_> = voters.iter().map(|voter| voter.wall).collect();
        clocks.follow(term, &member.state(), &walls);
    }
    let known = voters.iter().map(|voter| voter.level).min().flatten();
    let level = member.state().level;
    if let Some(known) = known
        && known > level
    {
        match propose(member, clocks, Command::RaiseLevel(known)).await {
            Ok(_) => tracing::info!(from = level.0, to = known.0, "level is raised"),
            // It is tried again with the next look.
            Err(error) => tracing::warn!(%error, "level was not raised"),
        }
    }
}

/// What the leader has read from a voter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Voter {
    /// Its wall clock; `None`: it does not answer.
    pub(crate) wall: Option<crate::model::LogTime>,
    /// The newest level that its build supports; `None`: it does not answer.
    pub(crate) level: Option<Level>,
}
