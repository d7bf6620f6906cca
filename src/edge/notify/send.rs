//! The sending of one webhook: the body made once and kept, signed anew at every try, past
//! the network guard, with an end to every wait.

use std::sync::Arc;
use std::time::Duration;

use actors::ports::{Answered, WebhookSender};
use bytes::Bytes;
use cluster::model::{Delivery, Endpoint, Event, EventId, EventKind, Secret, Target};
use cluster::state::Job;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use reqwest::Client;
use tokio::sync::watch;

use super::body;
use super::sign::Keys;
use crate::edge::context::Edge;
use crate::edge::timestamp::rfc3339;
use crate::store::fetch::{Forbidden, Guard, NoWay};
use crate::store::{StoreError, keys};
use crate::telemetry::metrics;

/// For one try, from the first look at the name to the last byte that is read.
const LIMIT: Duration = Duration::from_secs(10);

/// Bytes of an answer that are read: nothing of it is used.
const ANSWER: usize = 16 << 10;

/// Sends webhooks for the actors, over HTTP. Made before the edge, which writes the bodies; a
/// request waits until that is there.
#[derive(Debug, Clone)]
pub struct HttpWebhooks {
    edge: watch::Sender<Option<Edge>>,
}

impl Default for HttpWebhooks {
    fn default() -> Self {
        Self {
            edge: watch::Sender::new(None),
        }
    }
}

impl HttpWebhooks {
    /// From now on requests are made by `edge`.
    pub fn attach(&self, edge: &Edge) {
        self.edge.send_replace(Some(edge.clone()));
    }

    async fn edge(&self) -> Option<Edge> {
        let mut edge = self.edge.subscribe();
        let known = edge.wait_for(Option::is_some).await.ok()?;
        known.clone()
    }
}

impl WebhookSender for HttpWebhooks {
    fn send(&self, delivery: Delivery) -> BoxFuture<'static, Answered> {
        let sender = self.clone();
        async move {
            let Some(edge) = sender.edge().await else {
                return failed("this server stops");
            };
            let answered = send(&edge, &delivery).await;
            metrics::webhook(answered.status);
            answered
        }
        .boxed()
    }

    fn progress(&self, endpoint: Endpoint, job: Arc<Job>) -> BoxFuture<'static, Answered> {
        let sender = self.clone();
        async move {
            let Some(edge) = sender.edge().await else {
                return failed("this server stops");
            };
            progress(&edge, &endpoint, &job).await
        }
        .boxed()
    }
}

async fn send(edge: &Edge, delivery: &Delivery) -> Answered {
    let state = edge.state();
    let (url, secret) = match &delivery.target {
        Target::Url(url) => (url.clone(), state.secrets.get(&delivery.workspace)),
        Target::Endpoint(id) => match state.endpoints.get(id) {
            Some(endpoint) => (endpoint.url.clone(), Some(&endpoint.secret)),
            None => return failed("the endpoint was removed"),
        },
    };
    let secret = match secret {
        Some(secret) => secret.clone(),
        // The workspace's secret was never requested: it is drawn now.
        None => match edge.workspace_secret(&delivery.workspace).await {
            Ok(secret) => secret,
            Err(_) => return failed("the workspace's secret cannot be kept"),
        },
    };
    let body = match kept_body(edge, &delivery.event).await {
        Ok(Some(body)) => body,
        Ok(None) => return failed("what the event is about is no longer kept"),
        Err(reason) => return failed(reason),
    };
    let request = WebhookRequest {
        id: delivery.event.id.to_string(),
        url: &url,
        secret: &secret,
        body,
    };
    request.answered(edge).await
}

/// The body of an event: made before its first try, and the same ever after.
async fn kept_body(edge: &Edge, event: &Event) -> Result<Option<Bytes>, &'static str> {
    let key = keys::event_body(event.id);
    match edge.parts.store.get(&key).await {
        Ok(body) => return Ok(Some(body)),
        Err(StoreError::NotFound(_)) => {}
        Err(error) => {
            tracing::warn!(%error, event = %event.id, "an event's body cannot be read");
            return Err("the event's body cannot be read");
        }
    }
    let rendered = body::render(edge, event).await;
    let Some(body) = rendered.map_err(|_| "the event's body cannot be made")? else {
        return Ok(None);
    };
    // Tries of one event at several endpoints may race to here: what is kept counts.
    let _alone = edge.writing.lock().await;
    if let Ok(body) = edge.parts.store.get(&key).await {
        return Ok(Some(body));
    }
    match edge.parts.store.put(key, body.clone()).await {
        Ok(_) => Ok(Some(body)),
        Err(error) => {
            tracing::warn!(%error, event = %event.id, "an event's body cannot be kept");
            Err("the event's body cannot be kept")
        }
    }
}

async fn progress(edge: &Edge, endpoint: &Endpoint, job: &Arc<Job>) -> Answered {
    let Ok(render) = edge.describe(job).await else {
        return failed("the render cannot be described");
    };
    let Ok(object) = serde_json::to_value(render) else {
        return failed("the render cannot be described");
    };
    let id = EventId(edge.fresh_ulid().0).to_string();
    let written = body::write(&id, EventKind::RenderProgress, rfc3339(edge.now()), object);
    let Ok(body) = written else {
        return failed("the event cannot be written");
    };
    let request = WebhookRequest {
        id,
        url: &endpoint.url,
        secret: &endpoint.secret,
        body,
    };
    request.answered(edge).await
}

/// Something to be sent once.
pub(in crate::edge) struct WebhookRequest<'a> {
    pub(in crate::edge) id: String,
    pub(in crate::edge) url: &'a str,
    pub(in crate::edge) secret: &'a Secret,
    pub(in crate::edge) body: Bytes,
}

/// What came of a request.
pub(in crate::edge) type Outcome = Result<u16, String>;

impl WebhookRequest<'_> {
    /// A request that only tests whether webhooks arrive.
    pub(in crate::edge) fn test<'a>(
        edge: &Edge,
        endpoint: &'a Endpoint,
    ) -> Result<WebhookRequest<'a>, crate::edge::error::ApiError> {
        let id = EventId(edge.fresh_ulid().0).to_string();
        let about = serde_json::json!({"id": endpoint.id.to_string(), "object": "webhook"});
        let body = body::named(&id, "webhook.test", rfc3339(edge.now()), about)?;
        Ok(WebhookRequest {
            id,
            url: &endpoint.url,
            secret: &endpoint.secret,
            body,
        })
    }

    async fn answered(&self, edge: &Edge) -> Answered {
        match self.post(edge).await {
            Ok(status @ 200..=299) => Answered {
                status: Some(status),
                error: None,
            },
            Ok(status) => Answered {
                status: Some(status),
                error: Some(format!("the receiver answered {status}")),
            },
            Err(reason) => failed(reason),
        }
    }

    /// Posts it; gives the receiver's status.
    pub(in crate::edge) async fn post(&self, edge: &Edge) -> Outcome {
        let now = edge.now();
        let keys = Keys::open(self.secret, &edge.parts.sealer, now).map_err(|error| {
            tracing::error!(%error, "a webhook cannot be signed");
            error.to_string()
        })?;
        let headers = keys.headers(&self.id, now.0 / 1000, &self.body);
        let posting = edge.sender.post(self.url, &headers, self.body.clone());
        match tokio::time::timeout(LIMIT, posting).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
        }
    }
}

fn failed(reason: impl Into<String>) -> Answered {
    Answered {
        status: None,
        error: Some(reason.into()),
    }
}

/// Posts to receivers, past the guard.
#[derive(Debug, Clone)]
pub(in crate::edge) struct Sender {
    guard: Guard,
    client: Client,
}

impl Sender {
    /// A sender that the guard holds to public addresses.
    pub(in crate::edge) fn new(guard: Guard) -> Result<Self, reqwest::Error> {
        let client = guard
            .client()
            .connect_timeout(LIMIT)
            .timeout(LIMIT)
            .build()?;
        Ok(Self { guard, client })
    }

    async fn post(&self, url: &str, headers: &[(&'static str, String)], body: Bytes) -> Outcome {
        let url = self.guard.admit(url).map_err(|error| forbidden(&error))?;
        let mut request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.map_err(|error| unsent(&error))?;
        let status = response.status().as_u16();
        // The connection can be used again once its answer was read.
        let mut left = ANSWER;
        let mut answer = response.bytes_stream();
        while let Some(Ok(chunk)) = answer.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
        Ok(status)
    }
}

/// The guard's refusal without the address that it refused.
fn forbidden(error: &Forbidden) -> String {
    match error {
        Forbidden::Address(_) => "the url leads to an address that is not public".to_owned(),
        other => other.to_string(),
    }
}

/// Why a request failed, without the addresses that a name resolved to.
fn unsent(error: &reqwest::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(now) = cause {
        if let Some(NoWay::Forbidden(refused)) = now.downcast_ref::<NoWay>() {
            return forbidden(refused);
        }
        cause = now.source();
    }
    let reason = if error.is_timeout() {
        "the receiver did not answer in time"
    } else if error.is_connect() {
        "no connection to the receiver"
    } else {
        "the connection to the receiver broke"
    };
    reason.to_owned()
}
