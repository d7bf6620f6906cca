//! What is still committed while the log's disk is full.

use crate::command::Command;

/// Whether `command` ends work or deletes, so that the log's reserve may be spent on it. What a
/// process commits to start is among it, and API keys: an operator who is to delete needs both.
pub(super) fn may_use_reserve(command: &Command) -> bool {
    match command {
        Command::CancelJob { .. }
        | Command::FailJob { .. }
        | Command::RegisterNode(_)
        | Command::Register(_)
        | Command::RaiseLevel(_)
        | Command::SetNodeState { .. }
        | Command::SettleOutbox { .. }
        | Command::Sweep { .. }
        | Command::AbandonAsset { .. }
        | Command::ExpireUploads
        | Command::CreateKey(_)
        | Command::RevokeKey { .. }
        | Command::DeleteEndpoint { .. }
        | Command::Trim(_)
        | Command::Retain(_)
        | Command::ForgetDeliveries(_) => true,
        // Grants and leases alone begin something.
        Command::Batch(batch) => !batch.reports.is_empty() || !batch.releases.is_empty(),
        Command::Round(round) => !round.reports.is_empty() || !round.releases.is_empty(),
        Command::DeliveryRound(delivery_round) => !delivery_round.results.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{DeliveryRound, Grant, Release, ReleaseCause, Round};
    use crate::model::{
        Digest, Epoch, Fingerprint, Generation, Incarnation, JobId, NodeId, TaskKind, TaskRef,
    };

    #[test]
    fn a_round_that_only_begins_work_waits_and_one_that_ends_some_does_not() {
        let task = TaskRef {
            job: JobId(1),
            kind: TaskKind::Prepare,
        };
        let mut round = Round::default();
        round.grants.push(Grant {
            job: task.job,
            tasks: vec![task.kind],
            node: NodeId(1),
            incarnation: Incarnation(1),
            fingerprint: Fingerprint(Digest([1; 32])),
            extra: false,
        });
        assert!(!may_use_reserve(&Command::Round(round.clone())));
        round.releases.push(Release {
            task,
            epoch: Epoch(1),
            cause: ReleaseCause::Expired { is_charged: true },
        });
        assert!(may_use_reserve(&Command::Round(round)));
        assert!(!may_use_reserve(&Command::DeliveryRound(
            DeliveryRound::default()
        )));
        let (job, generation) = (JobId(1), Generation(1));
        assert!(!may_use_reserve(&Command::Replan { job, generation }));
        assert!(may_use_reserve(&Command::ExpireUploads));
    }
}
