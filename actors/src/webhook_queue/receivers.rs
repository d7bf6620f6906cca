//! How soon receivers answer. One that is slow gets one try at a time, and while it does not
//! answer at all, none before a delay that grows. What is known is in memory; a new leader
//! takes it from the committed attempts.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::State;
use cluster::model::{Delivery, DeliveryAttempt, EndpointId, LogTime, RanTime, Target};

use super::core::Schedule;
use crate::ports::Times;

/// A try that takes at least this long makes its receiver slow: half of the longest that a
/// receiver may take.
const SLOW: Duration = Duration::from_secs(5);

/// Longest time between two tries at a receiver that does not answer.
const LONGEST_HOLD: Duration = Duration::from_secs(600);

/// From so many receivers on, those that were sent nothing for [`FORGET`] are dropped.
const MANY: usize = 4096;
const FORGET: Duration = Duration::from_secs(3600);

/// Who answers, or does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Receiver {
    /// A registered endpoint.
    Endpoint(EndpointId),
    /// A host that requests of a workspace name in `webhook_url`. Not one URL: each request
    /// may name another path.
    Host { workspace: String, host: String },
}

impl Receiver {
    /// The receiver of a delivery; `None` if it names a URL without a host.
    pub(super) fn of(delivery: &Delivery) -> Option<Self> {
        Some(match &delivery.target {
            Target::Endpoint(endpoint) => Self::Endpoint(*endpoint),
            Target::Url(url) => Self::Host {
                workspace: delivery.workspace.clone(),
                host: host_in(url)?,
            },
        })
    }

    /// Its host and port, lower case; `None` if its endpoint is gone.
    pub(super) fn host(&self, state: &State) -> Option<String> {
        match self {
            Self::Endpoint(endpoint) => host_in(&state.endpoints.get(endpoint)?.url),
            Self::Host { host, .. } => Some(host.clone()),
        }
    }
}

/// How far a receiver can be relied on to answer soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pace {
    /// Its last try ended soon.
    Fast,
    /// Nothing is known.
    Unknown,
    /// Its last try did not.
    Slow,
}

/// What the last tries at a receiver were like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    is_slow: bool,
    /// Tries in a row without an answer. Tries that ran at the same time count once.
    unanswered: usize,
    /// When the last try ended.
    ended: RanTime,
    /// Not tried before this.
    held_until: RanTime,
}

/// The receivers of the last while.
#[derive(Debug, Default)]
pub(super) struct Receivers {
    seen: BTreeMap<Receiver, Seen>,
}

impl Receivers {
    /// Built from the committed attempts: each receiver is as its latest attempt left it.
    pub(super) fn from_log(state: &State, times: Times, schedule: &Schedule) -> Self {
        let mut latest: BTreeMap<Receiver, (LogTime, &[DeliveryAttempt])> = BTreeMap::new();
        for delivery in state.deliveries.values() {
            let (Some(receiver), Some(last)) = (Receiver::of(delivery), delivery.attempts.last())
            else {
                continue;
            };
            if receiver.host(state).is_none() {
                continue;
            }
            let known = latest
                .entry(receiver)
                .or_insert((last.at, &delivery.attempts));
            if known.0 < last.at {
                *known = (last.at, &delivery.attempts);
            }
        }
        let mut receivers = Self::default();
        for (receiver, (_, attempts)) in latest {
            for attempt in attempts {
                let took = Duration::from_millis(attempt.duration_millis.into());
                let has_answered = attempt.status.is_some();
                let began = in_running_time(attempt.at, times);
                receivers.tried(receiver.clone(), began, took, has_answered, schedule);
            }
        }
        receivers
    }

    /// A try has ended.
    pub(super) fn tried(
        &mut self,
        receiver: Receiver,
        began: RanTime,
        took: Duration,
        has_answered: bool,
        schedule: &Schedule,
    ) {
        let ended = after(began, took);
        if self.seen.len() >= MANY && !self.seen.contains_key(&receiver) {
            self.seen
                .retain(|_, seen| after(seen.ended.max(seen.held_until), FORGET) > ended);
        }
        let seen = self.seen.entry(receiver).or_insert(Seen {
            is_slow: false,
            unanswered: 0,
            ended: RanTime(0),
            held_until: RanTime(0),
        });
        seen.is_slow = took >= SLOW;
        if !seen.is_slow || has_answered {
            seen.unanswered = 0;
        } else if began >= seen.ended {
            seen.unanswered += 1;
        }
        seen.ended = seen.ended.max(ended);
        seen.held_until = match hold(seen.unanswered, schedule) {
            Duration::ZERO => RanTime(0),
            hold => after(ended, hold),
        };
    }

    /// What is to be expected of a receiver. A slow one gets one try at a time.
    pub(super) fn pace(&self, receiver: &Receiver) -> Pace {
        match self.seen.get(receiver) {
            None => Pace::Unknown,
            Some(seen) if seen.is_slow => Pace::Slow,
            Some(_) => Pace::Fast,
        }
    }

    /// Whether a receiver is not to be tried yet.
    pub(super) fn is_held(&self, receiver: &Receiver, now: RanTime) -> bool {
        self.seen
            .get(receiver)
            .is_some_and(|seen| seen.held_until > now)
    }

    /// Whether a due delivery has waited for its slow receiver for longer than all its tries
    /// would have taken to fail: it then fails untried, so that what waits for a receiver that
    /// is gone stays bounded.
    pub(super) fn has_outwaited(
        &self,
        receiver: &Receiver,
        delivery: &Delivery,
        times: Times,
        schedule: &Schedule,
    ) -> bool {
        let tried = usize::try_from(delivery.tries).unwrap_or(usize::MAX);
        let tries = delivery.attempts.len().saturating_sub(tried);
        let began = delivery.attempts.get(tries);
        let began = began.map_or(delivery.due, |first| in_running_time(first.at, times));
        let all: Duration = schedule.delays.iter().sum();
        self.pace(receiver) == Pace::Slow
            && after(delivery.due, LONGEST_HOLD) < times.ran
            && after(began, all + LONGEST_HOLD) < times.ran
    }
}

/// How long a receiver rests after so many tries in a row without an answer: not after the
/// first, which may be chance; then as long as a delivery waits for its next try.
fn hold(unanswered: usize, schedule: &Schedule) -> Duration {
    let Some(step) = unanswered.checked_sub(2) else {
        return Duration::ZERO;
    };
    let delay = schedule.delays.get(step).or(schedule.delays.last());
    delay.map_or(Duration::ZERO, |delay| (*delay).min(LONGEST_HOLD))
}

fn after(time: RanTime, delay: Duration) -> RanTime {
    time.plus_millis(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX))
}

/// Running time at an earlier moment of log time, which attempts are stamped with. Counts an
/// outage between the two as if the cluster had run.
fn in_running_time(at: LogTime, times: Times) -> RanTime {
    RanTime(times.ran.0.saturating_sub(times.now.millis_since(at)))
}

fn host_in(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Some(host.to_ascii_lowercase())
}
