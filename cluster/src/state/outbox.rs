//! Events that were delivered, or that nobody wants.

use super::State;
use crate::command::Outcome;
use crate::model::{JobId, Seq};

impl State {
    pub(super) fn settle_outbox(&mut self, rows: &[(JobId, Seq)]) -> Outcome {
        for row in rows {
            self.outbox.remove(row);
        }
        Outcome::Accepted
    }
}
