//! What must hold of runs: attempts that one grant made are one run, for good, whoever leads
//! and whatever answer was lost.

use std::collections::BTreeMap;

use crate::command::{Command, Outcome};
use crate::model::{Epoch, RunNumber};

/// Which grant made which attempt.
#[derive(Debug, Default)]
pub(super) struct RunRules {
    /// The first attempt of the grant that made each attempt.
    granted: BTreeMap<Epoch, Epoch>,
}

impl RunRules {
    /// Notes what a command granted.
    pub(super) fn applied(&mut self, command: &Command, outcome: &Outcome) {
        let (Command::Round(_), Outcome::Round(outcome)) = (command, outcome) else {
            return;
        };
        for grant in &outcome.grants {
            let mut epochs = grant.iter().flatten().map(|granted| granted.epoch);
            let Some(first) = epochs.next() else {
                continue;
            };
            self.granted.insert(first, first);
            self.granted.extend(epochs.map(|epoch| (epoch, first)));
        }
    }

    /// A node was given these attempts as one run.
    pub(super) fn received(&self, run: RunNumber, epochs: &[Epoch]) -> Result<(), String> {
        // Attempts of level 0 are not noted: each was a run of its own.
        for epoch in epochs {
            if let Some(first) = self.granted.get(epoch)
                && first.0 != run.0
            {
                return Err(format!(
                    "epoch {epoch} was granted in run {first} and is given to its node in run {run}"
                ));
            }
        }
        Ok(())
    }
}
