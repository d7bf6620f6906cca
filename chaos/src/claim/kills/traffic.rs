//! Clients that go on through all kills: each tries again what had no answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::api::{Answer, Api};
use crate::compositions::{Rate, excerpt, plain};

/// Tries of one request, a tenth of a second apart and more: a start takes a second or two.
const TRIES: usize = 300;

/// What the server has acknowledged.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Keys and the ids of their renders.
    pub(super) renders: Vec<(String, String)>,
    /// Paths of uploads and imports whose bytes arrived.
    pub(super) assets: Vec<String>,
}

/// The clients, and what they know.
#[derive(Debug)]
pub(super) struct Traffic {
    api: Api,
    source: String,
    clip: Vec<u8>,
    wanted: Mutex<Wanted>,
    is_over: AtomicBool,
}

impl Traffic {
    pub(super) fn new(api: Api, source: String, clip: Vec<u8>) -> Self {
        Self {
            api,
            source,
            clip,
            wanted: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Two clients of words, one of a fetched source, one of uploads, one of imports.
    pub(super) fn start(self: &Arc<Self>) -> Vec<JoinHandle<Result<()>>> {
        let words = (0..2).map(|client| {
            let traffic = Arc::clone(self);
            tokio::spawn(async move { traffic.words(client).await })
        });
        let mut clients: Vec<_> = words.collect();
        let traffic = Arc::clone(self);
        clients.push(tokio::spawn(async move { traffic.films().await }));
        let traffic = Arc::clone(self);
        clients.push(tokio::spawn(async move { traffic.uploads().await }));
        let traffic = Arc::clone(self);
        clients.push(tokio::spawn(async move { traffic.imports().await }));
        clients
    }

    /// No client begins anything new.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn wanted(&self) -> Wanted {
        self.known().clone()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    async fn words(&self, client: u32) -> Result<()> {
        let mut number = 0;
        while self.goes_on() {
            let key = format!("words-{client}-{number}");
            self.render(&key, &plain(&key)).await?;
            number += 1;
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        Ok(())
    }

    async fn films(&self) -> Result<()> {
        let mut number = 0;
        while self.goes_on() {
            // A name of its own each time: what was fetched once would not be fetched again.
            let url = format!("{}?n={number}", self.source);
            let film = excerpt(&url, 0.2, 25, &Rate(25));
            self.render(&format!("film-{number}"), &film).await?;
            number += 1;
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        Ok(())
    }

    /// Uploads a clip and has it rendered, which waits for it.
    async fn uploads(&self) -> Result<()> {
        let mut number = 0;
        while self.goes_on() {
            let key = format!("upload-{number}");
            let wanted = json!({"content_type": "video/mp4", "filename": "clip.mp4"});
            let upload = self.insist(&key, "/v1/uploads", &wanted).await?.body;
            let id = text(&upload, "id")?;
            let film = excerpt(&text(&upload, "source_url")?, 0.4, 25, &Rate(25));
            self.render(&key, &film).await?;
            let url = text(&upload, "upload_url")?;
            let path = format!("/v1/uploads/{id}");
            self.put(&url, &path).await?;
            self.known().assets.push(path);
            number += 1;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    /// Sends a file until it has arrived: a kill may come before, between and after.
    async fn put(&self, url: &str, path: &str) -> Result<()> {
        let mut last = String::new();
        for _ in 0..TRIES {
            match self.api.put(url, "video/mp4", self.clip.clone()).await {
                Ok(answer) if answer.status < 300 => return Ok(()),
                Ok(answer) => last = format!("{} {}", answer.status, answer.body),
                Err(error) => last = error.to_string(),
            }
            if let Ok(seen) = self.api.get(path).await
                && matches!(seen.body["status"].as_str(), Some("processing" | "ready"))
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("{path} does not arrive: {last}")
    }

    async fn imports(&self) -> Result<()> {
        let mut number = 0;
        while self.goes_on() {
            let key = format!("import-{number}");
            let wanted = json!({"url": format!("{}?i={number}", self.source)});
            let import = self.insist(&key, "/v1/imports", &wanted).await?;
            self.known()
                .assets
                .push(format!("/v1/imports/{}", import.id()?));
            number += 1;
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        Ok(())
    }

    async fn render(&self, key: &str, composition: &Value) -> Result<()> {
        let id = self.insist(key, "/v1/renders", composition).await?.id()?;
        self.known().renders.push((key.to_owned(), id));
        Ok(())
    }

    /// Sends a request under its key until it is accepted.
    async fn insist(&self, key: &str, path: &str, body: &Value) -> Result<Answer> {
        let headers = [("idempotency-key", key)];
        let mut last = String::new();
        for _ in 0..TRIES {
            let sent = self
                .api
                .request("POST", path, &headers, Some(body.to_string()));
            match sent.await {
                Ok(answer) if answer.status < 300 => return Ok(answer),
                Ok(answer) => {
                    ensure!(
                        answer.status >= 500,
                        "{key}: {} {}",
                        answer.status,
                        answer.body
                    );
                    last = answer.body.to_string();
                }
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("{key} finds no answer: {last}")
    }
}

fn text(value: &Value, name: &str) -> Result<String> {
    let text = value[name].as_str().map(str::to_owned);
    text.with_context(|| format!("no {name} in {value}"))
}
