//! Every metric: its name, unit, labels and buckets. Labels come from closed sets, never from
//! what a client sends and never from an id.
#![expect(clippy::disallowed_macros, reason = "the one file that names metrics")]

use std::time::Duration;

use axum::http::{self, StatusCode};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use super::TelemetryError;

/// Bounds in seconds: from a cached answer to the longest wait and beyond.
const SECONDS: [f64; 14] = [
    0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 1200.0,
];

const HTTP_REQUESTS: &str = "framelane_http_requests_total";
const HTTP_SECONDS: &str = "framelane_http_request_seconds";
const SUBMISSIONS: &str = "framelane_submissions_total";
const COMMIT_SECONDS: &str = "framelane_commit_seconds";
const STORE_ERRORS: &str = "framelane_store_errors_total";
const QUEUE_DEPTH: &str = "framelane_queue_depth";
const QUEUE_AGE: &str = "framelane_queue_oldest_seconds";
const PROCESSING: &str = "framelane_renders_processing";
const APPLIED_INDEX: &str = "framelane_raft_applied_index";
const NODES: &str = "framelane_nodes_ready";
const SLOTS: &str = "framelane_slots_total";
const SLOTS_BUSY: &str = "framelane_slots_busy";
const EVENT_STREAMS: &str = "framelane_event_streams_open";
const CONNECTIONS: &str = "framelane_http_connections_open";
const CONNECTIONS_REFUSED: &str = "framelane_http_connections_refused_total";
const LONG_POLLS: &str = "framelane_long_polls_waiting";
const WEBHOOKS: &str = "framelane_webhook_attempts_total";
const WEBHOOKS_PENDING: &str = "framelane_webhook_deliveries_pending";

/// What /metrics shows. Cheap to clone.
#[derive(Clone)]
pub struct Exposition(PrometheusHandle);

impl std::fmt::Debug for Exposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exposition").finish_non_exhaustive()
    }
}

impl Exposition {
    /// Records everything this process measures from now on.
    ///
    /// # Errors
    /// [`TelemetryError::Metrics`] if something records it already.
    pub fn install() -> Result<Self, TelemetryError> {
        let recorder = recorder();
        let exposition = Self(recorder.handle());
        metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::Metrics)?;
        describe();
        Ok(exposition)
    }

    /// Shows nothing: nothing is recorded into it.
    pub fn detached() -> Self {
        Self(recorder().handle())
    }

    /// Everything recorded, in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .expect("the list of bounds is not empty")
        .build_recorder()
}

fn describe() {
    describe_counter!(
        HTTP_REQUESTS,
        "Requests answered, by route, method and status"
    );
    describe_histogram!(
        HTTP_SECONDS,
        Unit::Seconds,
        "Time to answer a request, waits included"
    );
    describe_counter!(SUBMISSIONS, "Submitted compositions, by what came of them");
    describe_histogram!(
        COMMIT_SECONDS,
        Unit::Seconds,
        "Time from a proposal to its outcome"
    );
    describe_counter!(STORE_ERRORS, "Failed object store calls, by who made them");
    describe_gauge!(QUEUE_DEPTH, "Renders that are queued");
    describe_gauge!(QUEUE_AGE, Unit::Seconds, "Age of the oldest queued render");
    describe_gauge!(PROCESSING, "Renders that are processing");
    describe_gauge!(APPLIED_INDEX, "Index of the last applied log entry");
    describe_gauge!(NODES, "Render nodes that poll");
    describe_gauge!(SLOTS, "Rendering slots of the nodes that poll");
    describe_gauge!(SLOTS_BUSY, "Rendering slots at work");
    describe_gauge!(EVENT_STREAMS, "Open streams of a render's events");
    describe_gauge!(CONNECTIONS, "Open connections of clients");
    describe_counter!(
        CONNECTIONS_REFUSED,
        "Connections not served: their peer, or all together, had too many"
    );
    describe_gauge!(LONG_POLLS, "Requests that wait for a render's end");
    describe_counter!(WEBHOOKS, "Webhooks sent, by what came of them");
    describe_gauge!(WEBHOOKS_PENDING, "Webhooks that are still to be taken");
}

/// A request's method, from a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// Whatever else a client made up.
    Other,
}

impl Method {
    /// The set's member for `method`.
    pub fn of(method: &http::Method) -> Self {
        [
            Self::Get,
            Self::Head,
            Self::Post,
            Self::Put,
            Self::Patch,
            Self::Delete,
        ]
        .into_iter()
        .find(|known| known.as_str() == method.as_str())
        .unwrap_or(Self::Other)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Other => "OTHER",
        }
    }
}

/// A request was answered. `route` is the pattern that matched, or `unmatched`.
pub fn http_request(route: &str, method: Method, status: StatusCode, took: Duration) {
    let labels = [
        ("route", route.to_owned()),
        ("method", method.as_str().to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    counter!(HTTP_REQUESTS, &labels).increment(1);
    histogram!(HTTP_SECONDS, "route" => route.to_owned(), "method" => method.as_str())
        .record(took.as_secs_f64());
}

/// A request was refused before it could be read whole.
pub fn unread_request(status: StatusCode) {
    let labels = [
        ("route", "unread".to_owned()),
        ("method", Method::Other.as_str().to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    counter!(HTTP_REQUESTS, &labels).increment(1);
}

/// A connection was not served.
pub fn connection_refused() {
    counter!(CONNECTIONS_REFUSED).increment(1);
}

/// What came of a submitted composition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// A new render.
    Accepted,
    /// An idempotency key found its render.
    Replayed,
    /// An idempotency key was used with another body.
    Conflict,
    /// It broke the contract.
    Invalid,
    /// The queue was full.
    QueueFull,
    /// The workspace has had its minutes.
    OverQuota,
}

/// A composition was submitted.
pub fn submission(outcome: Submission) {
    let outcome = match outcome {
        Submission::Accepted => "accepted",
        Submission::Replayed => "replayed",
        Submission::Conflict => "conflict",
        Submission::Invalid => "invalid",
        Submission::OverQuota => "over_quota",
        Submission::QueueFull => "queue_full",
    };
    counter!(SUBMISSIONS, "outcome" => outcome).increment(1);
}

/// A proposal of the edge came back, with an outcome or without.
pub fn commit(took: Duration, has_outcome: bool) {
    let outcome = if has_outcome { "applied" } else { "failed" };
    histogram!(COMMIT_SECONDS, "outcome" => outcome).record(took.as_secs_f64());
}

/// A webhook was sent; `status` is the receiver's, if it answered.
pub fn webhook(status: Option<u16>) {
    let outcome = match status {
        Some(200..=299) => "delivered",
        Some(_) => "refused",
        None => "unanswered",
    };
    counter!(WEBHOOKS, "outcome" => outcome).increment(1);
}

/// How many webhooks are still to be taken.
pub fn webhooks_pending(count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a count for people to read")]
    gauge!(WEBHOOKS_PENDING).set(count as f64);
}

/// The object store failed `caller`.
pub fn store_error(caller: &'static str) {
    counter!(STORE_ERRORS, "caller" => caller).increment(1);
}

/// How many renders wait and run, and how long the first of them has waited.
pub fn queue(queued: u32, processing: u32, oldest: Duration) {
    gauge!(QUEUE_DEPTH).set(queued);
    gauge!(PROCESSING).set(processing);
    gauge!(QUEUE_AGE).set(oldest.as_secs_f64());
}

/// How far this process has applied the log.
pub fn applied_index(index: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
    gauge!(APPLIED_INDEX).set(index as f64);
}

/// How many render nodes poll, and what their slots do.
pub fn nodes(ready: u32, slots: u32, busy: u32) {
    gauge!(NODES).set(ready);
    gauge!(SLOTS).set(slots);
    gauge!(SLOTS_BUSY).set(busy);
}

/// A waiting request, counted for as long as this lives.
#[derive(Debug)]
pub struct Waiting(&'static str);

impl Waiting {
    /// An open stream of a render's events.
    pub fn on_stream() -> Self {
        Self::on(EVENT_STREAMS)
    }

    /// An open connection.
    pub fn on_connection() -> Self {
        Self::on(CONNECTIONS)
    }

    /// A request that waits for a render's end.
    pub fn on_long_poll() -> Self {
        Self::on(LONG_POLLS)
    }

    fn on(name: &'static str) -> Self {
        gauge!(name).increment(1);
        Self(name)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1);
    }
}
