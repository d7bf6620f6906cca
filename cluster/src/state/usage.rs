//! What each workspace had rendered, by day.

use super::State;
use crate::model::{Day, DayUsage, JobId};

impl State {
    pub(super) fn count_render(&mut self, job: JobId, day: Day) {
        let Some(job) = self.jobs.get(&job) else {
            return;
        };
        let Some(artifact) = &job.artifact else {
            return;
        };
        let rate = artifact.rate;
        let millis = u128::from(artifact.frames) * u128::from(rate.denominator()) * 1000
            / u128::from(rate.numerator());
        let entry = (job.workspace.clone(), day);
        let usage = self.usage.entry(entry).or_default();
        usage.renders += 1;
        usage.output_millis = usage
            .output_millis
            .saturating_add(u64::try_from(millis).unwrap_or(u64::MAX));
        usage.output_bytes = usage.output_bytes.saturating_add(artifact.object.size);
    }

    /// What `workspace` had rendered from `day` on.
    pub fn usage_since(&self, workspace: &str, day: Day) -> DayUsage {
        let from = (workspace.to_owned(), day);
        self.usage
            .range(from..)
            .take_while(|((owner, _), _)| owner == workspace)
            .fold(DayUsage::default(), |sum, (_, day)| DayUsage {
                renders: sum.renders + day.renders,
                output_millis: sum.output_millis.saturating_add(day.output_millis),
                output_bytes: sum.output_bytes.saturating_add(day.output_bytes),
            })
    }
}
