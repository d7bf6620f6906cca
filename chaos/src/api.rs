//! A small client of the HTTP API: what a user's script would do, and no more.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

/// A long poll takes at most 60 s: beyond this the server is not answering.
const REQUEST_LIMIT: Duration = Duration::from_secs(90);

/// An answer with its body read.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as JSON, or as a string where it is none.
    pub body: Value,
}

impl Answer {
    /// `error.code` of the body, empty where there is none.
    pub fn error_code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// A header as text, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// `id` of the body.
    ///
    /// # Errors
    /// When there is none.
    pub fn id(&self) -> Result<String> {
        self.body["id"]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("no id in answer {}: {}", self.status, self.body))
    }
}

/// A client of one node.
#[derive(Debug, Clone)]
pub struct Api {
    edge: String,
    admin: String,
    http: reqwest::Client,
    direct: reqwest::Client,
}

impl Api {
    /// A client of the node that listens at these addresses.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(edge: &str, admin: &str) -> Result<Self> {
        Self::from_host(None, edge, admin)
    }

    /// A client that connects from `host`, an address of this machine.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn from_host(host: Option<IpAddr>, edge: &str, admin: &str) -> Result<Self> {
        let builder = || {
            reqwest::Client::builder()
                .timeout(REQUEST_LIMIT)
                .local_address(host)
                .no_proxy()
        };
        Ok(Self {
            edge: edge.trim_end_matches('/').to_owned(),
            admin: admin.trim_end_matches('/').to_owned(),
            http: builder().build()?,
            direct: builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
        })
    }

    /// Where the edge listens.
    pub fn edge(&self) -> &str {
        &self.edge
    }

    /// Any request; redirects are answers, not followed.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Option<String>,
    ) -> Result<Answer> {
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let mut request = self.direct.request(method, format!("{}{path}", self.edge));
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_str(value)?);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        answer(request.send().await?).await
    }

    /// `PUT` of bytes to a link.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn put(&self, url: &str, content_type: &str, bytes: Vec<u8>) -> Result<Answer> {
        let put = self.direct.put(url).header("content-type", content_type);
        answer(put.body(bytes).send().await?).await
    }

    /// `GET` of a path.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.request("GET", path, &[], None).await
    }

    /// Submits a composition; returns the whole answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, composition: &Value) -> Result<Answer> {
        self.request("POST", "/v1/renders", &[], Some(composition.to_string()))
            .await
    }

    /// Submits a composition under an idempotency key, its body as it stands.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post_with_key(&self, key: &str, body: &str) -> Result<Answer> {
        let headers = [("idempotency-key", key)];
        self.request("POST", "/v1/renders", &headers, Some(body.to_owned()))
            .await
    }

    /// Submits a composition that must be accepted; returns the render's id.
    ///
    /// # Errors
    /// When it is not.
    pub async fn submit(&self, composition: &Value) -> Result<String> {
        let answer = self.post(composition).await?;
        ensure!(
            answer.status == 202,
            "submit was answered {}: {}",
            answer.status,
            answer.body
        );
        answer.id()
    }

    /// The render as it is now.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub async fn render(&self, id: &str) -> Result<Value> {
        self.render_within(id, 0).await
    }

    /// The render once it is terminal, or after `seconds`.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub async fn render_within(&self, id: &str, seconds: u64) -> Result<Value> {
        let answer = self
            .get(&format!("/v1/renders/{id}?wait={seconds}"))
            .await?;
        ensure!(
            answer.status == 200,
            "{id} was answered {}: {}",
            answer.status,
            answer.body
        );
        Ok(answer.body)
    }

    /// Waits until the render is terminal and returns it.
    ///
    /// # Errors
    /// When that takes longer than `limit`.
    pub async fn terminal(&self, id: &str, limit: Duration) -> Result<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let render = self.render_within(id, left.as_secs().clamp(1, 50)).await?;
            if is_terminal(&render) {
                return Ok(render);
            }
            ensure!(
                Instant::now() < deadline,
                "{id} is not done after {limit:?}: {render}"
            );
        }
    }

    /// Waits until the render is completed and returns it.
    ///
    /// # Errors
    /// When it ends otherwise, or not within `limit`.
    pub async fn completed(&self, id: &str, limit: Duration) -> Result<Value> {
        let render = self.terminal(id, limit).await?;
        ensure!(
            render["status"] == "completed",
            "{id} ended {}: {}",
            render["status"],
            render["error"]
        );
        Ok(render)
    }

    /// Watches the render until at least `share` of its frames are done.
    ///
    /// # Errors
    /// When it ends before that, or `limit` passes.
    pub async fn progressed(&self, id: &str, share: f64, limit: Duration) -> Result<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let render = self.render(id).await?;
            if render["progress"].as_f64().unwrap_or(0.0) >= share {
                return Ok(render);
            }
            ensure!(!is_terminal(&render), "{id} ended too soon: {render}");
            ensure!(Instant::now() < deadline, "{id} does not get on: {render}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `DELETE` of a render.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn cancel(&self, id: &str) -> Result<Answer> {
        self.request("DELETE", &format!("/v1/renders/{id}"), &[], None)
            .await
    }

    /// Downloads the artifact the way a browser would, following the redirect.
    ///
    /// # Errors
    /// When it does not arrive whole.
    pub async fn download(&self, id: &str, to: &Path) -> Result<()> {
        let url = format!("{}/v1/renders/{id}/download", self.edge);
        let mut response = self.http.get(url).send().await?.error_for_status()?;
        let mut file = tokio::fs::File::create(to).await?;
        while let Some(chunk) = response.chunk().await? {
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        Ok(())
    }

    /// The job as operators see it, with its tasks and attempts.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub async fn job(&self, id: &str) -> Result<Job> {
        let url = format!("{}/admin/v1/jobs/{id}", self.admin);
        let answer = answer(self.direct.get(url).send().await?).await?;
        ensure!(
            answer.status == 200,
            "job {id} was answered {}: {}",
            answer.status,
            answer.body
        );
        Ok(Job(answer.body))
    }
}

/// A job as `/admin/v1/jobs/{id}` describes it.
#[derive(Debug, Clone)]
pub struct Job(pub Value);

/// A segment task that an operator sees as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DoneSegment {
    /// Its index.
    pub index: u64,
    /// The epoch whose report was accepted.
    pub epoch: u64,
}

impl Job {
    fn segments(&self) -> impl Iterator<Item = &Value> {
        list(&self.0["tasks"])
            .iter()
            .filter(|task| task["kind"] == "segment")
    }

    /// The segments that are done, in order.
    pub fn done_segments(&self) -> Vec<DoneSegment> {
        let mut done: Vec<DoneSegment> = self
            .segments()
            .filter(|task| task["state"] == "done")
            .filter_map(|task| {
                Some(DoneSegment {
                    index: task["index"].as_u64()?,
                    epoch: task["epoch"].as_u64()?,
                })
            })
            .collect();
        done.sort();
        done
    }

    /// How many segments have more than one attempt.
    pub fn retried_segments(&self) -> usize {
        self.segments()
            .filter(|task| list(&task["attempts"]).len() > 1)
            .count()
    }

    /// How attempts ended whose worker was lost, not merely stopped because its job had ended.
    pub fn lost_workers(&self) -> Vec<String> {
        let attempts = list(&self.0["tasks"])
            .iter()
            .flat_map(|task| list(&task["attempts"]));
        let messages = attempts.filter_map(|attempt| attempt["error"]["message"].as_str());
        let lost = messages.filter(|message| message.starts_with("worker "));
        lost.map(str::to_owned).collect()
    }

    /// The attempts that are under way, each named by its task and its number.
    pub fn running_attempts(&self) -> Vec<String> {
        let mut running = Vec::new();
        for task in list(&self.0["tasks"]) {
            for attempt in list(&task["attempts"]) {
                if attempt["outcome"].is_null() {
                    let (kind, index) = (&task["kind"], &task["index"]);
                    running.push(format!("{kind} {index} {}", attempt["attempt"]));
                }
            }
        }
        running
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The render has reached one of its three ends.
pub fn is_terminal(render: &Value) -> bool {
    matches!(
        render["status"].as_str(),
        Some("completed" | "failed" | "cancelled")
    )
}

async fn answer(response: reqwest::Response) -> Result<Answer> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = response.text().await?;
    let body = match serde_json::from_str(&text) {
        Ok(body) => body,
        Err(_) if text.is_empty() => Value::Null,
        Err(_) => Value::String(text),
    };
    Ok(Answer {
        status,
        headers,
        body,
    })
}
