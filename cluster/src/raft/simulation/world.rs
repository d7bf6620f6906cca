//! What the members of a run share: the seed's randomness, the network's condition, who
//! runs, and the checker.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use super::checker::Checker;
use super::clock::WallFaults;
use crate::raft::Raft;
use crate::raft::disk::{Disk, Step};

/// Clones share one world.
#[derive(Clone)]
pub(in crate::raft) struct World {
    begun: Instant,
    inner: Arc<Mutex<Inner>>,
}

pub(super) struct Inner {
    pub(super) random: StdRng,
    pub(super) checker: Checker,
    /// Which start of a member has effects; none while it is down.
    pub(super) current: BTreeMap<u64, u64>,
    /// Members that can be reached.
    pub(super) reachable: BTreeMap<u64, (u64, Raft)>,
    /// Ways, from and to, on which nothing arrives.
    pub(super) cut: BTreeSet<(u64, u64)>,
    /// Of 100 messages, so many are lost.
    pub(super) loss: u32,
    /// How far each machine's wall clock is off, in milliseconds.
    pub(super) wall_offsets: BTreeMap<u64, i64>,
    /// What may happen to wall clocks.
    pub(super) wall_faults: WallFaults,
    /// Whether the clocks of [`WallFaults::AllBut`] are wrong now.
    pub(super) are_walls_wrong: bool,
    /// When the last member runs a build that knows the newest level.
    pub(super) upgraded_at: Duration,
    /// Builds under way, by member and start.
    pub(super) building: BTreeMap<(u64, u64), u32>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// One start of one member. What a member does after a crash has no effect on anything.
#[derive(Debug, Clone)]
pub(in crate::raft) struct Life {
    pub(super) world: World,
    pub(super) member: u64,
    pub(super) start: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let wall_faults = WallFaults::draw(seed);
        let mut checker = Checker::default();
        checker.time.is_one_wrong = matches!(wall_faults, WallFaults::One(_));
        let world = Self {
            begun: Instant::now(),
            inner: Arc::new(Mutex::new(Inner {
                upgraded_at: Duration::from_millis(random.random_range(0..15_000)),
                random,
                checker,
                current: BTreeMap::new(),
                reachable: BTreeMap::new(),
                cut: BTreeSet::new(),
                loss: 0,
                wall_offsets: BTreeMap::new(),
                wall_faults,
                are_walls_wrong: false,
                building: BTreeMap::new(),
            })),
        };
        world.put_walls_right();
        world
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn draw(&self, range: Range<u64>) -> u64 {
        self.lock().random.random_range(range)
    }

    /// Whether something that happens `percent` times of 100 does.
    pub(super) fn chance(&self, percent: u32) -> bool {
        self.lock().random.random_ratio(percent, 100)
    }

    /// Lets a time between these go by, in milliseconds.
    pub(super) async fn pause(&self, millis: Range<u64>) {
        let millis = self.draw(millis);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    /// Time since the run began: what a clock shows that nobody sets.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

impl Life {
    /// Whether the member has not crashed since.
    pub(super) fn is_current(&self) -> bool {
        let current = &self.world.lock().current;
        current.get(&self.member) == Some(&self.start)
    }

    pub(super) fn key(&self) -> (u64, u64) {
        (self.member, self.start)
    }

    /// A disk on which every step takes a while, now and then a long one.
    pub(super) fn disk(&self) -> Disk {
        let life = self.clone();
        Disk::Stepped(Arc::new(move |step| {
            let world = life.world.clone();
            Box::pin(async move {
                let millis = match step {
                    Step::Build if world.chance(40) => 500..12_000,
                    Step::Install if world.chance(10) => 500..3_000,
                    Step::Build | Step::Install => 1..200,
                    Step::Name | Step::Remove => 0..50,
                    Step::Create | Step::Read => 0..5,
                };
                world.pause(millis).await;
            })
        }))
    }
}
