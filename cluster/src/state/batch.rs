//! One scheduling round: reports, then releases, then grants, so that what a report opens
//! can be granted by the same command.

use super::State;
use crate::command::{Batch, BatchOutcome, Outcome};

impl State {
    pub(super) fn batch(&mut self, batch: Batch) -> Outcome {
        let reports = batch
            .reports
            .into_iter()
            .map(|report| self.report(report))
            .collect();
        for release in batch.releases {
            self.release(&release);
        }
        let grants = batch
            .grants
            .into_iter()
            .map(|grant| self.grant(&grant))
            .collect();
        Outcome::Batch(BatchOutcome { reports, grants })
    }
}
