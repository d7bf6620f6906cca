//! One scheduling round: reports, then releases, then grants, so that what a report opens
//! can be granted by the same command.

use super::State;
use crate::command::{
    Batch, BatchOutcome, Grant, Outcome, Release, ReleaseCause, Report, Round, RoundOutcome,
};
use crate::model::RanTime;

impl State {
    pub(super) fn round(&mut self, round: Round) -> Outcome {
        let reports = round
            .reports
            .into_iter()
            .map(|report| {
                let retry_at = self.ran.plus_millis(report.retry_after_millis);
                self.report(report, retry_at)
            })
            .collect();
        for release in &round.releases {
            self.release(release);
        }
        let grants = round.grants.iter().map(|grant| self.grant(grant)).collect();
        Outcome::Round(RoundOutcome { reports, grants })
    }

    /// A round of level 0. There running time follows log time, so its moments are the same.
    pub(super) fn batch(&mut self, batch: Batch) -> Outcome {
        let reports = batch
            .reports
            .into_iter()
            .map(|report| {
                let retry_at = RanTime(report.retry_at.0);
                let report = Report {
                    task: report.task,
                    epoch: report.epoch,
                    generation: report.generation,
                    result: report.result,
                    retry_after_millis: 0,
                };
                self.report(report, retry_at)
            })
            .collect();
        for release in batch.releases {
            let cause = if release.lost {
                ReleaseCause::Expired { is_charged: true }
            } else {
                ReleaseCause::HandedBack
            };
            self.release(&Release {
                task: release.task,
                epoch: release.epoch,
                cause,
            });
        }
        let grants = batch
            .grants
            .into_iter()
            .flat_map(|grant| {
                self.grant(&Grant {
                    job: grant.task.job,
                    tasks: vec![grant.task.kind],
                    node: grant.node,
                    incarnation: grant.incarnation,
                    fingerprint: grant.fingerprint,
                    extra: grant.extra,
                })
            })
            .collect();
        Outcome::Batch(BatchOutcome { reports, grants })
    }
}
