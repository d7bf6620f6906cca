//! Three members over a simulated network, disk and clock, for as many seeds as wanted.
//!
//! A run is one thread with a paused clock: openraft, [`Member`](super::member::Member), the
//! read barrier, the state machine, the snapshot files, the cluster's clocks and what keeps
//! them are the product's; the log, the network, the machines' clocks, how long a disk takes
//! and what a crash leaves of it are simulated. All of that is drawn from the seed, so the
//! same seed gives the same run. (openraft draws election timeouts from a generator of its
//! own; each start of a member gets a range of one value.)
//!
//! Clients propose random histories; nodes poll, lose answers and start anew. Of three runs,
//! one has one wall clock that is set again and again, one has two that are hours ahead and
//! put right, and one has three that show anything.
//!
//! `SEED=7` runs one seed, `FRAMELANE_SEEDS=5000` so many of them.
//!
//! # Mutants
//! That the runs find what they are for is tried by undoing it: `make mutants` changes the product
//! in ten ways, one after another (`.ci/mutants` has them), and counts the seeds that fail.

mod checker;
mod client;
mod clock;
mod group;
#[path = "../../../tests/support/history.rs"]
mod history;
mod log;
mod machine;
mod network;
mod poller;
mod run_rules;
mod tests;
mod time_rules;
mod world;

use std::time::Duration;

pub(super) use clock::SimulatedVoters;
pub(super) use log::SimulatedLog;

use checker::Counts;
use client::Client;
use group::{Group, MEMBERS};
use poller::Poller;
use time_rules::check_settled;
use world::World;

use crate::model::Digest;

/// How long a run goes on with faults, in simulated time.
const WITH_FAULTS: Duration = Duration::from_secs(40);

/// Once all faults have ended, the members agree within this.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// A leader has asked the voters for their clocks since the last fault after this.
const VOTERS_ASKED_WITHIN: Duration = Duration::from_secs(13);

/// Between the two readings of the clocks at the end.
const BETWEEN_READINGS: Duration = Duration::from_secs(10);

/// How often the members are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What a run came to.
struct Run {
    /// Digest of all that happened.
    history: Digest,
    counts: Counts,
    violation: Option<String>,
}

/// Runs a future on a clock that stands still while anything is to be done.
fn in_simulated_time<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Runs one seed.
fn run(seed: u64) -> Run {
    in_simulated_time(async {
        let world = World::new(seed);
        let group = Group::found(world.clone()).await;
        let mut tasks = vec![tokio::spawn(faults(group.clone()))];
        for client in 0..3 {
            let client = Client::new(group.clone(), seed ^ (client << 48));
            tasks.push(tokio::spawn(client.run()));
        }
        for node in [10, 11] {
            let poller = Poller::new(group.clone(), node, seed ^ (node << 48));
            tasks.push(tokio::spawn(poller.run()));
        }
        let is_ended = watch(&group, WITH_FAULTS, |_| false).await;
        for task in tasks {
            task.abort();
            drop(task.await);
        }
        if !is_ended {
            settle(&group, seed).await;
        }
        group.stop().await;
        let world = world.lock();
        Run {
            history: world.checker.history(),
            counts: world.checker.counts,
            violation: world.checker.violation().map(str::to_owned),
        }
    })
}

/// Looks at the members until `limit` is over, something is wrong, or `is_done`; whether it
/// ended early.
async fn watch(group: &Group, limit: Duration, is_done: impl Fn(&Group) -> bool) -> bool {
    let begun = group.world.elapsed();
    while group.world.elapsed() - begun < limit {
        group.look();
        if group.world.lock().checker.violation().is_some() || is_done(group) {
            return true;
        }
        tokio::time::sleep(LOOK).await;
    }
    false
}

/// Ends all faults; then everything works again, and all copies are the same.
async fn settle(group: &Group, seed: u64) {
    {
        let mut world = group.world.lock();
        world.cut.clear();
        world.loss = 0;
    }
    group.world.put_walls_right();
    for id in MEMBERS {
        group.start(id).await;
    }
    let before = group.world.lock().checker.counts.answers;
    let mut client = Client::new(group.clone(), seed ^ (9 << 48));
    let works_again = async {
        while group.world.lock().checker.counts.answers < before + 3 {
            client.propose().await;
        }
    };
    let is_working = tokio::select! {
        biased;
        () = works_again => true,
        _ = watch(group, SETTLED_WITHIN, |_| false) => false,
    };
    let floor = group.world.lock().checker.acknowledged();
    let is_settled =
        is_working && watch(group, SETTLED_WITHIN, |group| group.is_settled(floor)).await;
    if !is_settled {
        let status = group.status();
        let mut world = group.world.lock();
        let what = if is_working {
            "copies differ"
        } else {
            "nothing is answered"
        };
        let how = format!("{what} long after the last fault: {status:#?}");
        world.checker.violate(how);
        return;
    }
    watch(group, VOTERS_ASKED_WITHIN, |_| false).await;
    let first = client.propose().await;
    watch(group, BETWEEN_READINGS, |_| false).await;
    let second = client.propose().await;
    if let (Some(first), Some(second)) = (first, second)
        && first.leader == second.leader
    {
        let mut world = group.world.lock();
        let is_one_wrong = world.checker.time.is_one_wrong;
        world
            .checker
            .expect(check_settled(&first, &second, is_one_wrong));
        world.checker.counts.settled_clocks += 1;
    }
}

/// Lets things go wrong.
async fn faults(group: Group) {
    let world = group.world.clone();
    loop {
        world.pause(100..1_200).await;
        let id = world.draw(*MEMBERS.start()..MEMBERS.end() + 1);
        match world.draw(0..100) {
            0..20 => {
                group.crash(id);
                group.restart_later(vec![id]);
            }
            20..23 => {
                MEMBERS.for_each(|id| group.crash(id));
                group.restart_later(MEMBERS.collect());
            }
            23..45 => {
                let others = MEMBERS.filter(|other| *other != id);
                let is_deaf = world.chance(70);
                let is_mute = !is_deaf || world.chance(70);
                let cut = others.flat_map(|other| {
                    [((id, other), is_mute), ((other, id), is_deaf)]
                        .into_iter()
                        .filter_map(|(way, is_cut)| is_cut.then_some(way))
                });
                world.lock().cut = cut.collect();
                world.lock().checker.counts.partitions += 1;
                // What it builds now is older than what the others install on it later.
                if world.chance(50) {
                    group.snapshot(id).await;
                }
                world.pause(300..6_000).await;
                if world.chance(50) {
                    for other in MEMBERS.filter(|other| *other != id) {
                        group.snapshot(other).await;
                    }
                }
                world.lock().cut.clear();
            }
            45..50 => {
                let loss = u32::try_from(world.draw(1..30)).unwrap();
                world.lock().loss = loss;
                world.pause(500..4_000).await;
                world.lock().loss = 0;
            }
            50..60 => {
                world.set_walls(id);
            }
            _ => group.snapshot(id).await,
        }
    }
}
