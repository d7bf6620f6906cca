//! How much of the store a workspace takes, as far as the log knows.

use super::State;
use crate::model::{Arrival, Asset, AssetKind, AssetStatus, LogTime};

impl State {
    /// Bytes that `workspace` keeps in the store: its uploads and imports, those that are still
    /// to arrive by their declared length, and the files of its renders. Those of renders that
    /// ended before `artifacts_before` are not kept any more and do not count.
    ///
    /// Looks at every asset and job.
    pub fn stored_bytes(&self, workspace: &str, artifacts_before: LogTime) -> u64 {
        let assets = self
            .assets
            .values()
            .filter(|asset| asset.new.workspace == workspace);
        let jobs = self.jobs.values().filter(|job| job.workspace == workspace);
        let artifacts = jobs.filter_map(|job| {
            let is_kept = job.finished_at.is_none_or(|at| at >= artifacts_before);
            job.artifact.as_ref().filter(|_| is_kept)
        });
        let of_assets: u64 = assets
            .map(|asset| bytes_of(asset))
            .fold(0, u64::saturating_add);
        artifacts
            .map(|artifact| {
                let thumbnail = artifact.thumbnail.as_ref().map_or(0, |object| object.size);
                artifact.object.size.saturating_add(thumbnail)
            })
            .fold(of_assets, u64::saturating_add)
    }
}

fn bytes_of(asset: &Asset) -> u64 {
    if asset.status == AssetStatus::Failed || asset.id().kind == AssetKind::Probe {
        return 0;
    }
    match (&asset.ingested, &asset.arrival) {
        (Some(ingested), _) => ingested.object.size,
        (None, Some(Arrival::Whole { size, .. } | Arrival::Parts { size })) => *size,
        (None, None) => asset.new.size.unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::Command;
    use crate::model::{AssetKind, LogTime, TaskKind};
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
        let (size, ended) = (artifact().object.size, world.job().finished_at.unwrap().0);
        assert!(size > 0);
        assert_eq!(of(&world, &workspace, ended), size);
        assert_eq!(of(&world, &workspace, ended + 1), 0);
    }
}
