//! The order of what waits, kept up change by change.

use std::collections::BTreeMap;

use super::super::due::{DueIndex, Waiting};
use super::*;

fn by_workspace(index: &DueIndex) -> BTreeMap<String, Waiting> {
    let all = index.by_workspace();
    all.map(|(workspace, waiting)| (workspace.to_owned(), waiting.clone()))
        .collect()
}

/// Takes the changes, and gives how many deliveries wait, by workspace and receiver.
fn followed(index: &mut DueIndex, state: &State) -> Vec<(String, Vec<usize>)> {
    index.follow(state);
    let mut anew = DueIndex::default();
    anew.follow(state);
    let waiting = by_workspace(index);
    assert_eq!(waiting, by_workspace(&anew), "as if it were made now");
    waiting
        .into_iter()
        .map(|(workspace, waiting)| {
            (
                workspace,
                waiting.values().map(|queue| queue.len()).collect(),
            )
        })
        .collect()
}

#[test]
fn what_waits_is_known_after_every_change_as_if_all_of_it_were_looked_at() {
    let mut world = World::of(&[
        ("acme", "http://a.example/"),
        ("acme", "http://b.example/"),
        ("other", "http://a.example/"),
    ]);
    let mut index = DueIndex::default();
    assert_eq!(followed(&mut index, &world.state), []);
    world.submit_of("acme", 1..=3);
    world.submit_of("other", [11]);
    let counts = |acme: &[usize], other: usize| {
        vec![
            ("acme".to_owned(), acme.to_vec()),
            ("other".to_owned(), vec![other]),
        ]
    };
    assert_eq!(followed(&mut index, &world.state), counts(&[3, 3], 1));
    // One is delivered, one fails and waits for its next try.
    let leased = world.lease();
    let mut to_acme = leased
        .into_iter()
        .filter(|id| world.state.deliveries[id].target == Target::Endpoint(EndpointId(1)));
    let (first, second) = (to_acme.next().unwrap(), to_acme.next().unwrap());
    world.sent(first, Some(200));
    world.sent(second, Some(500));
    world.lease();
    assert_eq!(followed(&mut index, &world.state), counts(&[2, 3], 1));
    assert_eq!(world.state.deliveries[&second].tries, 1);
    // An operator has the delivered one sent again: what is due now, and was not before.
    world.now += 10;
    world.apply(Command::RetryDelivery {
        delivery: first,
        workspace: "acme".to_owned(),
    });
    assert_eq!(followed(&mut index, &world.state), counts(&[3, 3], 1));
    world.apply(Command::DeleteEndpoint {
        endpoint: EndpointId(2),
        workspace: "acme".to_owned(),
    });
    assert_eq!(followed(&mut index, &world.state), counts(&[3], 1));
    // Another copy of the state, as after a snapshot.
    assert_eq!(followed(&mut index, &State::default()), []);
}

#[test]
fn of_more_than_may_wait_the_oldest_of_the_busiest_receiver_are_given_up() {
    let mut world = World::of(&[
        ("many", "http://many.example/"),
        ("few", "http://few.example/"),
    ]);
    // Nothing is sent: what has been given up shows what the round would not have sent.
    world.submit_of("many", 1..=20_010);
    world.submit_of("few", [1_000_000]);
    let oldest = *world.state.due.keys().next().unwrap();
    let round = world.round(false).unwrap();
    assert_eq!(round.results.len(), 10);
    assert_eq!(round.results[0].delivery, oldest.1);
    for result in &round.results {
        assert_eq!(result.verdict, DeliveryVerdict::GiveUp);
        assert_eq!(world.state.deliveries[&result.delivery].workspace, "many");
        let leased = round.leases.iter().any(|(id, _)| *id == result.delivery);
        assert!(!leased);
    }
    let results = round.results.clone();
    world.apply(Command::DeliveryRound(round));
    let given_up = &world.state.deliveries[&results[0].delivery];
    assert_eq!(given_up.status, DeliveryStatus::Failed, "it is in the log");
}

/// Deliveries that wait for one receiver.
const MANY: usize = 2_000;

#[test]
fn many_that_wait_for_one_receiver_hide_none_for_another() {
    let mut world = World::of(&[
        ("many", "http://many.example/"),
        ("one", "http://one.example/"),
    ]);
    world.submit_of("many", 1..=MANY as u128);
    world.submit_of("one", [1_000_000]);
    let mut index = DueIndex::default();
    index.follow(&world.state);
    let all = by_workspace(&index);
    assert_eq!(
        all["many"].values().map(|queue| queue.len()).sum::<usize>(),
        MANY
    );
    let leased = world.lease();
    assert!(leased.len() < 10, "{}", leased.len());
    let to_one = leased
        .iter()
        .filter(|id| world.state.deliveries[*id].workspace == "one");
    assert_eq!(to_one.count(), 1);
}
