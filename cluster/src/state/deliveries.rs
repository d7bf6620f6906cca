//! Deliveries of events: written together with the change that the event reports, leased to
//! a sender, settled by the receiver's answer.

use std::sync::Arc;

use super::State;
use crate::command::{DeliveryResult, DeliveryRound, DeliveryVerdict, Outcome, Rejection};
use crate::model::{
    Delivery, DeliveryId, DeliveryLease, DeliveryStatus, Disabled, EndpointId, Event, EventId,
    EventKind, Seq, Subject, Target,
};

/// Finished tries that a delivery remembers: the schedule's eight and a retry by hand.
const MAX_ATTEMPTS: usize = 10;

/// Bytes of an error's text that are kept.
const ERROR_LEN: usize = 160;

impl State {
    /// Writes one delivery for every receiver of an event, if it has any.
    pub(super) fn announce(
        &mut self,
        workspace: &str,
        kind: EventKind,
        subject: Subject,
        sequence: Seq,
        instead: Option<Target>,
    ) {
        let targets: Vec<Target> = match instead {
            Some(target) => vec![target],
            None => self
                .endpoints
                .values()
                .filter(|endpoint| {
                    endpoint.workspace == workspace
                        && endpoint.disabled.is_none()
                        && endpoint.events.contains(&kind)
                })
                .map(|endpoint| Target::Endpoint(endpoint.id))
                .collect(),
        };
        if targets.is_empty() {
            return;
        }
        let event = Event {
            id: EventId(self.fresh_ulid()),
            kind,
            subject,
            sequence,
            at: self.now,
        };
        for target in targets {
            let id = DeliveryId(self.fresh_ulid());
            let delivery = Delivery {
                id,
                workspace: workspace.to_owned(),
                event,
                target,
                status: DeliveryStatus::Pending,
                due: self.ran,
                lease: None,
                tries: 0,
                attempts: Vec::new(),
                settled_at: None,
            };
            self.due.insert((delivery.due, id), ());
            self.deliveries.insert(id, Arc::new(delivery));
        }
    }

    /// A ULID that no other has: log time and a count of those made so far. Ids of events
    /// are drawn in `apply`, where there are no random numbers.
    fn fresh_ulid(&mut self) -> u128 {
        self.next_ulid += 1;
        (u128::from(self.now.0) & 0xffff_ffff_ffff) << 80 | u128::from(self.next_ulid)
    }

    pub(super) fn delivery_round(&mut self, delivery_round: DeliveryRound) -> Outcome {
        for result in delivery_round.results {
            self.delivery_tried(result);
        }
        let leased = delivery_round
            .leases
            .into_iter()
            .map(|(id, lease)| self.lease_delivery(id, lease))
            .collect();
        Outcome::Leased(leased)
    }

    fn lease_delivery(&mut self, id: DeliveryId, lease: DeliveryLease) -> bool {
        let ran = self.ran;
        let nodes = self.nodes.clone();
        let is_current = |node, incarnation| {
            nodes
                .get(&node)
                .is_some_and(|info| info.incarnation == incarnation)
        };
        let Some(delivery) = self.deliveries.get_mut(&id) else {
            return false;
        };
        if !delivery.is_leasable(ran, is_current) {
            return false;
        }
        Arc::make_mut(delivery).lease = Some(lease);
        true
    }

    fn delivery_tried(&mut self, result: DeliveryResult) {
        let (now, ran) = (self.now, self.ran);
        let Some(delivery) = self.deliveries.get_mut(&result.delivery) else {
            return;
        };
        let delivery = Arc::make_mut(delivery);
        // Reported twice, or tried by two senders: the first result counts.
        if delivery.status != DeliveryStatus::Pending
            || delivery.attempts.last() == Some(&result.attempt)
        {
            return;
        }
        let mut attempt = result.attempt;
        if let Some(error) = &mut attempt.error {
            error.truncate(error.floor_char_boundary(ERROR_LEN));
        }
        if delivery.attempts.len() >= MAX_ATTEMPTS {
            delivery.attempts.remove(0);
        }
        delivery.attempts.push(attempt);
        delivery.tries += 1;
        delivery.lease = None;
        self.due.remove(&(delivery.due, delivery.id));
        let settled = match result.verdict {
            DeliveryVerdict::Retry(due) => {
                delivery.due = due.max(ran);
                self.due.insert((delivery.due, delivery.id), ());
                return;
            }
            DeliveryVerdict::Delivered => DeliveryStatus::Delivered,
            DeliveryVerdict::GiveUp | DeliveryVerdict::Gone => DeliveryStatus::Failed,
        };
        delivery.status = settled;
        delivery.settled_at = Some(now);
        if result.verdict == DeliveryVerdict::Gone
            && let Target::Endpoint(endpoint) = delivery.target
        {
            self.disable_endpoint(endpoint, Disabled::Gone);
        }
    }

    /// Those that are pending stay.
    pub(super) fn forget_deliveries(&mut self, deliveries: &[DeliveryId]) -> Outcome {
        for id in deliveries {
            let delivery = self.deliveries.get(id);
            if delivery.is_some_and(|delivery| delivery.status != DeliveryStatus::Pending) {
                self.deliveries.remove(id);
            }
        }
        Outcome::Accepted
    }

    pub(super) fn retry_delivery(&mut self, id: DeliveryId, workspace: &str) -> Outcome {
        let ran = self.ran;
        let known = self
            .deliveries
            .get(&id)
            .filter(|delivery| delivery.workspace == workspace);
        let Some(delivery) = known else {
            return Outcome::Rejected(Rejection::UnknownDelivery);
        };
        if delivery.status == DeliveryStatus::Pending {
            return Outcome::Rejected(Rejection::DeliveryPending);
        }
        let has_receiver = match &delivery.target {
            Target::Url(_) => true,
            Target::Endpoint(endpoint) => self
                .endpoints
                .get(endpoint)
                .is_some_and(|endpoint| endpoint.disabled.is_none()),
        };
        if !has_receiver {
            return Outcome::Rejected(Rejection::UnknownEndpoint);
        }
        if let Some(delivery) = self.deliveries.get_mut(&id).map(Arc::make_mut) {
            delivery.status = DeliveryStatus::Pending;
            delivery.settled_at = None;
            delivery.lease = None;
            delivery.tries = 0;
            delivery.due = ran;
            self.due.insert((ran, id), ());
        }
        Outcome::Accepted
    }

    /// What is on its way to this endpoint will not be sent.
    pub(super) fn drop_deliveries_to(&mut self, endpoint: EndpointId) {
        let now = self.now;
        let target = Target::Endpoint(endpoint);
        let dropped: Vec<_> = self
            .due
            .keys()
            .filter(|(_, id)| {
                self.deliveries
                    .get(id)
                    .is_some_and(|delivery| delivery.target == target)
            })
            .copied()
            .collect();
        for (due, id) in dropped {
            self.due.remove(&(due, id));
            if let Some(delivery) = self.deliveries.get_mut(&id).map(Arc::make_mut) {
                delivery.status = DeliveryStatus::Dropped;
                delivery.settled_at = Some(now);
                delivery.lease = None;
            }
        }
    }
}
