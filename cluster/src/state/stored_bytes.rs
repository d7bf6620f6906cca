//! How much of the store a workspace takes, by the records of the log.

use std::collections::BTreeMap;

use super::{Job, State};
use crate::model::{Arrival, Asset, AssetKind, AssetStatus, LogTime};

/// How long what arrived of an asset is kept after the asset has settled, in milliseconds.
pub const ARRIVED_KEPT_MILLIS: u64 = 10 * 60 * 1000;

impl State {
    /// Bytes that `workspace` keeps in the store: its uploads and imports, those that are still
    /// to arrive by their declared length, those that failed until what arrived is removed; and
    /// the files of its renders. Those of renders that ended before `artifacts_before` are not
    /// kept any more and do not count.
    ///
    /// Looks at every asset and job.
    pub fn stored_bytes(&self, workspace: &str, artifacts_before: LogTime) -> u64 {
        let kept = self.stored(artifacts_before);
        kept.filter(|(of, _)| *of == workspace)
            .map(|(_, bytes)| bytes)
            .fold(0, u64::saturating_add)
    }

    /// The same of every workspace that keeps anything.
    pub fn stored_by_workspace(&self, artifacts_before: LogTime) -> BTreeMap<&str, u64> {
        let mut kept = BTreeMap::new();
        for (workspace, bytes) in self.stored(artifacts_before) {
            let sum: &mut u64 = kept.entry(workspace).or_default();
            *sum = sum.saturating_add(bytes);
        }
        kept
    }

    /// The same with the requests for renders, kept as long as their records, and the files that
    /// renders under way have made so far.
    pub fn held_by_workspace(&self, artifacts_before: LogTime) -> BTreeMap<&str, u64> {
        let mut held = self.stored_by_workspace(artifacts_before);
        for job in self.jobs.values().filter(|job| job.is_render()) {
            let sum = held.entry(&job.workspace).or_default();
            *sum = sum.saturating_add(job.request.size);
        }
        for job in self.queues.begun().filter_map(|id| self.jobs.get(&id)) {
            let sum = held.entry(&job.workspace).or_default();
            *sum = sum.saturating_add(job.working_bytes());
        }
        held
    }

    fn bytes_of(&self, asset: &Asset) -> u64 {
        if asset.id().kind == AssetKind::Probe {
            return 0;
        }
        let has_failed = asset.status == AssetStatus::Failed;
        let is_removed = asset
            .settled_at
            .is_none_or(|at| self.now.millis_since(at) >= ARRIVED_KEPT_MILLIS);
        match (&asset.ingested, &asset.arrival) {
            (_, Some(Arrival::Whole { size, .. } | Arrival::Parts { size }))
                if has_failed && !is_removed =>
            {
                *size
            }
            _ if has_failed => 0,
            (Some(ingested), _) => ingested.object.size,
            (None, Some(Arrival::Whole { size, .. } | Arrival::Parts { size })) => *size,
            (None, None) => asset.new.size.unwrap_or(0),
        }
    }

    fn stored(&self, artifacts_before: LogTime) -> impl Iterator<Item = (&str, u64)> {
        let assets = self.assets.values();
        let assets = assets.map(|asset| (asset.new.workspace.as_str(), self.bytes_of(asset)));
        let artifacts = self.jobs.values().filter_map(move |job| {
            let is_kept = job.finished_at.is_none_or(|at| at >= artifacts_before);
            let artifact = job.artifact.as_ref().filter(|_| is_kept)?;
            let thumbnail = artifact.thumbnail.as_ref().map_or(0, |object| object.size);
            let bytes = artifact.object.size.saturating_add(thumbnail);
            Some((job.workspace.as_str(), bytes))
        });
        assets.chain(artifacts).filter(|(_, bytes)| *bytes > 0)
    }
}

impl Job {
    /// Bytes of the segments and the sound that it has made so far.
    pub fn working_bytes(&self) -> u64 {
        let marks = self.tasks.values().filter_map(|task| task.mark());
        marks
            .map(|mark| mark.object.size)
            .fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::ARRIVED_KEPT_MILLIS;
    use crate::command::Command;
    use crate::model::{Arrival, AssetKind, LogTime, TaskKind};
    use crate::state::tests::world::*;

    #[test]
    fn uploads_count_from_their_declaration_and_artifacts_until_they_are_removed() {
        let mut world = World::new();
        let mut declared = upload(5);
        declared.size = Some(1000);
        let workspace = declared.workspace.clone();
        world.apply(Command::CreateAsset(declared));
        let mut probe = upload(6);
        probe.asset.kind = AssetKind::Probe;
        world.apply(Command::CreateAsset(probe));
        let of = |world: &World, workspace: &str, before| {
            world.state.stored_bytes(workspace, LogTime(before))
        };
        assert_eq!(of(&world, &workspace, 0), 1000);
        assert_eq!(of(&world, "other", 0), 0);
        let abandon = Command::AbandonAsset {
            asset: upload(5).asset,
            workspace: workspace.clone(),
        };
        world.apply(abandon);
        assert_eq!(of(&world, &workspace, 0), 0, "what failed is removed");

        let mut world = World::rendered();
        world.do_task(TaskKind::Join);
        let ended = world.job().finished_at.unwrap().0;
        let thumbnail = artifact().thumbnail.map_or(0, |object| object.size);
        let request = world.job().request.size;
        let size = artifact().object.size + thumbnail;
        assert!(request > 0 && size > 0);
        assert_eq!(of(&world, &workspace, ended), size);
        assert_eq!(of(&world, &workspace, ended + 1), 0);
        for (before, kept) in [(ended, size), (ended + 1, 0)] {
            let held = world.state.held_by_workspace(LogTime(before));
            let held: Vec<_> = held.into_iter().collect();
            assert_eq!(held, [("acme", request + kept)]);
        }
    }

    #[test]
    fn what_arrived_of_an_asset_that_failed_counts_until_it_is_removed() {
        let mut world = World::new();
        let new = upload(5);
        let (asset, workspace) = (new.asset, new.workspace.clone());
        world.apply(Command::CreateAsset(new));
        let arrival = Arrival::Parts { size: 900 };
        world.apply(Command::AssetArrived { asset, arrival });
        let of = |world: &World| world.state.stored_bytes(&workspace, LogTime(0));
        assert_eq!(of(&world), 900);
        world.apply(Command::AbandonAsset {
            asset,
            workspace: workspace.clone(),
        });
        assert_eq!(of(&world), 900, "its bytes are still there");
        let settled = world.state.assets[&asset].settled_at.unwrap();
        world.state.now = LogTime(settled.0 + ARRIVED_KEPT_MILLIS - 1);
        assert_eq!(of(&world), 900);
        world.state.now = LogTime(settled.0 + ARRIVED_KEPT_MILLIS);
        assert_eq!(of(&world), 0);
    }
}
