//! What waits to be sent, by workspace and receiver. A workspace may have any number of
//! deliveries waiting: a round that looked at each of them would delay those of all others. So
//! the order is kept up with applied state, change by change, and a round looks at receivers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cluster::State;
use cluster::model::{DeliveryId, NodeInfo, RanTime};
use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use super::core::Schedule;
use super::receivers::{Receiver, Receivers};
use crate::ports::Times;

/// A delivery, in the order in which those of one receiver are sent.
pub(super) type Due = (RanTime, DeliveryId);

/// The deliveries of a workspace, by receiver; no queue is empty.
pub(super) type Waiting = BTreeMap<Receiver, BTreeSet<Due>>;

/// The pending deliveries of one applied state.
#[derive(Debug, Default)]
pub(super) struct DueIndex {
    /// What the rest was made from.
    seen: OrdMap<Due, ()>,
    by_workspace: BTreeMap<Arc<str>, Waiting>,
    places: HashMap<Due, (Arc<str>, Receiver)>,
}

impl DueIndex {
    /// Takes what has changed since the last call.
    pub(super) fn follow(&mut self, state: &State) {
        let before = std::mem::replace(&mut self.seen, state.due.clone());
        for change in before.diff(&state.due) {
            match change {
                DiffItem::Add(due, ()) => self.add(*due, state),
                DiffItem::Remove(due, ()) => self.remove(due),
                DiffItem::Update { .. } => {}
            }
        }
    }

    /// Each workspace with what waits for its receivers, whether it is due or not yet.
    pub(super) fn by_workspace(&self) -> impl Iterator<Item = (&str, &Waiting)> {
        let all = self.by_workspace.iter();
        all.map(|(workspace, waiting)| (&**workspace, waiting))
    }

    /// Deliveries of a workspace beyond what may wait, at most [`UNTRIED`]: the oldest of the
    /// receiver for which most wait.
    pub(super) fn beyond(waiting: &Waiting) -> impl Iterator<Item = DeliveryId> {
        let count: usize = waiting.values().map(BTreeSet::len).sum();
        let longest = waiting.values().max_by_key(|queue| queue.len());
        let excess = count.saturating_sub(MOST_WAITING).min(UNTRIED);
        longest
            .into_iter()
            .flatten()
            .take(excess)
            .map(|(_, id)| *id)
    }

    fn add(&mut self, due: Due, state: &State) {
        let Some(delivery) = state.deliveries.get(&due.1) else {
            return;
        };
        let Some(receiver) = Receiver::of(delivery) else {
            return;
        };
        let workspace = match self.by_workspace.get_key_value(&*delivery.workspace) {
            Some((known, _)) => Arc::clone(known),
            None => delivery.workspace.as_str().into(),
        };
        let waiting = self.by_workspace.entry(Arc::clone(&workspace)).or_default();
        waiting.entry(receiver.clone()).or_default().insert(due);
        self.places.insert(due, (workspace, receiver));
    }

    fn remove(&mut self, due: &Due) {
        let Some((workspace, receiver)) = self.places.remove(due) else {
            return;
        };
        let Some(waiting) = self.by_workspace.get_mut(&workspace) else {
            return;
        };
        if let Some(queue) = waiting.get_mut(&receiver) {
            queue.remove(due);
            if queue.is_empty() {
                waiting.remove(&receiver);
            }
        }
        if waiting.is_empty() {
            self.by_workspace.remove(&workspace);
        }
    }
}

/// Deliveries of one receiver that fail untried in one round.
const UNTRIED: usize = 1_000;

/// Deliveries of one workspace that wait at most: what waits is in the memory of every member.
/// Beyond it the oldest of the receiver for which most wait fail untried.
const MOST_WAITING: usize = 20_000;

/// What a round looks at receivers with.
pub(super) struct Look<'a> {
    pub(super) state: &'a State,
    pub(super) times: Times,
    pub(super) schedule: &'a Schedule,
    pub(super) receivers: &'a Receivers,
}

/// What a round finds at one receiver.
#[derive(Default)]
pub(super) struct Found {
    /// The receiver's host and port.
    pub(super) host: String,
    /// The oldest of those that may be sent, as many as a workspace may send at once.
    pub(super) to_send: Vec<Due>,
    /// Those whose turn has not come for too long.
    pub(super) outwaited: Vec<DeliveryId>,
}

impl Look<'_> {
    /// Looks at what waits for a receiver; `is_ours` says what is under way already.
    pub(super) fn at(
        &self,
        receiver: &Receiver,
        queue: &BTreeSet<Due>,
        is_ours: impl Fn(&DeliveryId) -> bool,
    ) -> Found {
        let mut found = Found::default();
        let now = self.times.ran;
        match receiver.host(self.state) {
            Some(host) => found.host = host,
            // Its endpoint is gone, and these with the next change.
            None => return found,
        }
        let is_current = |node, incarnation| {
            let known: Option<&NodeInfo> = self.state.nodes.get(&node);
            known.is_some_and(|info| info.incarnation == incarnation)
        };
        let is_held = self.receivers.is_held(receiver, now);
        let most = self.schedule.shares.per_workspace.max(1);
        for due in queue.iter().take_while(|(due, _)| *due <= now) {
            let Some(delivery) = self.state.deliveries.get(&due.1) else {
                continue;
            };
            if is_ours(&due.1) || !delivery.is_leasable(now, is_current) {
                continue;
            }
            let has_outwaited =
                self.receivers
                    .has_outwaited(receiver, delivery, self.times, self.schedule);
            if has_outwaited && found.outwaited.len() < UNTRIED {
                found.outwaited.push(due.1);
                continue;
            }
            if is_held || has_outwaited || found.to_send.len() == most {
                break;
            }
            found.to_send.push(*due);
        }
        found
    }
}
