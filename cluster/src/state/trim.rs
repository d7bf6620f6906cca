//! Retention of everything beside jobs, by log time alone.

use std::collections::BTreeSet;

use super::State;
use crate::command::{Outcome, Trim};
use crate::model::{Asset, AssetId, AssetKind, AssetStatus, DeliveryId, LogTime};

impl Trim {
    /// When an asset must have been settled to be kept: probes, whose answers are of no use later,
    /// as long as failed assets.
    pub fn assets_before(&self, asset: &Asset) -> LogTime {
        match (asset.status, asset.id().kind) {
            (AssetStatus::Failed, _) | (_, AssetKind::Probe) => self.failed_assets_before,
            (AssetStatus::Pending | AssetStatus::Processing | AssetStatus::Ready, _) => {
                self.assets_before
            }
        }
    }
}

impl State {
    pub(super) fn trim(&mut self, trim: Trim) -> Outcome {
        let deliveries: Vec<DeliveryId> = self
            .deliveries
            .values()
            .filter(|delivery| {
                delivery
                    .settled_at
                    .is_some_and(|at| at < trim.deliveries_before)
            })
            .map(|delivery| delivery.id)
            .collect();
        for id in deliveries {
            self.deliveries.remove(&id);
        }
        let used = self.assets_in_use();
        let assets: Vec<AssetId> = self
            .assets
            .values()
            .filter(|asset| {
                let before = trim.assets_before(asset);
                asset.settled_at.is_some_and(|at| at < before)
            })
            .map(|asset| asset.id())
            .filter(|id| !used.contains(id))
            .collect();
        for id in assets {
            self.assets.remove(&id);
        }
        // A row must never lead to an asset that is not there.
        let rows: Vec<_> = self
            .asset_keys
            .iter()
            .filter(|(_, (asset, _, at))| {
                !self.is_replayable(*at) || !self.assets.contains_key(asset)
            })
            .map(|(place, _)| place.clone())
            .collect();
        for place in rows {
            self.asset_keys.remove(&place);
        }
        let days: Vec<_> = self
            .usage
            .keys()
            .filter(|(_, day)| *day < trim.usage_before)
            .cloned()
            .collect();
        for day in days {
            self.usage.remove(&day);
        }
        Outcome::Accepted
    }

    /// The assets that jobs which go on use.
    pub fn assets_in_use(&self) -> BTreeSet<AssetId> {
        self.active
            .keys()
            .filter_map(|id| self.jobs.get(id))
            .flat_map(|job| job.assets.iter().map(|used| used.asset))
            .collect()
    }
}
