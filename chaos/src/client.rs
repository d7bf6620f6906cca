//! Clients of single workspaces, each with a key of its own, and the making of those keys.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::api::{Answer, Api, is_terminal};

/// Makes keys. The first one closes the server to everyone without.
#[derive(Debug)]
pub struct Keys {
    api: Api,
    admin: Client,
}

impl Keys {
    /// Makes an admin key on a server that is still open.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn new(api: &Api) -> Result<Self> {
        let open = Client {
            api: api.clone(),
            key: String::new(),
        };
        let key = made_key(&open, &json!({"admin": true})).await?;
        let admin = Client {
            api: api.clone(),
            key,
        };
        Ok(Self {
            api: api.clone(),
            admin,
        })
    }

    /// A client of `workspace`, with a fresh key.
    ///
    /// # Errors
    /// When none is made.
    pub async fn client(&self, workspace: &str) -> Result<Client> {
        let key = made_key(&self.admin, &json!({"workspace": workspace})).await?;
        Ok(Client {
            api: self.api.clone(),
            key,
        })
    }
}

async fn made_key(maker: &Client, wanted: &Value) -> Result<String> {
    let answer = maker.call("POST", "/admin/v1/keys", Some(wanted)).await?;
    let key = answer.body["key"].as_str().map(str::to_owned);
    key.with_context(|| format!("a key was refused: {}", answer.body))
}

/// A client of one workspace.
#[derive(Debug, Clone)]
pub struct Client {
    api: Api,
    key: String,
}

impl Client {
    /// Everybody's client of a server without keys.
    pub fn open(api: Api) -> Self {
        Self {
            api,
            key: String::new(),
        }
    }

    /// The same workspace at another address of the server.
    #[must_use]
    pub fn at(&self, api: Api) -> Self {
        Self {
            api,
            key: self.key.clone(),
        }
    }

    /// Where its server is.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Its key; empty without one.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Any request.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.send(method, path, body.map(Value::to_string)).await
    }

    /// Any request, its body as it stands.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, method: &str, path: &str, body: Option<String>) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.key);
        let headers = [("authorization", bearer.as_str())];
        let headers = if self.key.is_empty() {
            &[][..]
        } else {
            &headers[..]
        };
        self.api.request(method, path, headers, body).await
    }

    /// Makes what `body` asks for at `path`; gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn make(&self, path: &str, body: &Value) -> Result<String> {
        let answer = self.call("POST", path, Some(body)).await?;
        ensure!(
            answer.status < 300,
            "{path} was answered {}: {}",
            answer.status,
            answer.body
        );
        answer.id()
    }

    /// The render once it is terminal.
    ///
    /// # Errors
    /// When that takes longer than `limit`.
    pub async fn ended(&self, id: &str, limit: Duration) -> Result<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).as_secs();
            let path = format!("/v1/renders/{id}?wait={}", left.clamp(1, 50));
            let answer = self.call("GET", &path, None).await?;
            ensure!(answer.status == 200, "{id}: {}", answer.body);
            if is_terminal(&answer.body) {
                return Ok(answer.body);
            }
            ensure!(
                Instant::now() < deadline,
                "{id} does not end: {}",
                answer.body
            );
        }
    }

    /// Has a render made; gives the time from the submit until it was known to be completed.
    ///
    /// # Errors
    /// When it does not complete within `limit`.
    pub async fn rendered(&self, composition: &Value, limit: Duration) -> Result<Duration> {
        let begun = Instant::now();
        let id = self.make("/v1/renders", composition).await?;
        let render = self.ended(&id, limit).await?;
        ensure!(render["status"] == "completed", "{render}");
        Ok(begun.elapsed())
    }

    /// An upload link that nothing is put to; gives the `source_url`.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn pending_source(&self) -> Result<String> {
        let wanted = json!({"content_type": "image/png", "filename": "later.png"});
        let upload = self.call("POST", "/v1/uploads", Some(&wanted)).await?.body;
        let source = upload["source_url"].as_str().map(str::to_owned);
        source.with_context(|| format!("no source_url in {upload}"))
    }

    /// Uploads a file whole; gives the upload, or the refusal of any of the two requests.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn upload(&self, content_type: &str, bytes: Vec<u8>) -> Result<Sent> {
        let wanted = json!({"content_type": content_type, "filename": "file"});
        let created = self.call("POST", "/v1/uploads", Some(&wanted)).await?;
        if created.status != 201 {
            return Ok(Sent::Refused(created));
        }
        let url = created.body["upload_url"].as_str().context("no link")?;
        let put = self.api.put(url, content_type, bytes).await?;
        Ok(if put.status < 300 {
            Sent::Arrived(created.body)
        } else {
            Sent::Refused(put)
        })
    }

    /// The upload or import at `path` once it is ready.
    ///
    /// # Errors
    /// When it fails, or `limit` passes.
    pub async fn ready(&self, path: &str, limit: Duration) -> Result<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let seen = self.call("GET", path, None).await?.body;
            match seen["status"].as_str() {
                Some("ready") => return Ok(seen),
                Some("pending" | "processing") if Instant::now() < deadline => {}
                _ => bail!("{path} came to {seen}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What became of an upload.
#[derive(Debug)]
pub enum Sent {
    /// It arrived; the upload as it was created.
    Arrived(Value),
    /// It was refused with this.
    Refused(Answer),
}
