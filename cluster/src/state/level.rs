//! The level of the state: what `apply` does, which commands exist, how snapshots are
//! written. Builds differ, logs are replayed, and every copy must come to the same state: so
//! a change of any of these is a new level, and a command raises it once every voter can.
//!
//! | level | since then |
//! | --- | --- |
//! | 0 | logs and snapshots without a level |
//! | 1 | running time beside log time; runs in attempts; boots in registrations; a lost lease counts only where its command says so; misfit reports count as failures; retention by age; fetch tasks |
//! | 2 | the log of a workspace's deliveries is held to a number |

use super::State;
use crate::command::{Outcome, Rejection};
use crate::model::Level;

impl State {
    /// Never lowers it. A level that this build does not know is refused: the code
    /// that feeds the log must reject it earlier, because other builds would raise the level.
    pub(super) fn raise_level(&mut self, level: Level) -> Outcome {
        if level > Level::NEWEST {
            return Outcome::Rejected(Rejection::WrongLevel);
        }
        self.level = self.level.max(level);
        Outcome::Accepted
    }
}
