//! What a change of one thing sets off elsewhere: events for receivers, jobs that waited,
//! transfer jobs, usage. Written down while a command changes something, carried out before it ends.

use super::State;
use crate::model::{
    AssetId, AssetKind, AssetStatus, Day, EventKind, JobId, JobKind, JobStatus, Seq, Subject,
    Target,
};

/// Something that has effects beyond what it changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SideEffect {
    /// A job reached a status.
    JobReached {
        job: JobId,
        status: JobStatus,
        sequence: Seq,
    },
    /// An asset became ready or failed.
    AssetSettled(AssetId),
}

impl State {
    /// Carries out what the command has set off, and what that sets off in turn. Ends:
    /// statuses only move forward.
    pub(super) fn carry_out_side_effects(&mut self) {
        while !self.side_effects.is_empty() {
            for side_effect in std::mem::take(&mut self.side_effects) {
                match side_effect {
                    SideEffect::JobReached {
                        job,
                        status,
                        sequence,
                    } => self.job_reached(job, status, sequence),
                    SideEffect::AssetSettled(asset) => self.asset_settled(asset),
                }
            }
        }
    }

    fn job_reached(&mut self, id: JobId, status: JobStatus, sequence: Seq) {
        let Some((job, _)) = self.open_job(id) else {
            return;
        };
        if job.kind != JobKind::Render {
            if status.is_terminal() {
                self.settle_transfer(id);
            }
            return;
        }
        let workspace = job.workspace.clone();
        let own_url = if status.is_terminal() {
            job.webhook_url.take()
        } else {
            job.webhook_url.clone()
        };
        let is_completed = status == JobStatus::Completed;
        let wants_delivery = is_completed && job.destination.is_some();
        let kind = EventKind::of_status(status);
        self.announce(
            &workspace,
            kind,
            Subject::Job(id),
            sequence,
            own_url.map(Target::Url),
        );
        if is_completed {
            self.count_render(id, Day::of(self.now));
        }
        if wants_delivery {
            self.begin_deliver(id);
        }
    }

    fn asset_settled(&mut self, id: AssetId) {
        self.open_assets.remove(&id);
        let Some(asset) = self.assets.get(&id).cloned() else {
            return;
        };
        // Probes have no events: the client that asks for one waits for the answer.
        if id.kind == AssetKind::Probe {
            return;
        }
        let kind = if asset.status == AssetStatus::Ready {
            EventKind::AssetReady
        } else {
            EventKind::AssetFailed
        };
        self.announce(
            &asset.new.workspace,
            kind,
            Subject::Asset(id),
            asset.sequence,
            None,
        );
        self.release_waiting(&asset);
    }
}
