//! What is leased, in which order, and what follows from a try.

mod due;
mod shares;

use std::time::Duration;

use cluster::State;
use cluster::command::{Command, DeliveryRound, DeliveryVerdict, Outcome, Stamped};
use cluster::model::*;

use super::core::{QueueCore, Schedule};
use crate::ports::{Answered, Times};
use crate::testkit;

const US: (NodeId, Incarnation) = (NodeId(1), Incarnation(1));

struct World {
    state: State,
    core: QueueCore,
    now: u64,
}

impl World {
    /// An endpoint at each of these URLs, subscribed to every event.
    fn new(urls: &[&str]) -> Self {
        let endpoints: Vec<_> = urls.iter().map(|url| ("acme", *url)).collect();
        Self::of(&endpoints)
    }

    /// Endpoints of these workspaces at these URLs, subscribed to every event.
    fn of(endpoints: &[(&str, &str)]) -> Self {
        let mut world = Self {
            state: State::default(),
            core: QueueCore::default(),
            now: 1_000_000,
        };
        world.apply(Command::RegisterNode(NodeInfo {
            id: US.0,
            incarnation: US.1,
            address: String::new(),
            version: String::new(),
            roles: Roles::default(),
            slots: 1,
            gpu: String::new(),
            fingerprint: Fingerprint(Digest([0; 32])),
            state: NodeState::Ready,
            registered_at: LogTime(0),
        }));
        for (id, (workspace, url)) in (1u128..).zip(endpoints) {
            world.apply(Command::CreateEndpoint(Endpoint {
                id: EndpointId(id),
                workspace: (*workspace).to_owned(),
                url: (*url).to_owned(),
                events: EventKind::ALL.to_vec(),
                secret: Secret {
                    current: Sealed(vec![u8::try_from(id).unwrap()]),
                    previous: None,
                },
                disabled: None,
                created_at: LogTime(0),
            }));
        }
        world
    }

    fn apply(&mut self, command: Command) -> Outcome {
        let index = LogIndex(self.state.applied.0 + 1);
        let at = LogTime(self.now);
        self.state.apply(
            index,
            Stamped {
                at,
                ran: None,
                command,
            },
        )
    }

    /// So many renders, each queued: one event an endpoint.
    fn submit(&mut self, jobs: u128) {
        self.submit_of("acme", 1..=jobs);
    }

    /// These renders of a workspace, each queued.
    fn submit_of(&mut self, workspace: &str, jobs: impl IntoIterator<Item = u128>) {
        for job in jobs {
            self.apply(Command::SubmitJob(Submission {
                job: JobId(job),
                workspace: workspace.to_owned(),
                priority: 0,
                request: testkit::object("request", 2),
                idempotency: None,
            }));
        }
    }

    /// Both clocks; they show the same here.
    fn times(&self) -> Times {
        Times {
            now: LogTime(self.now),
            ran: RanTime(self.now),
        }
    }

    fn round(&mut self, is_draining: bool) -> Option<DeliveryRound> {
        let (schedule, times) = (Schedule::default(), self.times());
        self.core
            .round(&self.state, US, times, &schedule, is_draining)
    }

    /// Commits one round; returns the deliveries that are leased now.
    fn lease(&mut self) -> Vec<DeliveryId> {
        let Some(command) = self.round(false) else {
            return Vec::new();
        };
        let ids: Vec<_> = command.leases.iter().map(|(id, _)| *id).collect();
        match self.apply(Command::DeliveryRound(command)) {
            Outcome::Leased(given) => self.core.settled(&ids, Some(&given)),
            other => panic!("unexpected outcome of the command: {other:?}"),
        }
    }

    fn sent(&mut self, id: DeliveryId, status: Option<u16>) {
        self.sent_after(id, status, 5);
    }

    /// A try that took so many milliseconds has ended.
    fn sent_after(&mut self, id: DeliveryId, status: Option<u16>, took: u64) {
        let delivery = self.state.deliveries[&id].as_ref().clone();
        let answered = Answered {
            status,
            error: None,
        };
        let (began, now) = (self.times(), RanTime(self.now + took));
        self.core
            .sent(&delivery, began, &answered, now, &Schedule::default(), 0.0);
    }
}

#[test]
fn a_host_gets_four_at_a_time_and_does_not_hold_up_others() {
    let mut world = World::new(&[
        "http://slow.example/a",
        "http://SLOW.example/b",
        "http://b.example/",
    ]);
    world.submit(6);
    let first = world.lease();
    let to_slow = |world: &World, ids: &[DeliveryId]| {
        ids.iter()
            .filter(|&id| world.state.deliveries[id].target != Target::Endpoint(EndpointId(3)))
            .count()
    };
    assert_eq!(to_slow(&world, &first), 4, "two endpoints, one host");
    assert_eq!(first.len(), 8, "and four to the other");
    assert!(world.lease().is_empty(), "until one has ended");
    world.sent(first[0], Some(204));
    assert_eq!(world.lease().len(), 1);
}

#[test]
fn a_try_that_fails_is_made_again_on_schedule_until_none_is_left() {
    let mut world = World::new(&["http://a.example/"]);
    world.submit(1);
    let delays = [5, 30, 120, 600, 3600, 21_600, 86_400];
    for delay in delays {
        let [id] = world.lease()[..] else {
            panic!("not due after the delay before {delay} s");
        };
        world.sent(id, Some(500));
        world.lease();
        let delivery = &world.state.deliveries[&id];
        assert_eq!(delivery.due, RanTime(world.now + 5 + delay * 1000));
        world.now += delay * 1000;
        assert!(world.lease().is_empty(), "not before its time");
        world.now += 5;
    }
    let [id] = world.lease()[..] else {
        panic!("the eighth try");
    };
    world.sent(id, None);
    world.lease();
    let delivery = &world.state.deliveries[&id];
    assert_eq!(delivery.status, DeliveryStatus::Failed);
    assert_eq!(delivery.attempts.len(), 8);
}

#[test]
fn jitter_only_ever_adds_a_tenth() {
    let schedule = Schedule::default();
    let at = |jitter| schedule.next(0, RanTime(0), jitter).unwrap();
    assert_eq!((at(-1.0), at(0.0)), (RanTime(5000), RanTime(5000)));
    assert_eq!((at(1.0), at(9.0)), (RanTime(5500), RanTime(5500)));
    assert_eq!(schedule.next(7, RanTime(0), 0.0), None);
}

#[test]
fn answers_decide() {
    let cases = [
        (Some(200), DeliveryStatus::Delivered),
        (Some(299), DeliveryStatus::Delivered),
        (Some(302), DeliveryStatus::Pending),
        (Some(404), DeliveryStatus::Pending),
        (Some(410), DeliveryStatus::Failed),
        (None, DeliveryStatus::Pending),
    ];
    for (status, want) in cases {
        let mut world = World::new(&["http://a.example/"]);
        world.submit(1);
        let [id] = world.lease()[..] else {
            panic!("one is due");
        };
        world.sent(id, status);
        world.lease();
        assert_eq!(world.state.deliveries[&id].status, want, "{status:?}");
    }
}

#[test]
fn what_was_tried_is_told_again_until_it_is_committed() {
    let mut world = World::new(&["http://a.example/"]);
    world.submit(1);
    let [id] = world.lease()[..] else {
        panic!("one is due");
    };
    world.sent(id, Some(200));
    let proposed = world.round(false).unwrap();
    assert_eq!(proposed.results[0].verdict, DeliveryVerdict::Delivered);
    assert!(world.round(false).is_none(), "one proposal at a time");
    world.core.settled(&[], None);
    assert_eq!(world.round(false), Some(proposed), "its outcome was lost");
}

#[test]
fn a_successor_takes_over_what_its_predecessor_was_sending() {
    let mut world = World::new(&["http://a.example/"]);
    world.submit(1);
    assert_eq!(world.lease().len(), 1);
    world.core = QueueCore::default();
    assert!(world.lease().is_empty(), "the lease holds");
    let mut node = world.state.nodes[&US.0].clone();
    node.incarnation = Incarnation(2);
    world.apply(Command::RegisterNode(node));
    let times = world.times();
    let command = world
        .core
        .round(
            &world.state,
            (US.0, Incarnation(2)),
            times,
            &Schedule::default(),
            false,
        )
        .unwrap();
    assert_eq!(command.leases.len(), 1, "its holder is gone");
    assert!(Schedule::default().lease > Duration::from_secs(10));
}

#[test]
fn a_sender_that_drains_leases_nothing_and_still_tells() {
    let mut world = World::new(&["http://a.example/"]);
    world.submit(2);
    let first = world.lease();
    world.sent(first[0], Some(200));
    world.sent(first[1], Some(200));
    world.submit(3);
    let proposed = world.round(true).unwrap();
    assert_eq!((proposed.results.len(), proposed.leases.len()), (2, 0));
}
