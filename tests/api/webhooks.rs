//! Endpoints, what they are sent, and the log of it.
#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use actors::ports::WebhookSender;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use cluster::command::{Command, DeliveryResult, DeliveryRound, DeliveryVerdict};
use cluster::model::{Delivery, DeliveryAttempt, EventKind, RanTime};
use framelane::edge::HttpWebhooks;
use serde_json::{Value, json};

use super::world::World;

/// A receiver that keeps what it gets and gives the scripted answers, then 204.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
}

impl Receiver {
    /// Starts it; gives its URL.
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn answer(&self, statuses: &[StatusCode]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    fn bodies(&self) -> Vec<Bytes> {
        let got = self.got.lock().unwrap();
        got.iter().map(|(_, body)| body.clone()).collect()
    }

    fn headers(&self, name: &str) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter()
            .map(|(headers, _)| headers[name].to_str().unwrap().to_owned())
            .collect()
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    receiver.got.lock().unwrap().push((headers, body));
    let status = receiver.answers.lock().unwrap().pop_front();
    let mut headers = HeaderMap::new();
    headers.insert("location", "http://127.0.0.1:1/elsewhere".parse().unwrap());
    (status.unwrap_or(StatusCode::NO_CONTENT), headers)
}

async fn registered(world: &World, url: &str) -> Value {
    let answer = world.post("/v1/webhooks", &json!({"url": url})).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    answer.json()
}

fn deliveries(world: &World) -> Vec<Delivery> {
    let state = actors::ports::Coordinator::state(world.coordinator.as_ref());
    state
        .deliveries
        .values()
        .map(|delivery| delivery.as_ref().clone())
        .collect()
}

fn sender(world: &World) -> HttpWebhooks {
    let sender = HttpWebhooks::default();
    sender.attach(&world.edge);
    sender
}

/// Whether the standard library, given `secret`, signs request number `index` as it is signed.
/// (Its own check also reads the clock, which in these tests stands still.)
fn is_signed(receiver: &Receiver, index: usize, secret: &Value) -> bool {
    let library = standardwebhooks::Webhook::new(secret.as_str().unwrap()).unwrap();
    let got = receiver.got.lock().unwrap();
    let (headers, body) = &got[index];
    let header = |name: &str| headers[name].to_str().unwrap();
    let time = header("webhook-timestamp").parse().unwrap();
    let want = library.sign(header("webhook-id"), time, body).unwrap();
    header("webhook-signature")
        .split(' ')
        .any(|one| one == want)
}

/// Commits the result of a try, as the sender does.
fn settle(world: &World, delivery: &Delivery, status: Option<u16>, verdict: DeliveryVerdict) {
    world
        .coordinator
        .apply(Command::DeliveryRound(DeliveryRound {
            results: vec![DeliveryResult {
                delivery: delivery.id,
                attempt: DeliveryAttempt {
                    at: delivery.event.at,
                    status,
                    error: None,
                    duration_millis: 7,
                },
                verdict,
            }],
            leases: Vec::new(),
        }));
}

#[tokio::test]
async fn an_endpoint_is_made_read_listed_and_removed_and_its_secret_shown_once() {
    let world = World::new();
    let made = registered(&world, "https://example.com/hook").await;
    let secret = made["secret"].as_str().unwrap();
    assert!(
        secret.starts_with("whsec_") && secret.len() > 40,
        "{secret}"
    );
    let events: Vec<&str> = made["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(events.len(), 7);
    assert!(!events.contains(&"render.progress"), "that one is opt-in");
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let read = world.get(&path).await.json();
    assert_eq!(read.get("secret"), None, "never again");
    assert_eq!(read["status"], "enabled");
    assert_eq!(
        world.get("/v1/webhooks").await.json()["data"],
        json!([read])
    );
    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.delete(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_an_endpoint_cannot_be_is_named() {
    let world = World::new();
    let cases = [
        (json!({}), "url", "required"),
        (json!({"url": "ftp://example.com"}), "url", "type"),
        (
            json!({"url": "https://me:secret@example.com/"}),
            "url",
            "type",
        ),
        (
            json!({"url": "https://example.com/", "evnts": []}),
            "evnts",
            "unknown_field",
        ),
        (
            json!({"url": "https://example.com/", "events": []}),
            "events",
            "range",
        ),
        (
            json!({"url": "https://example.com/", "events": "all"}),
            "events",
            "type",
        ),
        (
            json!({"url": "https://example.com/", "events": ["render.complete"]}),
            "events[0]",
            "enum",
        ),
        (
            json!({"url": "https://example.com/", "events": ["asset.ready", "asset.ready"]}),
            "events[1]",
            "conflict",
        ),
    ];
    for (body, path, code) in cases {
        let answer = world.post("/v1/webhooks", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let detail = answer.json()["error"]["details"][0].clone();
        assert_eq!(detail["path"], path, "{body}: {detail}");
        // The code depends on what is wrong with the URL.
        if path != "url" {
            assert_eq!(detail["code"], code, "{body}: {detail}");
        }
    }
}

#[tokio::test]
async fn an_event_is_sent_signed_as_it_was_and_the_same_at_every_try() {
    let (world, receiver) = (World::new(), Receiver::default());
    let made = registered(&world, &receiver.start().await).await;
    let job = world.submit().await;
    let [queued] = &deliveries(&world)[..] else {
        panic!("one event");
    };
    // The render goes on before its first event is sent.
    world.complete(job, b"film").await;
    receiver.answer(&[StatusCode::INTERNAL_SERVER_ERROR, StatusCode::FOUND]);
    let sender = sender(&world);
    let answers = [
        sender.send(queued.clone()).await.status,
        sender.send(queued.clone()).await.status,
        sender.send(queued.clone()).await.status,
    ];
    assert_eq!(
        answers,
        [Some(500), Some(302), Some(204)],
        "no redirect is followed"
    );

    let bodies = receiver.bodies();
    assert!(
        bodies.windows(2).all(|pair| pair[0] == pair[1]),
        "byte for byte"
    );
    let body: Value = serde_json::from_slice(&bodies[0]).unwrap();
    assert_eq!(body["type"], "render.queued");
    assert_eq!(body["data"]["object"]["id"], job.to_string());
    assert_eq!(body["data"]["object"]["status"], "queued", "as it was");
    assert_eq!(body["data"]["object"]["output"], Value::Null);
    let ids = receiver.headers("webhook-id");
    assert!(ids.iter().all(|id| *id == body["id"]), "one id: {ids:?}");

    assert!(is_signed(&receiver, 0, &made["secret"]));
}

#[tokio::test]
async fn a_completed_render_is_told_with_its_file() {
    let (world, receiver) = (World::new(), Receiver::default());
    registered(&world, &receiver.start().await).await;
    let job = world.submit().await;
    world.complete(job, b"film").await;
    let announced = deliveries(&world);
    let kinds: Vec<_> = announced
        .iter()
        .map(|delivery| delivery.event.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            EventKind::RenderQueued,
            EventKind::RenderProcessing,
            EventKind::RenderCompleted
        ]
    );
    sender(&world).send(announced[2].clone()).await;
    let body: Value = serde_json::from_slice(&receiver.bodies()[0]).unwrap();
    let object = &body["data"]["object"];
    assert_eq!(object["status"], "completed");
    assert!(object["output"]["url"].is_string());
}

#[tokio::test]
async fn a_rotated_secret_and_the_former_both_sign_for_a_day() {
    let (world, receiver) = (World::new(), Receiver::default());
    let made = registered(&world, &receiver.start().await).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let rotated = world
        .post(&format!("{path}/rotate-secret"), &json!({}))
        .await
        .json();
    assert_ne!(rotated["secret"], made["secret"]);
    world.submit().await;
    let delivery = deliveries(&world).remove(0);
    let sender = sender(&world);
    sender.send(delivery.clone()).await;
    world
        .clock
        .0
        .fetch_add(86_400_000, std::sync::atomic::Ordering::SeqCst);
    sender.send(delivery).await;
    let signatures = receiver.headers("framelane-signature");
    let counts: Vec<_> = signatures
        .iter()
        .map(|signature| signature.matches("v1=").count())
        .collect();
    assert_eq!(counts, [2, 1]);
    for (request, secret, want) in [
        (0, &made, true),
        (0, &rotated, true),
        (1, &made, false),
        (1, &rotated, true),
    ] {
        assert_eq!(is_signed(&receiver, request, &secret["secret"]), want);
    }
}

#[tokio::test]
async fn a_requests_own_url_is_signed_with_the_workspaces_secret() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    registered(&world, "https://example.com/others").await;
    let mut body = super::world::composition();
    body["webhook_url"] = json!(url);
    assert_eq!(
        world.post("/v1/renders", &body).await.status,
        StatusCode::ACCEPTED
    );
    let announced = deliveries(&world);
    assert_eq!(announced.len(), 1, "instead of the endpoints");
    sender(&world).send(announced[0].clone()).await;
    let secret = world.get("/v1/webhooks/secret").await.json();
    assert!(is_signed(&receiver, 0, &secret["secret"]));
}

#[tokio::test]
async fn a_test_call_says_what_came_of_it() {
    let (world, receiver) = (World::new(), Receiver::default());
    let made = registered(&world, &receiver.start().await).await;
    let path = format!("/v1/webhooks/{}/test", made["id"].as_str().unwrap());
    receiver.answer(&[StatusCode::OK, StatusCode::BAD_GATEWAY]);
    let good = world.post(&path, &json!({})).await.json();
    assert_eq!(
        (&good["delivered"], &good["status"]),
        (&json!(true), &json!(200))
    );
    let bad = world.post(&path, &json!({})).await.json();
    assert_eq!(
        (&bad["delivered"], &bad["status"]),
        (&json!(false), &json!(502))
    );
    let body: Value = serde_json::from_slice(&receiver.bodies()[0]).unwrap();
    assert_eq!(body["type"], "webhook.test");
    assert!(deliveries(&world).is_empty(), "it is no event");
}

#[tokio::test]
async fn the_guard_holds_webhooks_too_and_gives_away_no_address() {
    let receiver = Receiver::default();
    let url = receiver.start().await;
    let world = World::guarded();
    let made = registered(&world, &url).await;
    let path = format!("/v1/webhooks/{}/test", made["id"].as_str().unwrap());
    let answer = world.post(&path, &json!({})).await.json();
    assert_eq!(answer["delivered"], false);
    let reason = answer["error"].as_str().unwrap();
    assert!(
        reason.contains("not public") && !reason.contains("127."),
        "{reason}"
    );
    assert!(receiver.bodies().is_empty(), "nothing was connected to");
}

#[tokio::test]
async fn the_log_lists_what_was_sent_and_a_settled_delivery_can_be_asked_for_again() {
    let world = World::new();
    let made = registered(&world, "https://example.com/hook").await;
    for _ in 0..3 {
        world.submit().await;
    }
    let all = deliveries(&world);
    settle(&world, &all[0], Some(500), DeliveryVerdict::GiveUp);
    settle(&world, &all[1], Some(200), DeliveryVerdict::Delivered);
    settle(
        &world,
        &all[2],
        None,
        DeliveryVerdict::Retry(RanTime(all[2].due.0 + 5000)),
    );
    let path = format!("/v1/webhooks/{}/deliveries", made["id"].as_str().unwrap());
    let page = world.get(&format!("{path}?limit=2")).await.json();
    assert_eq!(page["has_more"], true);
    assert_eq!(page["data"][0]["status"], "pending", "newest first");
    assert!(page["data"][0]["next_attempt_at"].is_string());
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = world
        .get(&format!("{path}?limit=2&cursor={cursor}"))
        .await
        .json();
    assert_eq!(rest["data"].as_array().unwrap().len(), 1);
    let failed = world.get(&format!("{path}?status=failed")).await.json();
    assert_eq!(failed["data"][0], rest["data"][0]);
    assert_eq!(failed["data"][0]["attempts"][0]["status"], 500);

    let retry = |delivery: &Delivery| format!("{path}/{}/retry", delivery.id);
    let again = world.post(&retry(&all[0]), &json!({})).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(again.json()["status"], "pending");
    let pending = world.post(&retry(&all[2]), &json!({})).await;
    assert_eq!(
        (pending.status, pending.code().as_str()),
        (StatusCode::CONFLICT, "invalid_state")
    );
    let unknown = format!("{path}/delivery_00000000000000000000000000/retry");
    let unknown = world.post(&unknown, &json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_endpoint_that_answers_410_is_disabled() {
    let world = World::new();
    let made = registered(&world, "https://example.com/hook").await;
    world.submit().await;
    let delivery = deliveries(&world).remove(0);
    settle(&world, &delivery, Some(410), DeliveryVerdict::Gone);
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let read = world.get(&path).await.json();
    assert_eq!(read["status"], "disabled");
    assert!(read["disabled_at"].is_string());
    world.submit().await;
    assert_eq!(deliveries(&world).len(), 1, "it is sent nothing more");
}

#[tokio::test]
async fn the_workspaces_log_has_what_went_to_a_requests_own_url() {
    let world = World::new();
    let made = registered(&world, "https://example.com/hook").await;
    world.submit().await;
    let mut body = super::world::composition();
    body["webhook_url"] = json!("https://example.com/own?token=1");
    let render = world.post("/v1/renders", &body).await.json();
    let page = world.get("/v1/webhooks/deliveries").await.json();
    let [own, other] = &page["data"].as_array().unwrap()[..] else {
        panic!("two deliveries: {page}");
    };
    assert_eq!(own["webhook_id"], Value::Null, "newest first");
    assert_eq!(own["url"], "https://example.com/own?token=1");
    assert_eq!(own["event"]["object_id"], render["id"]);
    assert_eq!(other["webhook_id"], made["id"]);
    assert_eq!(other["url"], made["url"]);

    let first = world.get("/v1/webhooks/deliveries?limit=1").await.json();
    assert_eq!(first["data"], json!([own]));
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = format!("/v1/webhooks/deliveries?limit=1&cursor={cursor}");
    assert_eq!(world.get(&rest).await.json()["data"], json!([other]));

    let all = deliveries(&world);
    settle(&world, &all[1], Some(500), DeliveryVerdict::GiveUp);
    let failed = "/v1/webhooks/deliveries?status=failed";
    let failed = world.get(failed).await.json();
    assert_eq!(failed["data"][0]["id"], own["id"]);
    let retry = |id: &Value| {
        let id = id.as_str().unwrap();
        format!("/v1/webhooks/deliveries/{id}/retry")
    };
    let again = world.post(&retry(&own["id"]), &json!({})).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(again.json()["status"], "pending");
    let pending = world.post(&retry(&other["id"]), &json!({})).await;
    assert_eq!(pending.code(), "invalid_state");

    // A removed endpoint's log stays readable here.
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    world.delete(&path).await;
    let page = world.get("/v1/webhooks/deliveries").await.json();
    assert_eq!(page["data"][1]["status"], "dropped");
    assert_eq!(page["data"][1]["url"], Value::Null);
    let gone = world.post(&retry(&other["id"]), &json!({})).await;
    assert_eq!(
        (gone.status, gone.code().as_str()),
        (StatusCode::CONFLICT, "invalid_state")
    );
}
