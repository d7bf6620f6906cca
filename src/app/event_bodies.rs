//! Removes the stored bodies of events once no delivery refers to the event any more. A
//! body that is missed, by a stop between two steps, goes at the next start.

use std::collections::BTreeSet;

use actors::ports::Coordinator;
use cluster::State;
use cluster::model::{LogTime, ObjectKey};

use crate::store::{ObjectStore, StoreError, keys};

/// The bodies of events with a delivery that was settled before `time`.
pub(super) fn settled_before(state: &State, time: LogTime) -> BTreeSet<ObjectKey> {
    state
        .deliveries
        .values()
        .filter(|delivery| delivery.settled_at.is_some_and(|at| at < time))
        .map(|delivery| keys::event_body(delivery.event.id))
        .collect()
}

/// Removes those of `bodies` that no delivery needs; gives how many.
///
/// # Errors
/// When the store fails.
pub(super) async fn remove(
    bodies: BTreeSet<ObjectKey>,
    coordinator: &dyn Coordinator,
    store: &dyn ObjectStore,
) -> Result<usize, StoreError> {
    if bodies.is_empty() {
        return Ok(0);
    }
    // Read after the bodies were found: one is only ever written for a delivery that is there.
    let state = coordinator.state();
    let needed: BTreeSet<ObjectKey> = state
        .deliveries
        .values()
        .map(|delivery| keys::event_body(delivery.event.id))
        .collect();
    let mut removed = 0;
    for body in bodies.difference(&needed) {
        store.delete(body).await?;
        removed += 1;
    }
    Ok(removed)
}

/// Removes every body that no delivery needs; gives how many.
///
/// # Errors
/// When the store fails.
pub(super) async fn remove_orphans(
    coordinator: &dyn Coordinator,
    store: &dyn ObjectStore,
) -> Result<usize, StoreError> {
    let kept = store.list(keys::EVENT_BODIES).await?;
    let bodies = kept.into_iter().map(|listed| listed.key).collect();
    remove(bodies, coordinator, store).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actors::ports::{Leadership, ProposeError};
    use bytes::Bytes;
    use cluster::command::{Command, Outcome};
    use cluster::model::{
        Delivery, DeliveryId, DeliveryStatus, Event, EventId, EventKind, JobId, LogIndex, RanTime,
        Seq, Subject, Target,
    };
    use futures::future::BoxFuture;
    use tokio::sync::watch;

    use super::*;
    use crate::store::LocalStore;

    /// Applied state that does not change.
    struct Still(Arc<State>);

    impl Coordinator for Still {
        fn propose(&self, _: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
            unreachable!("removing proposes nothing")
        }

        fn state(&self) -> Arc<State> {
            Arc::clone(&self.0)
        }

        fn applied(&self) -> watch::Receiver<LogIndex> {
            unreachable!("removing follows nothing")
        }

        fn leadership(&self) -> watch::Receiver<Leadership> {
            unreachable!("removing follows nothing")
        }
    }

    fn delivery(id: u128, event: u128, settled_at: Option<u64>) -> Arc<Delivery> {
        Arc::new(Delivery {
            id: DeliveryId(id),
            workspace: "acme".to_owned(),
            event: Event {
                id: EventId(event),
                kind: EventKind::RenderQueued,
                subject: Subject::Job(JobId(1)),
                sequence: Seq(1),
                at: LogTime(1),
            },
            target: Target::Url("http://a.example/".to_owned()),
            status: DeliveryStatus::Pending,
            due: RanTime(1),
            lease: None,
            tries: 0,
            attempts: Vec::new(),
            settled_at: settled_at.map(LogTime),
        })
    }

    #[tokio::test]
    async fn a_body_stays_for_as_long_as_a_delivery_tells_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = LocalStore::open(directory.path()).unwrap();
        for event in 1..=3 {
            let key = keys::event_body(EventId(event));
            store.put(key, Bytes::from_static(b"{}")).await.unwrap();
        }
        // Event 1 was delivered to one of two, event 2 to all; event 3 is not in the state.
        let mut state = State::default();
        for one in [
            delivery(1, 1, Some(5)),
            delivery(2, 1, None),
            delivery(3, 2, Some(5)),
        ] {
            state.deliveries.insert(one.id, one);
        }
        let old = settled_before(&state, LogTime(6));
        assert_eq!(old.len(), 2);
        assert!(settled_before(&state, LogTime(5)).is_empty());
        state.deliveries.remove(&DeliveryId(1));
        state.deliveries.remove(&DeliveryId(3));
        let log = Still(Arc::new(state));

        assert_eq!(remove(old, &log, &store).await.unwrap(), 1, "event 2");
        assert_eq!(remove_orphans(&log, &store).await.unwrap(), 1, "event 3");
        let left = store.list(keys::EVENT_BODIES).await.unwrap();
        let left: Vec<_> = left.into_iter().map(|listed| listed.key).collect();
        assert_eq!(left, [keys::event_body(EventId(1))]);
    }
}
