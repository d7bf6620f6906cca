//! Laws of the state machine over random histories: sensible commands, stale ones, repeated
//! ones and invalid ones, in any order.

#[path = "support/history.rs"]
mod history;

use std::collections::BTreeSet;

use cluster::State;
use cluster::command::{Command, Granted, Outcome, Stamped};
use cluster::model::{DestinationStatus, Epoch, EventKind, LogIndex, LogTime, Subject, TaskKind};
use cluster::state::TaskPhase;
use cluster::state::invariants;
use history::{Step, any_history};
use proptest::prelude::*;

/// Applies the history, calling `look` after every command with the state before, the
/// command, what came of it and the state after.
fn run(
    steps: &[Step],
    mut look: impl FnMut(&State, &Command, &Outcome, &State) -> Result<(), TestCaseError>,
) -> Result<State, TestCaseError> {
    let mut state = State::default();
    for (index, step) in (1u64..).zip(steps) {
        let before = state.clone();
        let stamped = step.command(&state);
        let command = stamped.command.clone();
        let outcome = state.apply(LogIndex(index), stamped);
        look(&before, &command, &outcome, &state)?;
    }
    Ok(state)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_invariant_holds_after_every_command(steps in any_history()) {
        run(&steps, |_, command, _, after| {
            let checked = invariants::check(after);
            prop_assert!(checked.is_ok(), "{checked:?} after {command:?}");
            Ok(())
        })?;
    }

    #[test]
    fn an_epoch_is_never_used_twice(steps in any_history()) {
        let mut seen = BTreeSet::<Epoch>::new();
        run(&steps, |_, _, outcome, _| {
            let granted: Vec<&Granted> = match outcome {
                Outcome::Batch(outcome) => outcome.grants.iter().flatten().collect(),
                Outcome::Round(outcome) => outcome.grants.iter().flatten().flatten().collect(),
                _ => Vec::new(),
            };
            for granted in granted {
                prop_assert!(seen.insert(granted.epoch), "{:?} again", granted.epoch);
            }
            Ok(())
        })?;
    }

    #[test]
    fn an_ended_job_never_changes(steps in any_history()) {
        run(&steps, |before, command, _, after| {
            for (id, job) in &before.jobs {
                if job.status.is_terminal()
                    && let Some(now) = after.jobs.get(id)
                {
                    // Only how far the copy to its destination has got is still to come.
                    let mut then = now.as_ref().clone();
                    if job.destination != now.destination {
                        prop_assert_eq!(&job.destination, &Some(DestinationStatus::Pending));
                        then.destination.clone_from(&job.destination);
                        then.sequence = job.sequence;
                        then.changed_at = job.changed_at;
                    }
                    prop_assert_eq!(job.as_ref(), &then, "after {:?}", command);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_a_client_sees_only_goes_forward(steps in any_history()) {
        run(&steps, |before, _, _, after| {
            prop_assert!(before.now <= after.now);
            for (id, job) in &before.jobs {
                let Some(now) = after.jobs.get(id) else {
                    let may_go = job.status.is_terminal() || !job.is_render();
                    prop_assert!(may_go, "a render that goes on was dropped");
                    continue;
                };
                prop_assert!(job.status <= now.status);
                prop_assert!(job.sequence <= now.sequence);
                prop_assert!(job.frames_done <= now.frames_done);
                prop_assert!(job.generation <= now.generation);
                let is_seen = job.status != now.status || job.frames_done != now.frames_done;
                prop_assert!(!is_seen || job.sequence < now.sequence);
                // Events are written only if there is a receiver.
                let has_receiver = job.webhook_url.is_some()
                    || before.endpoints.values().any(|endpoint| endpoint.disabled.is_none());
                let is_event = job.is_render() && job.status != now.status && has_receiver;
                let is_announced = after.deliveries.values().any(|delivery| {
                    delivery.event.subject == Subject::Job(*id)
                        && delivery.event.kind == EventKind::of_status(now.status)
                });
                prop_assert!(!is_event || is_announced, "a status change without its event");
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_committed_file_stays_unless_it_is_asked_for_again(steps in any_history()) {
        run(&steps, |before, command, _, after| {
            if matches!(command, Command::ReopenTasks { .. } | Command::Replan { .. }) {
                return Ok(());
            }
            for (id, job) in &before.jobs {
                for (kind, task) in &job.tasks {
                    let (TaskPhase::Done(_), Some(now)) = (&task.phase, after.jobs.get(id)) else {
                        continue;
                    };
                    if now.status.is_terminal() {
                        continue;
                    }
                    prop_assert_eq!(&task.phase, &now.tasks[kind].phase);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_rejected_report_changes_nothing_and_an_accepted_one_can_be_repeated(
        steps in any_history(),
    ) {
        run(&steps, |before, command, outcome, after| {
            let (Command::Round(round), Outcome::Round(came)) = (command, outcome) else {
                return Ok(());
            };
            if round.reports.len() != 1 || !round.releases.is_empty() || !round.grants.is_empty() {
                return Ok(());
            }
            if came.reports[0].is_err() {
                prop_assert_eq!(&before.jobs, &after.jobs);
                return Ok(());
            }
            let mut again = after.clone();
            let repeated = again.apply(
                LogIndex(after.applied.0 + 1),
                Stamped { at: LogTime(0), ran: None, command: command.clone() },
            );
            let is_failure = round.reports[0].result.is_err();
            let job = round.reports[0].task.job;
            // The tasks of a job that a failure ended are gone, and with them the memory of it.
            // A transfer job that has ended is gone altogether.
            let Some(reported) = after.jobs.get(&job) else {
                return Ok(());
            };
            if !(is_failure && reported.status.is_terminal()) {
                prop_assert_eq!(&repeated, outcome);
            }
            prop_assert_eq!(&again.jobs, &after.jobs);
            Ok(())
        })?;
    }

    #[test]
    fn the_same_history_gives_the_same_state_across_a_snapshot(
        steps in any_history(),
        cut in 0usize..120,
    ) {
        let mut straight = State::default();
        let mut restored = State::default();
        for (index, step) in (1u64..).zip(&steps) {
            let stamped = step.command(&straight);
            // What travels is bytes.
            let bytes = stamped.encode().expect("a command encodes");
            let travelled = Stamped::decode(&bytes).expect("a command decodes");
            if index == cut as u64 {
                let snapshot = cluster::state::encode(&restored).expect("a state encodes");
                restored = cluster::state::decode(&snapshot).expect("a state decodes");
            }
            let first = straight.apply(LogIndex(index), stamped);
            let second = restored.apply(LogIndex(index), travelled);
            prop_assert_eq!(first, second);
        }
        prop_assert_eq!(&straight, &restored);
        let (first, second) = (
            cluster::state::encode(&straight),
            cluster::state::encode(&restored),
        );
        prop_assert_eq!(first.expect("encodes"), second.expect("encodes"));
    }
}

/// The laws above mean little if histories never get anywhere.
#[test]
fn histories_reach_every_end_and_every_kind_of_task() {
    use cluster::model::JobStatus;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut statuses = BTreeSet::new();
    let mut done = BTreeSet::new();
    let mut has_replanned = false;
    let mut settled = BTreeSet::new();
    let mut destinations = BTreeSet::new();
    let mut deliveries = BTreeSet::new();
    for _ in 0..1_024 {
        let steps = any_history()
            .new_tree(&mut runner)
            .expect("a history")
            .current();
        run(&steps, |before, _, _, after| {
            statuses.extend(after.jobs.values().map(|job| job.status));
            let assets = after.assets.values().map(|asset| asset.status);
            settled.extend(assets.filter(|status| status.is_settled()));
            deliveries.extend(
                after
                    .deliveries
                    .values()
                    .map(|delivery| format!("{:?}", delivery.status)),
            );
            destinations.extend(after.jobs.values().filter_map(|job| match job.destination {
                Some(DestinationStatus::Delivered { .. }) => Some("delivered"),
                Some(DestinationStatus::Failed(_)) => Some("failed"),
                Some(DestinationStatus::Pending) | None => None,
            }));
            has_replanned |= after.jobs.values().any(|job| job.generation.0 > 1);
            for (id, job) in &after.jobs {
                done.extend(
                    job.tasks
                        .iter()
                        .filter(|(_, task)| task.is_done())
                        .map(|(kind, _)| *kind),
                );
                if job.status == JobStatus::Completed && before.jobs.contains_key(id) {
                    done.insert(TaskKind::Join);
                }
            }
            Ok(())
        })
        .expect("no law is asserted here");
    }
    assert_eq!(statuses.len(), 5, "{statuses:?}");
    let want = [
        TaskKind::Prepare,
        TaskKind::Audio,
        TaskKind::Segment(0),
        TaskKind::Segment(1),
        TaskKind::Join,
    ];
    assert!(want.iter().all(|kind| done.contains(kind)), "{done:?}");
    assert!(has_replanned);
    assert_eq!(settled.len(), 2, "assets: {settled:?}");
    assert_eq!(destinations.len(), 2, "destinations: {destinations:?}");
    assert_eq!(deliveries.len(), 4, "deliveries: {deliveries:?}");
}
