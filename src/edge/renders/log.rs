//! The events of a render that the log has numbered, as applied state still has them. Pure:
//! a job and the last number a client saw give what it has not seen.

use std::collections::BTreeMap;

use cluster::model::{JobStatus, LogIndex};
use cluster::state::Job;

/// An event with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logged {
    /// Its number; `None` if another event of the same entry, which follows, carries it.
    pub(super) id: Option<LogIndex>,
    /// What happened.
    pub(super) what: What,
}

/// An event of a render that the log records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// It reached a status.
    Status(JobStatus),
    /// These segments were accepted, by one entry.
    Segments(Vec<u32>),
}

/// Everything after `seen`, in the order of the log. One entry makes at most one event of
/// each kind, and its number comes with the last of them: a client that has seen a number has
/// seen all of its entry.
pub(super) fn events_after(job: &Job, seen: LogIndex) -> Vec<Logged> {
    let mut entries: BTreeMap<LogIndex, (Vec<u32>, Option<JobStatus>)> = BTreeMap::new();
    for (segment, index) in &job.accepted {
        if *index > seen {
            entries.entry(*index).or_default().0.push(*segment);
        }
    }
    for (index, status) in &job.reached {
        if *index > seen {
            // Of two statuses reached by one entry the later one is what counts.
            entries.entry(*index).or_default().1 = Some(*status);
        }
    }
    let mut events = Vec::new();
    for (index, (segments, status)) in entries {
        if !segments.is_empty() {
            events.push(Logged {
                id: status.is_none().then_some(index),
                what: What::Segments(segments),
            });
        }
        if let Some(status) = status {
            events.push(Logged {
                id: Some(index),
                what: What::Status(status),
            });
        }
    }
    events
}

/// Where a client that has seen no event begins: right before the current status.
pub(super) fn beginning(job: &Job) -> LogIndex {
    let current = job.reached.last().map_or(0, |(index, _)| index.0);
    LogIndex(current.saturating_sub(1))
}

/// Whether the render has ended and a client that saw `seen` has been sent its last event.
pub(super) fn is_over(job: &Job, seen: LogIndex) -> bool {
    job.status.is_terminal() && job.reached.last().is_none_or(|(index, _)| *index <= seen)
}

#[cfg(test)]
mod tests {
    use cluster::State;
    use cluster::command::{Command, Stamped};
    use cluster::model::{Digest, JobId, LogTime, ObjectKey, ObjectRef, Submission};

    use super::*;

    /// A job of its submission at index 5, with the history that a test gives.
    fn job(reached: &[(u64, JobStatus)], accepted: &[(u32, u64)]) -> Job {
        let mut state = State::default();
        let submission = Submission {
            job: JobId(1),
            workspace: "default".to_owned(),
            priority: 0,
            request: ObjectRef {
                key: ObjectKey("request".to_owned()),
                sha256: Digest([0; 32]),
                size: 0,
            },
            idempotency: None,
        };
        let command = Command::SubmitJob(submission);
        state.apply(
            LogIndex(5),
            Stamped {
                ran: None,
                at: LogTime(0),
                command,
            },
        );
        let mut job = Job::clone(&state.jobs[&JobId(1)]);
        for (index, status) in reached {
            job.reached.push((LogIndex(*index), *status));
            job.status = *status;
        }
        for (segment, index) in accepted {
            job.accepted.insert(*segment, LogIndex(*index));
        }
        job
    }

    fn sent(job: &Job, seen: u64) -> Vec<(Option<u64>, What)> {
        events_after(job, LogIndex(seen))
            .into_iter()
            .map(|event| (event.id.map(|id| id.0), event.what))
            .collect()
    }

    #[test]
    fn events_come_in_the_order_of_the_log_and_each_number_once() {
        let job = job(
            &[(7, JobStatus::Processing)],
            &[(0, 12), (1, 10), (2, 12), (3, 11)],
        );
        let all = [
            (Some(5), What::Status(JobStatus::Queued)),
            (Some(7), What::Status(JobStatus::Processing)),
            (Some(10), What::Segments(vec![1])),
            (Some(11), What::Segments(vec![3])),
            (Some(12), What::Segments(vec![0, 2])),
        ];
        assert_eq!(sent(&job, 0), all);
        for (at, (id, _)) in all.iter().enumerate() {
            let seen = id.expect("a number");
            assert_eq!(sent(&job, seen), all[at + 1..], "after {seen}");
        }
        assert_eq!(sent(&job, beginning(&job).0), all[1..]);
        assert!(!is_over(&job, LogIndex(99)));
    }

    #[test]
    fn a_number_that_was_seen_stands_for_its_whole_entry() {
        let job = job(
            &[(7, JobStatus::Processing), (9, JobStatus::Failed)],
            &[(4, 9)],
        );
        assert_eq!(
            sent(&job, 7),
            [
                (None, What::Segments(vec![4])),
                (Some(9), What::Status(JobStatus::Failed)),
            ]
        );
        assert_eq!(sent(&job, 9), []);
        assert!(is_over(&job, LogIndex(9)) && !is_over(&job, LogIndex(8)));
    }

    #[test]
    fn of_two_statuses_at_once_the_later_one_is_told() {
        let job = job(&[(5, JobStatus::Failed)], &[]);
        let failed = (Some(5), What::Status(JobStatus::Failed));
        assert_eq!(sent(&job, beginning(&job).0), [failed]);
    }
}
