//! API.md §2: a render followed as a stream of events.

use std::time::{Duration, Instant};

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use cluster::model::JobId;
use framelane::edge::ObservedProgress;
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::world::World;

/// No test waits longer than this for something that is to come.
const LIMIT: Duration = Duration::from_secs(20);

/// What one blank line ends.
#[derive(Debug, Clone, Default, PartialEq)]
struct Event {
    name: String,
    id: Option<u64>,
    data: Value,
    retry: Option<u64>,
}

impl Event {
    fn parse(block: &str) -> Self {
        let mut event = Self::default();
        for line in block.lines() {
            match line.split_once(": ").or_else(|| line.split_once(':')) {
                Some(("event", name)) => event.name = name.to_owned(),
                Some(("id", id)) => event.id = Some(id.parse().expect("a number")),
                Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
                Some(("retry", millis)) => event.retry = Some(millis.parse().expect("a number")),
                _ => panic!("not a field: {line:?}"),
            }
        }
        event
    }

    /// The event in short: its name and what it is about.
    fn short(&self) -> String {
        match self.name.as_str() {
            "status" => format!("status {}", self.data["status"].as_str().unwrap_or("?")),
            "segment" => {
                let segments = self.data["segments"].as_array().expect("segments");
                let indices: Vec<_> = segments
                    .iter()
                    .map(|one| one["index"].to_string())
                    .collect();
                format!("segment {}", indices.join(" "))
            }
            other => other.to_owned(),
        }
    }
}

/// An open stream.
struct Stream {
    body: BodyDataStream,
    read: String,
}

impl Stream {
    async fn open(world: &World, job: JobId, last: Option<u64>) -> Self {
        let mut request =
            Request::get(format!("/v1/renders/{job}/events")).header("host", "localhost");
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let request = request.body(Body::empty()).expect("a request");
        let answer = world
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(answer.headers()[name], value);
        }
        Self {
            body: answer.into_body().into_data_stream(),
            read: String::new(),
        }
    }

    /// The next event; nothing at the stream's end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let event = Event::parse(block);
                self.read = rest.to_owned();
                return Some(event);
            }
            let chunk = tokio::time::timeout(LIMIT, self.body.next());
            let chunk = chunk.await.expect("nothing came in time")?;
            let chunk = chunk.expect("the stream never fails");
            self.read
                .push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    /// The next so many events.
    async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.next().await.expect("an event, not the end"));
        }
        events
    }

    /// All events to the stream's end.
    async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// Nothing has come that was not taken.
    async fn is_silent(&mut self) -> bool {
        // Those who wake and those who are woken get their turns.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.read.is_empty() && self.body.next().now_or_never().is_none()
    }
}

fn short(events: &[Event]) -> Vec<String> {
    events.iter().map(Event::short).collect()
}

fn ids(events: &[Event]) -> Vec<u64> {
    events
        .iter()
        .map(|event| event.id.expect("an id"))
        .collect()
}

#[tokio::test]
async fn a_render_is_told_from_its_current_status_to_its_end() {
    let world = World::new();
    let id = world.submit().await;
    let mut stream = Stream::open(&world, id, None).await;
    let queued = stream.next().await.expect("the current status");
    assert_eq!(queued.short(), "status queued");
    assert_eq!(
        queued.data,
        json!({
            "id": id.to_string(), "status": "queued", "at": "2026-01-01T00:00:00.000Z",
            "sequence": 1, "progress": 0.0, "frames": {"total": null, "done": 0},
            "output": null, "error": null,
        })
    );
    world.begin(id).await;
    assert_eq!(short(&stream.take(1).await), ["status processing"]);
    world.plan(id, 3).await;
    assert!(stream.is_silent().await, "a plan is no event");
    world.render(id, &[1]).await;
    let segment = stream.next().await.expect("a segment");
    assert_eq!(
        segment.data,
        json!({"id": id.to_string(), "segments": [{"index": 1, "frames": [100, 200]}],
               "done": 1, "total": 3})
    );
    world.render(id, &[0, 2]).await;
    assert_eq!(short(&stream.take(1).await), ["segment 0 2"]);
    world.join(id, b"film").await;
    let ended = stream.rest().await;
    assert_eq!(short(&ended), ["status completed"]);
    let data = &ended[0].data;
    assert_eq!(
        (&data["progress"], &data["frames"]["done"]),
        (&json!(1.0), &json!(300))
    );
    assert!(
        data["output"]["url"]
            .as_str()
            .is_some_and(|url| url.contains("/files/")),
        "{data}"
    );
}

#[tokio::test]
async fn a_stream_goes_on_after_any_event_that_was_seen() {
    let world = World::new();
    let id = world.submit().await;
    world.begin(id).await;
    world.plan(id, 3).await;
    world.render(id, &[1]).await;
    world.render(id, &[0, 2]).await;
    let all = Stream::open(&world, id, Some(0)).await.take(4).await;
    assert_eq!(
        short(&all),
        [
            "status queued",
            "status processing",
            "segment 1",
            "segment 0 2"
        ]
    );
    let numbers = ids(&all);
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    for (at, seen) in numbers.iter().enumerate() {
        let mut stream = Stream::open(&world, id, Some(*seen)).await;
        let left = stream.take(all.len() - at - 1).await;
        assert_eq!(left, all[at + 1..], "after {seen}");
        assert!(stream.is_silent().await, "after {seen}");
    }
    // Without an id it begins with the current status, and what followed that.
    let mut fresh = Stream::open(&world, id, None).await;
    assert_eq!(fresh.take(3).await, all[1..]);

    // An id larger than any applied one does not hide later events.
    let mut ahead = Stream::open(&world, id, Some(u64::MAX)).await;
    world.join(id, b"film").await;
    assert_eq!(short(&ahead.rest().await), ["status completed"]);
    // Of a render that has ended the statuses are left.
    let ended = Stream::open(&world, id, Some(numbers[0]))
        .await
        .rest()
        .await;
    assert_eq!(short(&ended), ["status processing", "status completed"]);
    assert_eq!(
        Stream::open(&world, id, None).await.rest().await,
        ended[1..]
    );
}

#[tokio::test]
async fn who_has_seen_the_end_is_told_to_come_no_more() {
    let world = World::new();
    let id = world.submit().await;
    world.delete(&format!("/v1/renders/{id}")).await;
    let ended = Stream::open(&world, id, None).await.rest().await;
    assert_eq!(short(&ended), ["status cancelled"]);
    let last = ids(&ended)[0];
    for seen in [last, last + 1, u64::MAX] {
        assert_eq!(reopen(&world, id, &seen.to_string()).await.0, 204, "{seen}");
    }
    for malformed in ["", "x", "-1", "+1", "1.0", " ", "18446744073709551616", "ü"] {
        let found = reopen(&world, id, malformed).await;
        assert_eq!(
            found,
            (400, Some("invalid_parameter".to_owned())),
            "{malformed:?}"
        );
    }
}

async fn reopen(world: &World, job: JobId, last: &str) -> (u16, Option<String>) {
    let request = Request::get(format!("/v1/renders/{job}/events"))
        .header("host", "localhost")
        .header("last-event-id", last);
    let answer = world
        .send(request.body(Body::empty()).expect("a request"))
        .await;
    let is_error = answer.status.is_client_error();
    (answer.status.as_u16(), is_error.then(|| answer.code()))
}

#[tokio::test]
async fn only_a_render_of_ones_own_can_be_followed() {
    let world = World::new();
    for id in [JobId(7).to_string(), "not-an-id".to_owned()] {
        let answer = world.get(&format!("/v1/renders/{id}/events")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::NOT_FOUND, "not_found".into())
        );
    }
    let id = world.submit().await;
    let answer = world.get(&format!("/v1/renders/{id}/events?since=4")).await;
    assert_eq!(answer.code(), "invalid_parameter");
}

#[tokio::test]
async fn progress_comes_at_most_once_a_second_without_an_id_and_never_goes_back() {
    let world = World::new();
    let id = world.submit().await;
    world.begin(id).await;
    world.plan(id, 3).await;
    let mut stream = Stream::open(&world, id, None).await;
    stream.take(1).await;
    let show = |frames_done: u64, fraction: f64| {
        let progress = ObservedProgress {
            frames_done,
            fraction,
            fps: Some(25.0),
            eta_seconds: Some(8.0),
        };
        world.observer.show(id, progress);
    };
    show(100, 0.3);
    let first = stream.next().await.expect("progress");
    assert_eq!((first.name.as_str(), first.id), ("progress", None));
    assert_eq!(
        first.data,
        json!({"id": id.to_string(), "progress": 0.3, "frames": {"total": 300, "done": 100},
               "fps": 25.0, "eta_seconds": 8.0})
    );
    let begun = Instant::now();
    for frames in [110, 120, 130, 90] {
        show(frames, 0.4);
    }
    let second = stream.next().await.expect("progress");
    assert!(
        begun.elapsed() > Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        second.data["frames"]["done"], 100,
        "the latest progress counts, and never less"
    );
    assert_eq!(second.data["progress"], 0.4);
    assert!(stream.is_silent().await);
}

#[tokio::test]
async fn one_renders_changes_are_told_to_all_its_streams_and_to_no_other() {
    let world = World::new();
    let (one, other) = (world.submit().await, world.submit().await);
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut stream = Stream::open(&world, one, None).await;
        stream.take(1).await;
        streams.push(stream);
    }
    let mut unmoved = Stream::open(&world, other, None).await;
    unmoved.take(1).await;
    world.begin(one).await;
    world.delete(&format!("/v1/renders/{one}")).await;
    for stream in &mut streams {
        assert_eq!(
            short(&stream.rest().await),
            ["status processing", "status cancelled"]
        );
    }
    assert!(unmoved.is_silent().await);
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams_and_says_when_to_come_again() {
    let world = World::new();
    let id = world.submit().await;
    let mut stream = Stream::open(&world, id, None).await;
    assert_eq!(short(&stream.take(1).await), ["status queued"]);
    assert!(stream.is_silent().await);
    world.draining.cancel();
    let last = stream.rest().await;
    assert_eq!(last.len(), 1, "{last:?}");
    assert!(
        last[0]
            .retry
            .is_some_and(|millis| (1000..3000).contains(&millis)),
        "{last:?}"
    );
    // A stream that is opened nevertheless gets the current status, and ends.
    let events = Stream::open(&world, id, None).await.rest().await;
    assert_eq!(
        (events.len(), events[0].short().as_str()),
        (2, "status queued")
    );
}
