//! Progress of a run, from its child's messages: pure. A child that was taken over may send
//! anything. Its messages cannot make a run last longer than its outputs may, nor make the node
//! accept or store more than from a child that behaves.

use std::time::{Duration, Instant};

use cluster::model::Failure;

use crate::ports::damaged_inputs;
use crate::protocol::FromWorker;

/// Time between two pieces of progress that are passed on.
const PASS_ON: Duration = Duration::from_millis(50);
/// Messages in a row, within one second, that no child that works would send.
const TOO_MANY: u32 = 5000;
/// Longest texts of a failure that are kept.
const LONGEST_MESSAGE: usize = 1000;
const LONGEST_PATH: usize = 200;
const LONGEST_CODE: usize = 40;

/// What a message comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Observed {
    /// Nothing worth passing on.
    Nothing,
    /// Work goes on.
    Progress { output: u32, units: u64 },
    /// An output is made.
    Output { output: u32, body: Vec<u8> },
    /// The run has failed.
    Failed { output: u32, failure: Failure },
    /// The run is at its end.
    Finished,
    /// The child cannot be trusted any more.
    ProtocolViolation(&'static str),
}

/// Watches one run.
#[derive(Debug)]
pub(super) struct Watch {
    limits: Vec<Duration>,
    stall: Duration,
    /// The output being worked on.
    output: u32,
    units: u64,
    stall_at: Instant,
    hard_at: Instant,
    passed_on: Option<Instant>,
    counted_since: Instant,
    counted: u32,
}

impl Watch {
    /// A run that begins now; `limits` are the longest each output may take.
    pub(super) fn new(limits: Vec<Duration>, stall: Duration) -> Self {
        let now = Instant::now();
        let mut watch = Self {
            limits,
            stall,
            output: 0,
            units: 0,
            stall_at: now,
            hard_at: now,
            passed_on: None,
            counted_since: now,
            counted: 0,
        };
        watch.begin(0, now);
        watch
    }

    /// The output being worked on.
    pub(super) fn output(&self) -> u32 {
        self.output
    }

    /// How long the child may still be silent.
    pub(super) fn patience(&self) -> Duration {
        let deadline = self.stall_at.min(self.hard_at);
        deadline.saturating_duration_since(Instant::now())
    }

    /// Why the time is up.
    pub(super) fn overdue(&self) -> String {
        if self.hard_at <= self.stall_at {
            "worker took too long over one output".to_owned()
        } else {
            format!("worker stood still for {} s", self.stall.as_secs())
        }
    }

    fn limit(&self, output: u32) -> Option<Duration> {
        self.limits.get(usize::try_from(output).ok()?).copied()
    }

    fn begin(&mut self, output: u32, now: Instant) {
        self.output = output;
        self.units = 0;
        self.stall_at = now + self.stall;
        // Past the last output only the end of the run is waited for.
        self.hard_at = now + self.limit(output).unwrap_or(self.stall);
        self.passed_on = None;
    }

    /// Handles a message of the child.
    pub(super) fn observe(&mut self, message: FromWorker) -> Observed {
        let now = Instant::now();
        if self.is_flooding(now) {
            return Observed::ProtocolViolation("worker sent too many messages");
        }
        match message {
            FromWorker::Progress { output, units } => self.progress(output, units, now),
            FromWorker::Output { output, body } => {
                if output != self.output || self.limit(output).is_none() {
                    return Observed::ProtocolViolation(
                        "worker made an output it was not asked for",
                    );
                }
                self.begin(output + 1, now);
                Observed::Output { output, body }
            }
            FromWorker::Failed { output, failure } => Observed::Failed {
                output,
                failure: believable(failure),
            },
            FromWorker::Finished => Observed::Finished,
            FromWorker::Ready { .. } => Observed::ProtocolViolation("worker forgot its run"),
        }
    }

    fn progress(&mut self, output: u32, units: u64, now: Instant) -> Observed {
        if output > self.output {
            return Observed::ProtocolViolation("worker is ahead of its own outputs");
        }
        // Refers to an output that is already finished.
        if output < self.output {
            return Observed::Nothing;
        }
        if units != self.units {
            self.units = units;
            self.stall_at = now + self.stall;
        }
        let is_due = self.passed_on.is_none_or(|last| now >= last + PASS_ON);
        if !is_due {
            return Observed::Nothing;
        }
        self.passed_on = Some(now);
        Observed::Progress { output, units }
    }

    fn is_flooding(&mut self, now: Instant) -> bool {
        if now >= self.counted_since + Duration::from_secs(1) {
            (self.counted_since, self.counted) = (now, 0);
        }
        self.counted += 1;
        self.counted > TOO_MANY
    }
}

/// A child's failure, in a shape that may be kept in the log and shown to clients. It cannot
/// blame a join's input: those were checked before it saw them.
fn believable(failure: Failure) -> Failure {
    let is_code = !failure.code.is_empty()
        && failure.code.len() <= LONGEST_CODE
        && failure
            .code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let path = failure.path.filter(|path| damaged_inputs(path).is_none());
    Failure {
        code: if is_code {
            failure.code
        } else {
            "engine_error".to_owned()
        },
        message: plain(&failure.message, LONGEST_MESSAGE),
        path: path.map(|path| plain(&path, LONGEST_PATH)),
        permanent: failure.permanent,
    }
}

fn plain(text: &str, longest: usize) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    shown.take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(60);

    fn watch(outputs: usize) -> Watch {
        Watch::new(vec![Duration::from_secs(600); outputs], STALL)
    }

    fn made(output: u32) -> FromWorker {
        FromWorker::Output {
            output,
            body: Vec::new(),
        }
    }

    #[test]
    fn outputs_come_in_order_and_no_more_than_were_asked_for() {
        let is_output = |observed: &Observed| matches!(observed, Observed::Output { .. });
        let mut behaves = watch(2);
        assert!(is_output(&behaves.observe(made(0))));
        assert!(is_output(&behaves.observe(made(1))));
        assert_eq!(behaves.observe(FromWorker::Finished), Observed::Finished);
        for (outputs, then) in [(vec![0], 0), (vec![], 1), (vec![0, 1], 2)] {
            let mut lies = watch(2);
            for output in outputs {
                lies.observe(made(output));
            }
            let observed = lies.observe(made(then));
            assert!(
                matches!(observed, Observed::ProtocolViolation(_)),
                "{then}: {observed:?}"
            );
        }
    }

    #[test]
    fn progress_in_outputs_that_were_not_begun_gains_no_time() {
        let mut lies = watch(3);
        let hard_at = lies.hard_at;
        let ahead = FromWorker::Progress {
            output: 2,
            units: 1,
        };
        assert!(matches!(
            lies.observe(ahead),
            Observed::ProtocolViolation(_)
        ));
        assert_eq!(lies.hard_at, hard_at);
    }

    #[test]
    fn a_flood_of_progress_is_thinned_and_then_ends_the_run() {
        let mut floods = watch(1);
        let mut passed_on = 0;
        let ended = (0..=u64::from(TOO_MANY) * 2).any(|units| {
            let observed = floods.observe(FromWorker::Progress { output: 0, units });
            passed_on += u32::from(matches!(observed, Observed::Progress { .. }));
            matches!(observed, Observed::ProtocolViolation(_))
        });
        assert!(ended);
        assert!(passed_on < 100, "{passed_on}");
    }

    #[test]
    fn a_failure_is_cut_to_size_and_blames_no_input() {
        let failure = |code: &str, message: String, path: &str| Failure {
            code: code.to_owned(),
            message,
            path: Some(path.to_owned()),
            permanent: true,
        };
        let kept = believable(failure("invalid_source", "a\nb".to_owned(), "elements[0]"));
        assert_eq!(kept.code, "invalid_source");
        assert_eq!(kept.message, "a b");
        assert_eq!(kept.path.as_deref(), Some("elements[0]"));
        for code in ["", "Not A Code", &"a".repeat(100)] {
            let kept = believable(failure(code, "x".repeat(1 << 20), "inputs[3]"));
            assert_eq!(kept.code, "engine_error");
            assert_eq!(kept.message.len(), LONGEST_MESSAGE);
            assert_eq!(kept.path, None);
        }
    }
}
