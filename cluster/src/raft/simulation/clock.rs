//! The clocks of the simulated machines: wall clocks that faults set, boot clocks that nobody
//! sets, and how a leader asks the voters for theirs.

use std::time::Duration;

use tokio::time::timeout;

use super::network::Link;
use super::world::{Life, World};
use crate::coordinator::{MachineClock, Voter};
use crate::model::{Level, LogTime};

/// True time when a run begins, in milliseconds since the epoch.
pub(super) const FOUNDED: u64 = 500 * 24 * HOUR;

const HOUR: u64 = 3_600_000;

/// A right wall clock is off by less than this.
pub(super) const SKEW: Duration = Duration::from_millis(1_000);

/// A voter that does not answer within this is taken for unreachable.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// What may happen to the wall clocks of a run. Whatever it is, they are put right with the
/// last fault; only the one of [`WallFaults::One`] may stay wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WallFaults {
    /// The clock of this member is set again and again; the others are right.
    One(u64),
    /// The clocks of all members but this one are ahead by the same hours, and put right.
    AllBut(u64),
    /// Any clock is set to anything.
    Any,
}

impl WallFaults {
    pub(super) fn draw(seed: u64) -> Self {
        let member = seed / 3 % 3 + 1;
        match seed % 3 {
            0 => Self::One(member),
            1 => Self::AllBut(member),
            _ => Self::Any,
        }
    }
}

/// The machine of one start of a member.
#[derive(Debug)]
pub(super) struct SimulatedClock {
    life: Life,
    /// What its boot clock showed when the run began: differs from machine to machine, and
    /// when a machine is started again. Running time begins with log time, so it is as often
    /// ahead of that as behind.
    boot: Duration,
}

impl SimulatedClock {
    pub(super) fn new(life: Life) -> Self {
        let boot = Duration::from_millis(life.world.draw(0..2 * FOUNDED));
        Self { life, boot }
    }
}

impl MachineClock for SimulatedClock {
    fn wall(&self) -> LogTime {
        self.life.world.wall(self.life.member)
    }

    fn boot(&self) -> Duration {
        self.boot + self.life.world.elapsed()
    }
}

/// Asks voters over the simulated network.
#[derive(Debug)]
pub(in crate::raft) struct SimulatedVoters(pub(super) Life);

impl SimulatedVoters {
    /// What is known of a voter.
    pub(in crate::raft) async fn voter(&self, id: u64) -> Voter {
        let world = &self.0.world;
        if id == self.0.member {
            return known(world, id);
        }
        let link = Link::new(self.0.clone(), id);
        let asked = timeout(ANSWERS_WITHIN, link.ask(|| known(world, id))).await;
        match asked {
            Ok(Ok(voter)) => voter,
            Ok(Err(_)) | Err(_) => Voter {
                wall: None,
                level: None,
            },
        }
    }
}

fn known(world: &World, id: u64) -> Voter {
    // Before it, one build still runs that knows level 0 only.
    let is_upgraded = world.elapsed() >= world.lock().upgraded_at;
    Voter {
        wall: Some(world.wall(id)),
        level: Some(if is_upgraded { Level::NEWEST } else { Level(0) }),
    }
}

impl World {
    /// True time.
    pub(super) fn truth(&self) -> LogTime {
        let elapsed = u64::try_from(self.elapsed().as_millis()).unwrap();
        LogTime(FOUNDED + elapsed)
    }

    /// What the wall clock of a member shows.
    pub(super) fn wall(&self, member: u64) -> LogTime {
        let offset = self.lock().wall_offsets.get(&member).copied().unwrap_or(0);
        LogTime(self.truth().0.saturating_add_signed(offset))
    }

    /// Sets a wall clock of the given member, or of others, as the run's kind has it.
    pub(super) fn set_walls(&self, member: u64) {
        let right = self.right_offset();
        let hours = self.draw(1..49).cast_signed() * HOUR.cast_signed();
        let wrong = match self.draw(0..4) {
            0 => -hours,
            // Near enough to be taken for right.
            1 => self.draw(0..120_000).cast_signed() - 60_000,
            _ => hours,
        };
        let mut world = self.lock();
        world.checker.counts.clock_jumps += 1;
        match world.wall_faults {
            WallFaults::One(member) => drop(world.wall_offsets.insert(member, wrong)),
            WallFaults::AllBut(right_one) => {
                let ahead = if world.are_walls_wrong { right } else { hours };
                world.are_walls_wrong = !world.are_walls_wrong;
                for member in (1..=3).filter(|member| *member != right_one) {
                    world.wall_offsets.insert(member, ahead);
                }
            }
            WallFaults::Any => drop(world.wall_offsets.insert(member, wrong)),
        }
    }

    /// Puts right every wall clock that the run's kind does not leave wrong.
    pub(super) fn put_walls_right(&self) {
        for member in 1..=3 {
            let right = self.right_offset();
            let mut world = self.lock();
            if world.wall_faults != WallFaults::One(member) {
                world.wall_offsets.insert(member, right);
            }
        }
    }

    fn right_offset(&self) -> i64 {
        let skew = u64::try_from(SKEW.as_millis()).unwrap();
        self.draw(0..2 * skew).cast_signed() - skew.cast_signed()
    }
}
