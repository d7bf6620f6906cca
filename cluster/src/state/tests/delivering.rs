//! Events, their receivers, and tries.

use super::world::*;
use crate::command::{Command, DeliveryResult, DeliveryRound, DeliveryVerdict, Outcome, Rejection};
use crate::model::*;

fn delivery(world: &World) -> &Delivery {
    world.state.deliveries.values().next().unwrap()
}

fn tried(world: &World, status: u16, verdict: DeliveryVerdict) -> Command {
    Command::DeliveryRound(DeliveryRound {
        results: vec![DeliveryResult {
            delivery: delivery(world).id,
            attempt: DeliveryAttempt {
                at: LogTime(world.time),
                status: Some(status),
                error: None,
                duration_millis: 3,
            },
            verdict,
        }],
        leases: Vec::new(),
    })
}

fn leased(world: &mut World, incarnation: u128, until: u64) -> bool {
    let lease = DeliveryLease {
        node: NODE,
        incarnation: Incarnation(incarnation),
        until: RanTime(until),
    };
    let id = delivery(world).id;
    let outcome = world.apply(Command::DeliveryRound(DeliveryRound {
        results: Vec::new(),
        leases: vec![(id, lease)],
    }));
    outcome == Outcome::Leased(vec![true])
}

/// One delivery of `render.queued`, due.
fn announced() -> World {
    let mut world = World::new();
    world.apply(Command::CreateEndpoint(endpoint(
        1,
        &[EventKind::RenderQueued],
    )));
    world.apply(Command::SubmitJob(submission(JOB)));
    world
}

#[test]
fn every_subscribed_endpoint_of_the_workspace_is_told_once() {
    let mut world = World::new();
    world.apply(Command::CreateEndpoint(endpoint(
        1,
        &[EventKind::RenderQueued, EventKind::RenderProcessing],
    )));
    world.apply(Command::CreateEndpoint(endpoint(
        2,
        &[EventKind::RenderQueued],
    )));
    let mut theirs = endpoint(3, &EventKind::ALL);
    theirs.workspace = "other".to_owned();
    world.apply(Command::CreateEndpoint(theirs));
    world.apply(Command::SubmitJob(submission(JOB)));
    world.grant(TaskKind::Prepare).unwrap();
    let announced: Vec<_> = world
        .state
        .deliveries
        .values()
        .map(|delivery| (delivery.event.kind, delivery.target.clone()))
        .collect();
    assert_eq!(
        announced,
        [
            (EventKind::RenderQueued, Target::Endpoint(EndpointId(1))),
            (EventKind::RenderQueued, Target::Endpoint(EndpointId(2))),
            (EventKind::RenderProcessing, Target::Endpoint(EndpointId(1))),
        ]
    );
    let ids: std::collections::BTreeSet<_> = world
        .state
        .deliveries
        .values()
        .map(|delivery| delivery.event.id)
        .collect();
    assert_eq!(ids.len(), 2, "one id an event for all its receivers");
}

#[test]
fn a_request_with_a_url_of_its_own_tells_only_that() {
    let mut world = World::new();
    world.apply(Command::CreateEndpoint(endpoint(1, &EventKind::ALL)));
    world.apply(Command::Admit(Admission {
        submission: submission(JOB),
        assets: Vec::new(),
        webhook_url: Some("https://example.com/mine".to_owned()),
        has_destination: false,
    }));
    world.apply(Command::CancelJob {
        job: JOB,
        workspace: "acme".to_owned(),
    });
    let own = Target::Url("https://example.com/mine".to_owned());
    assert_eq!(world.state.deliveries.len(), 2);
    assert!(
        world
            .state
            .deliveries
            .values()
            .all(|delivery| delivery.target == own)
    );
    assert_eq!(world.job().webhook_url, None, "an ended job stays small");
}

#[test]
fn a_lease_excludes_others_until_it_runs_out_or_its_holder_restarts() {
    let mut world = announced();
    let until = world.time + 20_000;
    assert!(leased(&mut world, 1, until));
    assert!(!leased(&mut world, 1, until), "held");
    world.time = until;
    assert!(leased(&mut world, 1, until + 20_000), "ran out");
    world.apply(Command::RegisterNode(node(NODE, 2)));
    assert!(leased(&mut world, 2, until + 20_000), "its holder is gone");
}

#[test]
fn a_failed_try_is_due_again_and_a_successful_one_settles() {
    let mut world = announced();
    let due = RanTime(world.time + 5_000);
    world.apply(tried(&world, 500, DeliveryVerdict::Retry(due)));
    assert_eq!(delivery(&world).due, due);
    assert_eq!(delivery(&world).tries, 1);
    let until = world.time + 60_000;
    assert!(!leased(&mut world, 1, until), "not yet");
    world.time = due.0;
    world.apply(tried(&world, 200, DeliveryVerdict::Delivered));
    assert_eq!(delivery(&world).status, DeliveryStatus::Delivered);
    assert_eq!(delivery(&world).attempts.len(), 2);
    world.apply(tried(&world, 500, DeliveryVerdict::GiveUp));
    assert_eq!(
        delivery(&world).status,
        DeliveryStatus::Delivered,
        "the first result counts"
    );
}

#[test]
fn a_receiver_that_is_gone_disables_its_endpoint() {
    let mut world = announced();
    world.apply(tried(&world, 410, DeliveryVerdict::Gone));
    assert_eq!(delivery(&world).status, DeliveryStatus::Failed);
    assert!(world.state.endpoints[&EndpointId(1)].disabled.is_some());
    world.apply(Command::SubmitJob(submission(JobId(2))));
    assert_eq!(world.state.deliveries.len(), 1, "it is sent nothing more");
    let retry = Command::RetryDelivery {
        delivery: delivery(&world).id,
        workspace: "acme".to_owned(),
    };
    assert_eq!(
        world.apply(retry),
        Outcome::Rejected(Rejection::UnknownEndpoint)
    );
}

#[test]
fn a_settled_delivery_can_be_asked_for_again() {
    let mut world = announced();
    let retry = Command::RetryDelivery {
        delivery: delivery(&world).id,
        workspace: "acme".to_owned(),
    };
    assert_eq!(
        world.apply(retry.clone()),
        Outcome::Rejected(Rejection::DeliveryPending)
    );
    world.apply(tried(&world, 500, DeliveryVerdict::GiveUp));
    assert_eq!(world.apply(retry), Outcome::Accepted);
    assert_eq!(delivery(&world).status, DeliveryStatus::Pending);
    assert_eq!(delivery(&world).tries, 0, "the schedule begins anew");
    assert_eq!(delivery(&world).attempts.len(), 1, "the log stays");
}

#[test]
fn removing_an_endpoint_drops_what_is_on_its_way() {
    let mut world = announced();
    let delete = |workspace: &str| Command::DeleteEndpoint {
        endpoint: EndpointId(1),
        workspace: workspace.to_owned(),
    };
    assert_eq!(
        world.apply(delete("other")),
        Outcome::Rejected(Rejection::UnknownEndpoint)
    );
    assert_eq!(world.apply(delete("acme")), Outcome::Accepted);
    assert_eq!(delivery(&world).status, DeliveryStatus::Dropped);
    assert!(world.state.due.is_empty());
}

#[test]
fn a_rotated_secret_keeps_the_former_for_a_while_even_when_told_twice() {
    let mut world = announced();
    let rotate = Command::RotateSecret {
        endpoint: EndpointId(1),
        workspace: "acme".to_owned(),
        secret: Sealed(vec![9]),
        overlap_millis: 1_000,
    };
    world.apply(rotate.clone());
    world.apply(rotate);
    let secret = &world.state.endpoints[&EndpointId(1)].secret;
    assert_eq!(secret.current, Sealed(vec![9]));
    let until = LogTime(world.time + 1_000);
    assert_eq!(secret.previous, Some((Sealed(vec![1]), until)));
}
