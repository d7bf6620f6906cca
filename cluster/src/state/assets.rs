//! Uploads and imports: made, arrived, abandoned, expired; and the jobs that wait for them.

use std::sync::Arc;

use super::State;
use super::side_effects::SideEffect;
use crate::command::{Outcome, Rejection};
use crate::model::{
    Arrival, Asset, AssetId, AssetKind, AssetStatus, AssetUse, Ingested, JobError, JobId, NewAsset,
    Seq,
};

impl State {
    pub(super) fn create_asset(&mut self, mut new: NewAsset) -> Outcome {
        let id = new.asset;
        if let Some(known) = self.assets.get(&id) {
            return if known.new.workspace == new.workspace {
                Outcome::AssetCreated(id)
            } else {
                Outcome::Rejected(Rejection::IdempotencyConflict)
            };
        }
        if let Some(row) = new.idempotency.take() {
            let place = (new.workspace.clone(), row.scope, row.key);
            if let Some((asset, body, at)) = self.asset_keys.get(&place)
                && self.is_replayable(*at)
            {
                return if *body == row.body {
                    Outcome::AssetReplayed(*asset)
                } else {
                    Outcome::Rejected(Rejection::IdempotencyConflict)
                };
            }
            self.asset_keys.insert(place, (id, row.body, self.now));
        }
        let is_fetched = match id.kind {
            AssetKind::Upload => false,
            AssetKind::Import => true,
            AssetKind::Probe => new.url.is_some(),
        };
        let status = if is_fetched {
            AssetStatus::Processing
        } else {
            AssetStatus::Pending
        };
        let asset = Asset {
            status,
            sequence: Seq(1),
            changed_at: self.applied,
            created_at: self.now,
            expires_at: self.now.plus_millis(new.valid_for_millis),
            settled_at: None,
            arrival: None,
            job: None,
            ingested: None,
            error: None,
            new,
        };
        self.assets.insert(id, Arc::new(asset));
        self.open_assets.insert(id, ());
        if is_fetched {
            self.begin_ingest(id);
        }
        Outcome::AssetCreated(id)
    }

    pub(super) fn asset_arrived(&mut self, id: AssetId, arrival: Arrival) -> Outcome {
        let index = self.applied;
        let Some(asset) = self.assets.get_mut(&id).map(Arc::make_mut) else {
            return Outcome::Rejected(Rejection::UnknownAsset);
        };
        if asset.status != AssetStatus::Pending {
            // The proposal sent twice is fine; another file for the same upload is not.
            return if asset.arrival.as_ref() == Some(&arrival) {
                Outcome::Accepted
            } else {
                Outcome::Rejected(Rejection::AssetNotPending)
            };
        }
        asset.status = AssetStatus::Processing;
        asset.arrival = Some(arrival);
        asset.sequence.0 += 1;
        asset.changed_at = index;
        self.begin_ingest(id);
        Outcome::Accepted
    }

    pub(super) fn abandon_asset(&mut self, id: AssetId, workspace: &str) -> Outcome {
        let known = self
            .assets
            .get(&id)
            .filter(|asset| asset.new.workspace == workspace);
        let Some(asset) = known else {
            return Outcome::Rejected(Rejection::UnknownAsset);
        };
        if asset.status.is_settled() {
            return Outcome::Rejected(Rejection::AssetNotPending);
        }
        if let Some(job) = asset.job {
            self.remove_job(job);
        }
        let error = JobError {
            code: "source_not_found".to_owned(),
            message: format!("{id} was abandoned"),
            path: None,
        };
        self.settle_asset(id, Err(error));
        Outcome::Accepted
    }

    pub(super) fn expire_uploads(&mut self) -> Outcome {
        let now = self.now;
        let expired: Vec<AssetId> = self
            .open_assets
            .keys()
            .filter(|&id| {
                self.assets.get(id).is_some_and(|asset| {
                    asset.status == AssetStatus::Pending && asset.expires_at <= now
                })
            })
            .copied()
            .collect();
        for id in expired {
            let error = JobError {
                code: "source_not_found".to_owned(),
                message: format!("{id} had not arrived when its upload_url expired"),
                path: None,
            };
            self.settle_asset(id, Err(error));
        }
        Outcome::Accepted
    }

    /// An asset becomes ready or fails, once.
    pub(super) fn settle_asset(&mut self, id: AssetId, result: Result<Ingested, JobError>) {
        let (index, now) = (self.applied, self.now);
        let Some(asset) = self.assets.get_mut(&id).map(Arc::make_mut) else {
            return;
        };
        if asset.status.is_settled() {
            return;
        }
        match result {
            Ok(ingested) => {
                asset.status = AssetStatus::Ready;
                asset.ingested = Some(ingested);
            }
            Err(error) => {
                asset.status = AssetStatus::Failed;
                asset.error = Some(error);
            }
        }
        asset.job = None;
        asset.settled_at = Some(now);
        asset.sequence.0 += 1;
        asset.changed_at = index;
        self.side_effects.push(SideEffect::AssetSettled(id));
    }

    /// Jobs that waited for a settled asset go on, or end with it.
    pub(super) fn release_waiting(&mut self, asset: &Asset) {
        let id = asset.id();
        let waiting: Vec<JobId> = self
            .queues
            .waiting()
            .filter(|job| {
                self.jobs
                    .get(job)
                    .is_some_and(|job| job.waits_on.iter().any(|used| used.asset == id))
            })
            .collect();
        for job in waiting {
            let Some((job, mut editor)) = self.open_job(job) else {
                continue;
            };
            if asset.status == AssetStatus::Failed {
                let used = job.waits_on.iter().find(|used| used.asset == id).cloned();
                if let Some(used) = used {
                    editor.fail(job, failure_of(asset, &used));
                }
                continue;
            }
            job.waits_on.retain(|used| used.asset != id);
            if job.waits_on.is_empty() {
                job.open_first_task();
            }
        }
    }
}

/// Why a job that uses a failed asset cannot be rendered.
pub(super) fn failure_of(asset: &Asset, used: &AssetUse) -> JobError {
    let (code, message) = asset
        .error
        .as_ref()
        .map_or(("source_not_found", "it cannot be used"), |error| {
            (error.code.as_str(), error.message.as_str())
        });
    // Codes of imports that a render's errors do not have.
    let code = if code == "import_unsupported" {
        "invalid_source"
    } else {
        code
    };
    JobError {
        code: code.to_owned(),
        message: message.to_owned(),
        path: Some(used.path.clone()),
    }
}
