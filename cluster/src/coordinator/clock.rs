//! The cluster's two clocks, as its leader stamps them on what it proposes.
//!
//! *Running time* adds up the boot clock of whoever leads; while nobody does it stands still.
//! *Log time* is wall time for people and retention. It runs on the boot clock from an
//! anchor, so no step of a wall clock reaches it while a process runs; it never goes back,
//! and where it turns out to be ahead of reality it runs at half rate until reality has
//! caught up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::State;
use crate::model::{Level, LogTime, RanTime};

/// A wall clock this far ahead of the stored log time is believed at a start: the machine may
/// have been off that long.
const MAX_ABSENCE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Voters whose wall clocks lie this close to the median agree with it.
const AGREEMENT: Duration = Duration::from_secs(60);

/// The clocks of a machine.
pub trait MachineClock: std::fmt::Debug + Send + Sync + 'static {
    /// Wall time; may step either way at any time.
    fn wall(&self) -> LogTime;
    /// Time since the machine started, suspended or not; never steps.
    fn boot(&self) -> Duration;
}

/// This machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl MachineClock for SystemClock {
    fn wall(&self) -> LogTime {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one reading of wall time in this crate; apply takes stamps from the log"
        )]
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        LogTime(since.map_or(0, millis))
    }

    fn boot(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // The boot clock is not negative.
        Duration::try_from(time).unwrap_or_default()
    }
}

/// A wall clock that was not believed at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockNote {
    /// What the wall clock said.
    pub wall: LogTime,
    /// The log time that goes on instead.
    pub now: LogTime,
}

impl std::fmt::Display for ClockNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ahead, behind) = (
            self.wall.millis_since(self.now) / 1000,
            self.now.millis_since(self.wall) / 1000,
        );
        let (seconds, side) = if ahead > 0 {
            (ahead, "ahead of")
        } else {
            (behind, "behind")
        };
        write!(
            f,
            "the wall clock is {seconds} s {side} the last time in the log: the log's time goes on; \
             start with --accept-clock to take the wall clock's"
        )
    }
}

/// A moment of log time and the boot clock's reading at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Anchor {
    time: LogTime,
    boot: Duration,
}

/// Log time between two anchorings, pure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogClock {
    /// What is held to be true.
    reality: Anchor,
    /// What was said last: never gone below, left at half rate where it is ahead.
    said: Anchor,
}

impl LogClock {
    /// A clock that goes on from `now`, the last log time known.
    pub(super) fn new(now: LogTime, boot: Duration) -> Self {
        let anchor = Anchor { time: now, boot };
        Self {
            reality: anchor,
            said: anchor,
        }
    }

    /// Log time at a later reading of the boot clock.
    pub(super) fn at(&self, boot: Duration) -> LogTime {
        let since = |anchor: Anchor| millis(boot.saturating_sub(anchor.boot));
        let real = self.reality.time.plus_millis(since(self.reality));
        let slow = self.said.time.plus_millis(since(self.said) / 2);
        real.max(slow)
    }

    /// Takes `reality` as the true time at `boot`.
    pub(super) fn anchor(&mut self, reality: LogTime, boot: Duration) {
        let said = self.at(boot);
        self.said = Anchor { time: said, boot };
        self.reality = Anchor {
            time: reality,
            boot,
        };
    }
}

/// The time that a majority of all voters agrees on: the median of the wall clocks that are
/// known, if more than half of all voters lie within [`AGREEMENT`] of it.
pub(super) fn agreed(walls: &[Option<LogTime>]) -> Option<LogTime> {
    let mut known: Vec<LogTime> = walls.iter().flatten().copied().collect();
    known.sort_unstable();
    let median = *known.get(known.len() / 2)?;
    let near = known
        .iter()
        .filter(|wall| {
            let apart = wall.millis_since(median).max(median.millis_since(**wall));
            apart <= millis(AGREEMENT)
        })
        .count();
    (near * 2 > walls.len()).then_some(median)
}

/// What the only voter of a cluster takes for true at its start.
pub(super) fn believed_at_start(
    stored: LogTime,
    wall: LogTime,
    is_accepted: bool,
) -> Result<LogTime, ClockNote> {
    let is_new = stored == LogTime(0);
    let is_near = wall >= stored && wall.millis_since(stored) <= millis(MAX_ABSENCE);
    if is_new || is_near || is_accepted {
        Ok(wall)
    } else {
        Err(ClockNote { wall, now: stored })
    }
}

/// Both clocks of one process, anchored anew whenever it begins to lead.
#[derive(Debug)]
pub(crate) struct Clocks {
    machine: Arc<dyn MachineClock>,
    accept_wall: bool,
    leading: Mutex<Option<Leading>>,
    note: Mutex<Option<ClockNote>>,
}

#[derive(Debug)]
struct Leading {
    term: u64,
    log: LogClock,
    /// Running time at a reading of the boot clock; `None` at level 0.
    ran: Option<(RanTime, Duration)>,
}

impl Clocks {
    pub(crate) fn new(machine: Arc<dyn MachineClock>, accept_wall: bool) -> Self {
        Self {
            machine,
            accept_wall,
            leading: Mutex::new(None),
            note: Mutex::new(None),
        }
    }

    /// The stamps of a proposal made now by the leader of `term`, whose applied state is
    /// `state`. Running time is `None` at level 0.
    pub(super) fn stamp(&self, term: u64, state: &State) -> (LogTime, Option<RanTime>) {
        let boot = self.machine.boot();
        let mut leading = lock(&self.leading);
        let known = leading.take_if(|leading| leading.term == term);
        let mut current = known.unwrap_or_else(|| Leading {
            term,
            log: LogClock::new(state.now, boot),
            ran: None,
        });
        if state.level > Level(0) && current.ran.is_none() {
            current.ran = Some((state.ran, boot));
        }
        let stamps = (
            current.log.at(boot).max(state.now),
            current
                .ran
                .map(|(ran, since)| ran.plus_millis(millis(boot.saturating_sub(since)))),
        );
        *leading = Some(current);
        stamps
    }

    /// The only voter of a cluster has begun to lead: its wall clock is believed or not, and
    /// steps of it that follow are not seen.
    pub(super) fn start_alone(&self, term: u64, state: &State) {
        let (wall, boot) = (self.machine.wall(), self.machine.boot());
        let believed = believed_at_start(state.now, wall, self.accept_wall);
        if let Err(note) = believed {
            tracing::warn!("{note}");
        }
        *lock(&self.note) = believed.err();
        let mut log = LogClock::new(state.now, boot);
        log.anchor(believed.unwrap_or(state.now), boot);
        self.set(term, log);
    }

    /// Takes what the voters of a larger cluster agree on, if they do. Asking them takes a
    /// while: what they said to the leader of an earlier term is of no use to a later one.
    pub(super) fn follow(&self, term: u64, state: &State, walls: &[Option<LogTime>]) {
        let boot = self.machine.boot();
        let known = lock(&self.leading)
            .as_ref()
            .filter(|leading| leading.term >= term)
            .map(|leading| (leading.term, leading.log));
        let mut log = match known {
            Some((later, _)) if later > term => return,
            Some((_, log)) => log,
            None => LogClock::new(state.now, boot),
        };
        match agreed(walls) {
            Some(reality) => log.anchor(reality, boot),
            None => tracing::warn!("the voters' wall clocks do not agree on the time"),
        }
        self.set(term, log);
    }

    fn set(&self, term: u64, log: LogClock) {
        let mut leading = lock(&self.leading);
        let ran = leading
            .as_ref()
            .filter(|leading| leading.term == term)
            .and_then(|leading| leading.ran);
        *leading = Some(Leading { term, log, ran });
    }

    /// The wall clock that was not believed at this start, if it was not.
    pub(super) fn note(&self) -> Option<ClockNote> {
        *lock(&self.note)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is behind these locks is replaced in one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;

    #[derive(Debug, Default)]
    struct Machine {
        wall: AtomicU64,
        boot: AtomicU64,
    }

    impl Machine {
        fn set_wall(&self, millis: u64) {
            self.wall.store(millis, Ordering::Relaxed);
        }

        fn pass(&self, millis: u64) {
            self.wall.fetch_add(millis, Ordering::Relaxed);
            self.boot.fetch_add(millis, Ordering::Relaxed);
        }
    }

    impl MachineClock for Machine {
        fn wall(&self) -> LogTime {
            LogTime(self.wall.load(Ordering::Relaxed))
        }

        fn boot(&self) -> Duration {
            Duration::from_millis(self.boot.load(Ordering::Relaxed))
        }
    }

    fn clocks(accept: bool) -> (Arc<Machine>, Clocks) {
        let machine = Arc::new(Machine::default());
        machine.set_wall(500 * DAY);
        let clocks = Clocks::new(Arc::clone(&machine) as Arc<dyn MachineClock>, accept);
        (machine, clocks)
    }

    fn state_at(now: u64, ran: u64) -> State {
        State {
            level: Level(1),
            now: LogTime(now),
            ran: RanTime(ran),
            ..State::default()
        }
    }

    #[test]
    fn steps_of_the_wall_clock_are_not_seen_while_the_only_voter_runs() {
        let (machine, clocks) = clocks(false);
        let state = state_at(500 * DAY - HOUR, 7);
        clocks.start_alone(1, &state);
        assert_eq!(clocks.note(), None);
        for wall in [501 * DAY + HOUR, 499 * DAY, 900 * DAY, 1] {
            machine.set_wall(wall);
            assert_eq!(clocks.stamp(1, &state).0, LogTime(500 * DAY));
        }
        machine.pass(2_000);
        let stamps = (LogTime(500 * DAY + 2_000), Some(RanTime(2_007)));
        assert_eq!(clocks.stamp(1, &state), stamps);
    }

    #[test]
    fn at_a_start_the_wall_clock_is_believed_within_30_days() {
        let stored = 500 * DAY;
        let cases = [
            // Stored, wall, accepted; whether it is believed.
            (0, stored, false, true),
            (stored, stored, false, true),
            (stored, stored + 25 * HOUR, false, true),
            (stored, stored + 30 * DAY, false, true),
            (stored, stored + 31 * DAY, false, false),
            (stored, stored + 400 * DAY, true, true),
            (stored, stored - HOUR, false, false),
            (stored, stored - HOUR, true, true),
        ];
        for (stored, wall, accept, is_believed) in cases {
            let believed = believed_at_start(LogTime(stored), LogTime(wall), accept);
            assert_eq!(believed.is_ok(), is_believed, "{stored} {wall} {accept}");
        }
        let note = believed_at_start(LogTime(stored), LogTime(stored - HOUR), false).unwrap_err();
        let text = note.to_string();
        assert!(text.contains("3600 s behind"), "{text}");
    }

    #[test]
    fn a_wall_clock_that_is_not_believed_lets_log_time_go_on() {
        let (machine, clocks) = clocks(false);
        let state = state_at(500 * DAY + HOUR, 7);
        clocks.start_alone(3, &state);
        let note = ClockNote {
            wall: LogTime(500 * DAY),
            now: LogTime(500 * DAY + HOUR),
        };
        assert_eq!(clocks.note(), Some(note));
        machine.pass(1_000);
        assert_eq!(clocks.stamp(3, &state).0, LogTime(500 * DAY + HOUR + 1_000));
    }

    #[test]
    fn log_time_that_is_ahead_runs_at_half_rate_until_reality_has_caught_up() {
        let boot = Duration::from_millis;
        let mut clock = LogClock::new(LogTime(10_000), boot(0));
        clock.anchor(LogTime(4_000), boot(0));
        let readings = [
            (0, 10_000),
            (2_000, 11_000),
            (12_000, 16_000),
            (13_000, 17_000),
        ];
        for (at, want) in readings {
            assert_eq!(clock.at(boot(at)), LogTime(want), "after {at} ms");
        }
        clock.anchor(LogTime(16_000), boot(13_000));
        assert_eq!(clock.at(boot(14_000)), LogTime(17_500));
        assert_eq!(clock.at(boot(16_000)), LogTime(19_000));
        clock.anchor(LogTime(50_000), boot(16_000));
        assert_eq!(clock.at(boot(16_000)), LogTime(50_000), "ahead at once");
    }

    #[test]
    fn voters_agree_if_a_majority_of_all_lies_within_a_minute_of_the_median() {
        let at = |minutes: u64| Some(LogTime(DAY + minutes * 60_000));
        type Case<'a> = (&'a str, &'a [Option<LogTime>], Option<LogTime>);
        let cases: [Case<'_>; 7] = [
            ("all alike", &[at(5), at(5), at(5)], at(5)),
            ("one is wrong", &[at(5), at(900), at(6)], at(6)),
            ("one is unreachable", &[at(5), None, at(6)], at(6)),
            ("two are unreachable", &[at(5), None, None], None),
            ("none agree", &[at(5), at(90), at(900)], None),
            ("two of five", &[at(5), at(5), at(90), at(900), None], None),
            ("nobody", &[], None),
        ];
        for (what, walls, want) in cases {
            assert_eq!(agreed(walls), want, "{what}");
        }
    }

    #[test]
    fn a_new_leader_goes_on_with_both_clocks_where_the_last_one_stood() {
        let (machine, clocks) = clocks(false);
        let state = state_at(600 * DAY, 70);
        clocks.follow(1, &state, &[]);
        machine.pass(10);
        let first = clocks.stamp(1, &state);
        assert_eq!(first, (LogTime(600 * DAY + 10), Some(RanTime(70))));
        machine.pass(5);
        assert_eq!(clocks.stamp(1, &state).1, Some(RanTime(75)));
        // Another one led meanwhile, and an hour passed without any.
        machine.pass(HOUR);
        let later = state_at(600 * DAY + 50, 110);
        let stamps = clocks.stamp(3, &later);
        assert_eq!(stamps, (LogTime(600 * DAY + 50), Some(RanTime(110))));
    }

    #[test]
    fn running_time_begins_when_the_level_has_it() {
        let (machine, clocks) = clocks(false);
        let mut state = State::default();
        clocks.start_alone(1, &state);
        machine.pass(10);
        assert_eq!(clocks.stamp(1, &state).1, None);
        state.level = Level(1);
        state.ran = RanTime(500);
        assert_eq!(clocks.stamp(1, &state).1, Some(RanTime(500)));
        machine.pass(10);
        assert_eq!(clocks.stamp(1, &state).1, Some(RanTime(510)));
    }
}
