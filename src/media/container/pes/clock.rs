//! The clock of a program: 33-bit times that wrap and begin anew.

/// Times have 33 bits.
const WRAP: i64 = 1 << 33;
/// A step larger than this, ten seconds, is a new beginning of the clock.
const JUMP: i64 = 10 * 90_000;
/// Decode times of one beginning never fall; half a second allows for damage.
const FALL: i64 = 45_000;

/// The clock of a program, whose beginnings are put one behind another.
#[derive(Debug, Default)]
pub(in super::super) struct ProgramClock {
    /// What each beginning is moved by.
    offsets: Vec<i64>,
}

/// A track's place on its program's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Placed {
    epoch: usize,
    /// The last decode time, moved.
    pub(super) last: Option<i64>,
}

impl ProgramClock {
    /// A raw time on the clock; a new beginning lies `step` behind the last time. The second:
    /// whether a new beginning was met.
    pub(super) fn place(&mut self, placed: &mut Placed, raw: i64, step: i64) -> (i64, bool) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        let offset = |epoch: usize| self.offsets.get(epoch).copied().unwrap_or(0);
        let Some(last) = placed.last else {
            let offset = offset(placed.epoch);
            return (unwrapped(raw + offset, offset), false);
        };
        // Against the last time itself: a step that was measured over a gap is no measure.
        let near = |epoch: usize| unwrapped(raw + offset(epoch), last);
        let is_near = |time: i64| (-FALL..=JUMP).contains(&(time - last));
        let here = near(placed.epoch);
        if is_near(here) {
            return (here, false);
        }
        if placed.epoch + 1 < self.offsets.len() {
            let next = near(placed.epoch + 1);
            if is_near(next) {
                placed.epoch += 1;
                return (next, true);
            }
        }
        self.offsets.push(last + step - raw);
        placed.epoch = self.offsets.len() - 1;
        (last + step, true)
    }
}

/// Of all times that a 33-bit one stands for the nearest to `expected`.
pub(super) fn unwrapped(time: i64, expected: i64) -> i64 {
    let turns = (expected - time + WRAP / 2).div_euclid(WRAP);
    time + turns * WRAP
}
