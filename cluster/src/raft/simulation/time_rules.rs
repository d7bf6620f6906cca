//! What must hold of the cluster's two clocks, after every entry and at the end of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clock::{FOUNDED, SKEW};
use crate::model::{Level, LogTime, RanTime};
use crate::state::State;

/// One wrong clock may move the median by as much as clocks that agree lie apart.
const ONE_WRONG: Duration = Duration::from_secs(60);

/// At the end, readings are this near to what they should be: voters are asked one after the
/// other, over a network that delays, and are off by [`SKEW`]; an entry takes a while.
pub(super) const NEAR: i64 = 3_000;

/// Stamps are rounded to milliseconds.
const ROUNDING: u64 = 2;

type Check = Result<(), String>;

/// What is known of both clocks.
#[derive(Debug, Default)]
pub(super) struct TimeRules {
    /// Whether at most one of the three wall clocks is ever wrong.
    pub(super) is_one_wrong: bool,
    /// The clocks of each running copy.
    copies: BTreeMap<u64, (LogTime, RanTime)>,
    /// The highest index that any copy has applied, and its clocks.
    last: (u64, Level, LogTime, RanTime),
    terms: BTreeMap<u64, Term>,
}

/// The time of one leader.
#[derive(Debug)]
struct Term {
    leader: u64,
    began: Duration,
    /// How long the leader was down since, and since when it is.
    was_down: Duration,
    is_down_since: Option<Duration>,
    /// Running time that the leader found.
    found: Option<RanTime>,
}

/// Log time as a leader stamped it, and running time once that was applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) elapsed: Duration,
    pub(super) leader: u64,
    pub(super) at: LogTime,
    pub(super) ran: Option<RanTime>,
}

impl Reading {
    /// How far log time is ahead of true time, in milliseconds.
    pub(super) fn lead(&self) -> i64 {
        let truth = FOUNDED + millis(self.elapsed);
        self.at.0.cast_signed() - truth.cast_signed()
    }
}

impl TimeRules {
    /// An entry of this leader and term was written somewhere.
    pub(super) fn written(&mut self, term: u64, leader: u64, elapsed: Duration) {
        self.terms.entry(term).or_insert(Term {
            leader,
            began: elapsed,
            was_down: Duration::ZERO,
            is_down_since: None,
            found: None,
        });
    }

    pub(super) fn crashed(&mut self, member: u64, elapsed: Duration) {
        self.copies.remove(&member);
        for term in self.terms.values_mut() {
            if term.leader == member {
                term.is_down_since.get_or_insert(elapsed);
            }
        }
    }

    pub(super) fn started(&mut self, member: u64, elapsed: Duration) {
        for term in self.terms.values_mut() {
            if term.leader == member
                && let Some(since) = term.is_down_since.take()
            {
                term.was_down += elapsed - since;
            }
        }
    }

    /// A copy holds another state than before.
    pub(super) fn look(&mut self, member: u64, state: &State) -> Check {
        let clocks = (state.now, state.ran);
        let before = self.copies.insert(member, clocks).unwrap_or_default();
        require(before.0 <= clocks.0 && before.1 <= clocks.1, || {
            format!("a clock of member {member} goes back: {before:?} to {clocks:?}")
        })
    }

    /// A copy applied an entry of `term`.
    pub(super) fn applied(&mut self, term: u64, elapsed: Duration, state: &State) -> Check {
        let (index, level, now, ran) = self.last;
        if state.applied.0 <= index {
            return Ok(());
        }
        self.last = (state.applied.0, state.level, state.now, state.ran);
        require(now <= state.now && ran <= state.ran, || {
            format!("a clock goes back at {}", state.applied)
        })?;
        if self.is_one_wrong {
            let truth = LogTime(FOUNDED + millis(elapsed));
            let ahead = state.now.millis_since(truth);
            require(ahead <= millis(ONE_WRONG + SKEW), || {
                format!("one wrong clock puts log time {ahead} ms ahead of true time")
            })?;
        }
        let Some(known) = self.terms.get_mut(&term) else {
            return Err(format!("an entry of term {term} that nobody wrote"));
        };
        if level == Level(0) {
            // Running time was log time until here.
            *known = Term {
                began: elapsed,
                was_down: Duration::ZERO,
                is_down_since: None,
                found: Some(state.ran),
                ..*known
            };
            return Ok(());
        }
        let found = *known.found.get_or_insert(ran);
        let (counted, led) = (
            state.ran.millis_since(found),
            millis((elapsed - known.began).saturating_sub(known.was_down)),
        );
        require(counted <= led + ROUNDING, || {
            format!("term {term} counts {counted} ms of running time in {led} ms")
        })
    }
}

/// What must hold of two readings of one leader, when no fault has happened for long: voters
/// agree, running time runs, and log time is right, or ahead and at half rate.
pub(super) fn check_settled(first: &Reading, second: &Reading, is_one_wrong: bool) -> Check {
    let between = millis(second.elapsed - first.elapsed);
    if let (Some(first), Some(second)) = (first.ran, second.ran) {
        let ran = second.millis_since(first);
        require(ran.abs_diff(between) <= NEAR.unsigned_abs(), || {
            format!("running time counts {ran} ms in {between} ms")
        })?;
    }
    let (before, after) = (first.lead(), second.lead());
    let want = (before - between.cast_signed() / 2).max(0);
    require((after - want).abs() <= NEAR, || {
        format!("log time was {before} ms ahead, and is {after} ms after {between} ms")
    })?;
    let most = millis(ONE_WRONG + SKEW).cast_signed();
    require(!is_one_wrong || after.abs() <= most, || {
        format!("one wrong clock puts log time {after} ms off")
    })
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(what()) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}
