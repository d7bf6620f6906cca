//! Endpoints and deliveries as clients read them.

use cluster::State;
use cluster::model::{Delivery, DeliveryStatus, Endpoint, Subject, Target};
use serde::Serialize;
use utoipa::ToSchema;

use crate::edge::timestamp::rfc3339;

/// The statuses of deliveries with their names.
pub(super) const STATUSES: [(&str, DeliveryStatus); 4] = [
    ("pending", DeliveryStatus::Pending),
    ("delivered", DeliveryStatus::Delivered),
    ("failed", DeliveryStatus::Failed),
    ("dropped", DeliveryStatus::Dropped),
];

/// A webhook endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookBody {
    /// Its id, `webhook_` and a ULID.
    id: String,
    /// Always `webhook`.
    #[schema(example = "webhook")]
    object: &'static str,
    /// Where events are sent.
    #[schema(format = "uri")]
    url: String,
    /// The events it is sent.
    events: Vec<&'static str>,
    /// `enabled`, or `disabled` after it answered 410.
    #[schema(example = "enabled")]
    status: &'static str,
    /// Since when it is disabled.
    #[schema(format = DateTime)]
    disabled_at: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// Signs what is sent. Only here, once: when it is made and when it is rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl WebhookBody {
    /// An endpoint without its secret.
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        Self {
            id: endpoint.id.to_string(),
            object: "webhook",
            url: endpoint.url.clone(),
            events: endpoint.events.iter().map(|kind| kind.name()).collect(),
            status: if endpoint.disabled.is_some() {
                "disabled"
            } else {
                "enabled"
            },
            disabled_at: endpoint.disabled.map(|(_, at)| rfc3339(at)),
            created_at: rfc3339(endpoint.created_at),
            secret: None,
        }
    }

    /// The same with its secret.
    pub(super) fn with_secret(self, secret: String) -> Self {
        Self {
            secret: Some(secret),
            ..self
        }
    }
}

/// The workspace's endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WebhookList)]
pub(crate) struct WebhookListBody {
    /// The endpoints, oldest first.
    pub(super) data: Vec<WebhookBody>,
    /// Always false: a workspace has few.
    pub(super) has_more: bool,
    /// Always null.
    pub(super) next_cursor: Option<String>,
}

/// A secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
pub(crate) struct SecretBody {
    /// Signs what is sent to the `webhook_url` of a request.
    #[schema(example = "whsec_…")]
    pub(super) secret: String,
}

/// What came of a test call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WebhookTest)]
pub(crate) struct TestBody {
    /// The receiver answered 2xx.
    pub(super) delivered: bool,
    /// The receiver's status, if it answered.
    pub(super) status: Option<u16>,
    /// Why it was not taken.
    pub(super) error: Option<String>,
    /// How long it took.
    pub(super) duration_ms: u64,
}

/// One event on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(crate) struct DeliveryBody {
    /// Its id, `delivery_` and a ULID.
    id: String,
    /// Always `delivery`.
    #[schema(example = "delivery")]
    object: &'static str,
    /// The endpoint it goes to; null if it goes to the `webhook_url` of a request.
    webhook_id: Option<String>,
    /// Where it is sent; null if its endpoint is removed.
    #[schema(format = "uri")]
    url: Option<String>,
    /// The event that is sent.
    event: DeliveredEventBody,
    /// `pending`, `delivered`, `failed` or `dropped`.
    #[schema(example = "delivered")]
    status: &'static str,
    /// Finished tries, oldest first.
    attempts: Vec<AttemptBody>,
    /// When it is tried (again), while it is pending.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    /// When the event happened.
    #[schema(format = DateTime)]
    created_at: String,
}

/// The event of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WebhookDeliveryEvent)]
pub(crate) struct DeliveredEventBody {
    /// The `webhook-id` of every try.
    id: String,
    /// Such as `render.completed`.
    r#type: &'static str,
    /// The render, upload or import that it is about.
    object_id: String,
}

/// One finished try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WebhookAttempt)]
pub(crate) struct AttemptBody {
    /// When it began.
    #[schema(format = DateTime)]
    at: String,
    /// The receiver's status, if it answered.
    status: Option<u16>,
    /// Why it was not taken.
    error: Option<String>,
    /// How long it took.
    duration_ms: u32,
}

impl DeliveryBody {
    /// A delivery, with where it goes by this state.
    pub(super) fn of(delivery: &Delivery, state: &State) -> Self {
        let (webhook_id, url) = match &delivery.target {
            Target::Url(url) => (None, Some(url.clone())),
            Target::Endpoint(id) => {
                let endpoint = state.endpoints.get(id);
                let url = endpoint.map(|endpoint| endpoint.url.clone());
                (Some(id.to_string()), url)
            }
        };
        let (status, _) = STATUSES
            .into_iter()
            .find(|(_, status)| *status == delivery.status)
            .unwrap_or(STATUSES[0]);
        let attempts = delivery.attempts.iter().map(|attempt| AttemptBody {
            at: rfc3339(attempt.at),
            status: attempt.status,
            error: attempt.error.clone(),
            duration_ms: attempt.duration_millis,
        });
        let is_pending = delivery.status == DeliveryStatus::Pending;
        Self {
            id: delivery.id.to_string(),
            object: "delivery",
            webhook_id,
            url,
            event: DeliveredEventBody {
                id: delivery.event.id.to_string(),
                r#type: delivery.event.kind.name(),
                object_id: match delivery.event.subject {
                    Subject::Job(job) => job.to_string(),
                    Subject::Asset(asset) => asset.to_string(),
                },
            },
            status,
            attempts: attempts.collect(),
            next_attempt_at: is_pending.then(|| {
                let wait = delivery.due.millis_since(state.ran);
                rfc3339(state.now.plus_millis(wait))
            }),
            created_at: rfc3339(delivery.event.at),
        }
    }
}

/// A page of deliveries.
#[derive(Debug, ToSchema)]
#[schema(as = WebhookDeliveryList)]
#[expect(
    dead_code,
    reason = "describes the answer, which is written item by item"
)]
pub(crate) struct DeliveryListBody {
    /// The deliveries, newest first.
    pub(super) data: Vec<DeliveryBody>,
    /// Where the next page begins.
    pub(super) next_cursor: Option<String>,
    /// Whether there is one.
    pub(super) has_more: bool,
}

/// Whether a delivery goes to this endpoint.
pub(super) fn goes_to(delivery: &Delivery, endpoint: &Endpoint) -> bool {
    delivery.target == Target::Endpoint(endpoint.id)
}
