//! Receivers that hang do not delay the events of other receivers.

use std::collections::BTreeMap;

use super::super::shares::Shares;
use super::*;

/// How long a receiver that hangs holds a try.
const HANG: u64 = 10_000;

fn workspace_of(world: &World, id: DeliveryId) -> String {
    world.state.deliveries[&id].workspace.clone()
}

/// Endpoints of `count` workspaces, `each` of them, all at hosts of their own.
fn hostile(count: usize, each: usize) -> Vec<(String, String)> {
    (0..count)
        .flat_map(|of| {
            (0..each).map(move |n| (format!("hostile-{of}"), format!("http://{of}-{n}.example/")))
        })
        .collect()
}

fn world_of(endpoints: &[(String, String)]) -> World {
    let endpoints: Vec<_> = endpoints
        .iter()
        .map(|(workspace, url)| (workspace.as_str(), url.as_str()))
        .collect();
    World::of(&endpoints)
}

#[test]
fn two_workspaces_of_sixteen_hanging_receivers_leave_room_for_a_third() {
    let mut endpoints = hostile(2, 16);
    endpoints.push(("good".to_owned(), "http://good.example/".to_owned()));
    let mut world = world_of(&endpoints);
    world.submit_of("hostile-0", 1..=4);
    world.submit_of("hostile-1", 11..=14);
    let mut hanging = 0;
    loop {
        let leased = world.lease();
        if leased.is_empty() {
            break;
        }
        hanging += leased.len();
    }
    assert!(hanging >= 8, "they have shares too: {hanging}");
    world.submit_of("good", [21]);
    let [id] = world.lease()[..] else {
        panic!("the third workspace waits behind {hanging} receivers that hang");
    };
    assert_eq!(workspace_of(&world, id), "good");
}

#[test]
fn the_workspace_with_the_fewest_tries_under_way_goes_first() {
    let mut world = World::of(&[
        ("busy", "http://a.example/"),
        ("busy", "http://b.example/"),
        ("idle", "http://c.example/"),
    ]);
    world.submit_of("busy", 1..=3);
    world.now += 1;
    world.submit_of("idle", 4..=5);
    let leased = world.lease();
    let turns: Vec<_> = leased.iter().map(|id| workspace_of(&world, *id)).collect();
    assert_eq!(
        turns[..4],
        ["busy", "idle", "busy", "idle"],
        "in turn, independent of the order of arrival"
    );
    assert_eq!(turns.len(), 8);
}

#[test]
fn a_host_that_many_workspaces_name_is_not_one_workspaces_to_fill() {
    let mut world = World::of(&[
        ("a", "http://shared.example/a"),
        ("b", "http://shared.example/b"),
    ]);
    world.submit_of("a", 1..=9);
    assert_eq!(world.lease().len(), 4, "half of the host's share");
    world.submit_of("b", 11..=19);
    assert_eq!(world.lease().len(), 4, "the other half");
}

#[test]
fn limits_of_one_still_send() {
    let mut world = World::new(&["http://a.example/"]);
    world.submit(2);
    let schedule = Schedule {
        shares: Shares {
            all: 0,
            per_workspace: 0,
            per_host: 0,
        },
        ..Schedule::default()
    };
    let command = world
        .core
        .round(&world.state, US, world.times(), &schedule, false)
        .unwrap();
    assert_eq!(command.leases.len(), 1);
}

#[test]
fn a_receiver_that_keeps_timing_out_gets_one_try_at_a_time_and_ever_longer_rests() {
    let mut world = World::new(&["http://slow.example/", "http://good.example/"]);
    world.submit(20);
    let is_slow = |world: &World, id: &DeliveryId| {
        world.state.deliveries[id].target == Target::Endpoint(EndpointId(1))
    };
    let mut tries = 0;
    let mut began = Vec::new();
    let end = world.now + 3600 * 1000;
    while world.now < end {
        let leased = world.lease();
        let (slow, good): (Vec<_>, Vec<_>) = leased.into_iter().partition(|id| is_slow(&world, id));
        for id in good {
            world.sent(id, Some(200));
        }
        if tries > 0 {
            assert!(slow.len() <= 1, "one at a time");
        }
        if !slow.is_empty() {
            began.push(world.now);
            tries += slow.len();
        }
        for id in &slow {
            world.sent_after(*id, None, HANG);
        }
        world.now += if slow.is_empty() { 1000 } else { HANG };
    }
    // Alone, each of the 20 deliveries would have had five tries in this hour.
    assert!((10..30).contains(&tries), "{tries} tries in an hour");
    let rests: Vec<_> = began.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        rests.last().copied().unwrap_or(0) >= 600_000,
        "the rests grow to ten minutes: {rests:?}"
    );
    // It answers again: what waited goes out at once, several at a time.
    world.now += 600_000;
    let [id] = world.lease()[..] else {
        panic!("one try finds out");
    };
    world.sent(id, Some(200));
    assert_eq!(world.lease().len(), 4);
}

#[test]
fn a_slow_answer_costs_no_rest_and_a_single_timeout_neither() {
    for status in [Some(200), Some(500), None] {
        let mut world = World::new(&["http://slow.example/"]);
        world.submit(3);
        let leased = world.lease();
        assert_eq!(leased.len(), 3);
        for id in leased {
            world.sent_after(id, status, HANG);
        }
        world.now += HANG;
        world.submit_of("acme", 11..=13);
        assert_eq!(world.lease().len(), 1, "one at a time, now: {status:?}");
    }
}

#[test]
fn the_next_leader_takes_slow_receivers_from_the_log() {
    let mut world = World::new(&["http://slow.example/", "http://good.example/"]);
    world.submit(6);
    for _ in 0..2 {
        for id in world.lease() {
            let is_slow = world.state.deliveries[&id].target == Target::Endpoint(EndpointId(1));
            let (status, took) = if is_slow {
                (None, HANG)
            } else {
                (Some(200), 5)
            };
            world.sent_after(id, status, took);
        }
        world.now += HANG;
    }
    world.round(false);
    let mut known = std::mem::take(&mut world.core);
    drop(known.settled(&[], None));
    // All that was tried is committed, and its successor begins.
    if let Some(command) = known.round(&world.state, US, world.times(), &Schedule::default(), true)
    {
        world.apply(Command::DeliveryRound(command));
    }
    world.now += 3600 * 1000;
    let slow = world
        .lease()
        .iter()
        .filter(|id| world.state.deliveries[*id].target == Target::Endpoint(EndpointId(1)))
        .count();
    assert_eq!(slow, 1, "still one at a time");
}

#[test]
fn what_waits_for_a_receiver_that_is_gone_ends_without_its_turn() {
    let mut world = World::new(&["http://gone.example/"]);
    world.submit(200);
    let end = world.now + 5 * 24 * 3600 * 1000;
    while world.now < end {
        let leased = world.lease();
        for id in &leased {
            world.sent_after(*id, None, HANG);
        }
        world.now += if leased.is_empty() { 30_000 } else { HANG };
    }
    world.lease();
    let open: Vec<_> = world
        .state
        .deliveries
        .values()
        .filter(|delivery| delivery.status != DeliveryStatus::Failed)
        .collect();
    assert!(open.is_empty(), "{} still wait", open.len());
    let untried = world.state.deliveries.values().filter(|delivery| {
        let last = delivery.attempts.last();
        last.and_then(|last| last.error.as_deref())
            .is_some_and(|error| error.starts_with("not tried"))
    });
    assert!(untried.count() > 0, "the attempt gives the reason");
}

#[test]
fn forty_workspaces_whose_receivers_hang_delay_another_only_at_first() {
    let mut endpoints = hostile(40, 4);
    endpoints.push(("good".to_owned(), "http://good.example/".to_owned()));
    let mut world = world_of(&endpoints);
    for of in 0..40 {
        world.submit_of(&format!("hostile-{of}"), (0..5).map(|n| 1 + of * 10 + n));
    }
    let begin = world.now;
    let mut ends: BTreeMap<u64, Vec<(DeliveryId, u64)>> = BTreeMap::new();
    let mut waited: Vec<u64> = Vec::new();
    let mut job = 10_000;
    while world.now < begin + 120_000 {
        job += 1;
        world.submit_of("good", [job]);
        for (id, began) in ends.remove(&world.now).unwrap_or_default() {
            let now = std::mem::replace(&mut world.now, began);
            world.sent_after(id, None, HANG);
            world.now = now;
        }
        loop {
            let leased = world.lease();
            if leased.is_empty() {
                break;
            }
            for id in leased {
                if workspace_of(&world, id) == "good" {
                    let due = world.state.deliveries[&id].due;
                    waited.push(world.now - due.0);
                    world.sent(id, Some(200));
                } else {
                    let end = ends.entry(world.now + HANG).or_default();
                    end.push((id, world.now));
                }
            }
        }
        world.now += 500;
    }
    assert_eq!(waited.len(), 240, "all are sent");
    assert!(waited.iter().max() <= Some(&HANG), "{waited:?}");
    let late = waited.iter().filter(|waited| **waited > 0).count();
    assert!(late <= 20, "only while all hang for the first time: {late}");
}
