//! What is still committed while the log's disk is full.

use crate::command::Command;

/// Whether `command` ends work or deletes, so that the log's reserve may be spent on it. What a
/// process commits to start is among it, and API keys: an operator who is to delete needs both.
pub(super) fn may_use_reserve(command: &Command) -> bool {
    match command {
        Command::CancelJob { .. }
        | Command::FailJob { .. }
        | Command::RegisterNode(_)
        | Command::SetNodeState { .. }
        | Command::SettleOutbox { .. }
        | Command::Sweep { .. }
        | Command::AbandonAsset { .. }
        | Command::ExpireUploads
        | Command::CreateKey(_)
        | Command::RevokeKey { .. }
        | Command::DeleteEndpoint { .. }
        | Command::Trim(_) => true,
        // Grants and leases alone begin something.
        Command::Batch(batch) => !batch.reports.is_empty() || !batch.releases.is_empty(),
        Command::Courier(courier) => !courier.results.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Batch, Courier, Grant, Release};
    use crate::model::{
        Digest, Epoch, Fingerprint, Generation, Incarnation, JobId, NodeId, TaskKind, TaskRef,
    };

    #[test]
    fn a_round_that_only_begins_work_waits_and_one_that_ends_some_does_not() {
        let task = TaskRef {
            job: JobId(1),
            kind: TaskKind::Prepare,
        };
        let mut batch = Batch::default();
        batch.grants.push(Grant {
            task,
            node: NodeId(1),
            incarnation: Incarnation(1),
            fingerprint: Fingerprint(Digest([1; 32])),
            extra: false,
        });
        assert!(!may_use_reserve(&Command::Batch(batch.clone())));
        batch.releases.push(Release {
            task,
            epoch: Epoch(1),
            lost: true,
        });
        assert!(may_use_reserve(&Command::Batch(batch)));
        assert!(!may_use_reserve(&Command::Courier(Courier::default())));
        let (job, generation) = (JobId(1), Generation(1));
        assert!(!may_use_reserve(&Command::Replan { job, generation }));
        assert!(may_use_reserve(&Command::ExpireUploads));
    }
}
