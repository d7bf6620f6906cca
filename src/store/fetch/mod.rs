//! Source URLs into the store, once each, named by what is in them.
//!
//! This is the only place that talks to servers named by clients. It decides nothing about
//! media: any bytes are fine here, and probing judges them.

mod download;
mod error;
mod guard;
#[cfg(test)]
mod tests;
mod validators;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use cluster::model::{LogTime, ObjectRef};
use reqwest::Client;
use tokio::sync::{Mutex, Semaphore};

pub use error::{FetchError, is_full};
pub use guard::{Forbidden, Guard, is_public};

use crate::store::{ObjectStore, StoreError, keys};
use download::{Download, Downloaded};
use validators::Validators;

/// Downloads at a time, over all jobs of this node.
const CONCURRENCY: usize = 4;

/// What a download may cost.
#[derive(Debug, Clone)]
pub struct FetchLimits {
    /// Largest source in bytes.
    pub bytes: u64,
    /// For making a connection.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// For one source, retries included.
    pub total: Duration,
    /// Tries per source.
    pub tries: u32,
    /// Before the second try; doubled for each further one.
    pub backoff: Duration,
    /// Redirects followed.
    pub redirects: usize,
}

/// Fetches sources. One per node, shared by its slots.
pub struct Fetcher {
    store: Arc<dyn ObjectStore>,
    client: Client,
    guard: Guard,
    limits: FetchLimits,
    validators: Validators,
    permits: Semaphore,
    /// Held while an object is looked up and put, so that equal bytes from two URLs do not
    /// race for one key.
    storing: Mutex<()>,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher")
            .field("guard", &self.guard)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher into `store` that keeps what it knows of URLs in the file `memory`.
    ///
    /// # Errors
    /// When the TLS library or its trust roots cannot be set up.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        guard: Guard,
        limits: FetchLimits,
        memory: &Path,
    ) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("framelane/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            // Redirects are followed by hand, each one past the guard. A proxy would resolve
            // names where the guard cannot see it.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(guard::GuardedResolver::shared(guard))
            .build()?;
        Ok(Self {
            store,
            client,
            guard,
            limits,
            validators: Validators::open(memory),
            permits: Semaphore::new(CONCURRENCY),
            storing: Mutex::new(()),
        })
    }

    /// Brings what `url` leads to into the store. `progress` counts bytes received; files
    /// in the making lie in the directory `scratch`.
    ///
    /// # Errors
    /// [`FetchError`], after all tries.
    pub async fn fetch(
        &self,
        url: &str,
        scratch: &Path,
        progress: &AtomicU64,
    ) -> Result<ObjectRef, FetchError> {
        let download = Download {
            client: &self.client,
            guard: self.guard,
            limits: &self.limits,
            url: self.guard.admit(url)?,
            progress,
        };
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|_| FetchError::Connection("the fetcher has stopped".to_owned()))?;
        let file = Scratch(scratch.join(format!("fetch-{:016x}", rand::random::<u64>())));
        if let Some(known) = self.validators.get(url) {
            if self.store.head(&known.object.key).await? == Some(known.object.size) {
                match download.run(&file.0, Some(&known)).await? {
                    Downloaded::Unchanged if self.holds(&known.object).await? => {
                        return Ok(known.object);
                    }
                    Downloaded::Unchanged => {}
                    body @ Downloaded::Body { .. } => return self.keep(url, body, &file).await,
                }
            }
            self.validators.forget(url);
        }
        let body = download.run(&file.0, None).await?;
        self.keep(url, body, &file).await
    }

    /// Whether a source is in the store; if so it counts as used now, so that it is not
    /// trimmed while a render that began before this moment needs it.
    async fn holds(&self, object: &ObjectRef) -> Result<bool, FetchError> {
        let _alone = self.storing.lock().await;
        if self.store.head(&object.key).await? != Some(object.size) {
            return Ok(false);
        }
        self.store.touch(&object.key).await?;
        Ok(true)
    }

    /// Drops the sources that were used longest ago until `max_bytes` hold the rest. One used
    /// at or after `keep_after()` stays; that is asked once nothing can be taken into use.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn trim(
        &self,
        max_bytes: u64,
        keep_after: impl FnOnce() -> LogTime + Send,
    ) -> Result<(), StoreError> {
        let _alone = self.storing.lock().await;
        let keep_after = keep_after();
        let mut sources = self.store.list(keys::SOURCES).await?;
        sources.sort_by_key(|source| source.used_at);
        let mut total: u64 = sources.iter().map(|source| source.size).sum();
        for source in sources {
            if total <= max_bytes || source.used_at >= keep_after {
                break;
            }
            self.store.delete(&source.key).await?;
            total -= source.size;
        }
        Ok(())
    }

    async fn keep(
        &self,
        url: &str,
        body: Downloaded,
        file: &Scratch,
    ) -> Result<ObjectRef, FetchError> {
        let Downloaded::Body {
            sha256,
            size,
            etag,
            last_modified,
        } = body
        else {
            return Err(FetchError::Malformed(
                "not modified, though nothing was known",
            ));
        };
        let key = keys::source(sha256);
        let _alone = self.storing.lock().await;
        let object = if self.store.head(&key).await? == Some(size) {
            self.store.touch(&key).await?;
            ObjectRef { key, sha256, size }
        } else {
            self.store.put_file(key, &file.0, None).await?
        };
        self.validators
            .store(url, etag, last_modified, object.clone());
        Ok(object)
    }
}

/// A file that is removed when the fetch is over, however it ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Gone already when the store moved it away.
        let _ = std::fs::remove_file(&self.0);
    }
}
