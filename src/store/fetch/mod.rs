//! URLs into the store: sources of compositions, named by what is in them, and imports.
//!
//! This is the only place that connects to servers named by clients, and [`Guard`] decides
//! to which. For compositions any bytes are fine here, and probing checks them; the kind
//! of an import is found from its first bytes, because a web page is searched for its video.

mod answer;
mod download;
mod error;
mod guard;
mod import;
mod limits;
mod pace;
mod pages;
mod partial;
mod progress;
pub mod share;
mod sniff;
#[cfg(test)]
mod tests;
mod turns;
mod validators;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use cluster::model::{Digest, LogTime, ObjectKey, ObjectRef};
use reqwest::Client;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use url::Url;

pub use error::{FetchError, is_full};
pub use guard::{Forbidden, Guard, Names, NoWay, SystemNames, is_public};
pub use import::Imported;
pub use limits::FetchLimits;
pub use pages::YtDlp;
pub use progress::Progress;
pub use sniff::{LOOK, Sniffed, sniff};

use crate::store::{Marks, ObjectStore, Purpose, StoreError, keys};
use download::{Body, Download, Downloaded};
use progress::Meter;
use share::{Direct, ShareService};
use turns::{Turn, Turns};
use validators::{Known, Validators};

/// Longest page that is read, in bytes.
const PAGE_BYTES: u64 = 1 << 20;

/// Fetches sources. One per node, shared by its slots.
pub struct Fetcher {
    store: Arc<dyn ObjectStore>,
    client: Client,
    guard: Guard,
    limits: FetchLimits,
    /// Asked for the videos of web pages.
    pages: Option<YtDlp>,
    /// Stands in for every service of shared files.
    #[cfg(test)]
    service: Option<Url>,
    validators: Validators,
    turns: Turns,
    /// Held to where the disk has no room for more.
    marks: Option<Arc<Marks>>,
    /// When this process last used which source.
    uses: std::sync::Mutex<HashMap<ObjectKey, Instant>>,
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
    /// A fetcher into `store` that keeps its records of URLs in the file `memory`.
    ///
    /// # Errors
    /// When the TLS library or its trust roots cannot be set up.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        guard: Guard,
        limits: FetchLimits,
        memory: &Path,
    ) -> Result<Self, reqwest::Error> {
        let client = guard.client().connect_timeout(limits.connect).build()?;
        Ok(Self {
            store,
            client,
            guard,
            turns: Turns::new(limits.downloads),
            limits,
            pages: None,
            #[cfg(test)]
            service: None,
            validators: Validators::open(memory),
            marks: None,
            uses: std::sync::Mutex::default(),
            storing: Mutex::new(()),
        })
    }

    /// Has imports ask `pages` for the video of a web page. Without, they are unsupported.
    #[must_use]
    pub fn with_pages(mut self, pages: Option<YtDlp>) -> Self {
        self.pages = pages;
        self
    }

    /// Keeps to the marks of the disk that files in the making lie on.
    #[must_use]
    pub fn within(mut self, marks: Arc<Marks>) -> Self {
        self.marks = Some(marks);
        self
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
        let admitted = self.guard.admit(url)?;
        let _turn = self.turn(&admitted, progress).await?;
        let file = Scratch::within(scratch);
        if let Some(known) = self.validators.get(url) {
            if self.store.head(&known.object.key).await? == Some(known.object.size) {
                let obtained = self.obtain(&admitted, &file.0, Some(&known), progress);
                match obtained.await? {
                    Downloaded::Unchanged if self.holds(&known.object).await? => {
                        return Ok(known.object);
                    }
                    Downloaded::Unchanged => {}
                    Downloaded::Body(body) => return self.keep(url, &body, &file).await,
                }
            }
            self.validators.forget(url);
        }
        match self.obtain(&admitted, &file.0, None, progress).await? {
            Downloaded::Body(body) => self.keep(url, &body, &file).await,
            Downloaded::Unchanged => Err(UNASKED),
        }
    }

    /// Waits for a download's turn, as long as the download itself may take.
    async fn turn(&self, url: &Url, meter: &dyn Meter) -> Result<Turn<'_>, FetchError> {
        if let Some(marks) = &self.marks {
            marks.admit(Purpose::Source, 0)?;
        }
        let turn = tokio::time::timeout(self.limits.total, self.turns.wait(url, meter)).await;
        turn.map_err(|_| {
            FetchError::Connection("too many downloads from its host go on".to_owned())
        })
    }

    /// Downloads what a URL means: itself, or the file behind a share link.
    async fn obtain(
        &self,
        url: &Url,
        file: &Path,
        known: Option<&Known>,
        meter: &dyn Meter,
    ) -> Result<Downloaded, FetchError> {
        match share::direct(url) {
            Some(shared) => self.obtain_shared(shared, file, known, meter).await,
            None => self.download(url.clone(), meter).run(file, known).await,
        }
    }

    async fn obtain_shared(
        &self,
        shared: Direct,
        file: &Path,
        known: Option<&Known>,
        meter: &dyn Meter,
    ) -> Result<Downloaded, FetchError> {
        let service = shared.service;
        let mut download = self.download(self.placed(shared.url), meter);
        // The second is the one that a button on the first's page leads to.
        let mut may_confirm = service == ShareService::GoogleDrive;
        loop {
            let body = match download.run(file, known).await {
                Ok(Downloaded::Body(body)) => body,
                Ok(Downloaded::Unchanged) => return Ok(Downloaded::Unchanged),
                Err(FetchError::Refused(401 | 403)) => {
                    return Err(FetchError::NotShared(service.name()));
                }
                Err(error) => return Err(error),
            };
            let Some(page) = page_in(file, &body).await? else {
                return Ok(Downloaded::Body(body));
            };
            let target = share::confirm(&page, &body.answer.url).filter(|_| may_confirm);
            let Some(target) = target else {
                return Err(share::refusal(service, &page, &body.answer.url));
            };
            may_confirm = false;
            download = self.download(target, meter);
            download.cookies = Some(body.answer.cookies.join("; ")).filter(|jar| !jar.is_empty());
        }
    }

    fn download<'a>(&'a self, url: Url, meter: &'a dyn Meter) -> Download<'a> {
        Download {
            client: &self.client,
            guard: &self.guard,
            limits: &self.limits,
            url,
            cookies: None,
            meter,
            marks: self.marks.as_deref(),
        }
    }

    #[cfg(not(test))]
    fn placed(&self, url: Url) -> Url {
        url
    }

    #[cfg(test)]
    fn placed(&self, mut url: Url) -> Url {
        if let Some(service) = &self.service {
            url.set_scheme(service.scheme()).unwrap();
            url.set_host(service.host_str()).unwrap();
            url.set_port(service.port()).unwrap();
        }
        url
    }

    /// Whether a source is in the store; if so it counts as used now, so that it is not
    /// trimmed while a render that began before this moment needs it.
    async fn holds(&self, object: &ObjectRef) -> Result<bool, FetchError> {
        let _alone = self.storing.lock().await;
        if self.store.head(&object.key).await? != Some(object.size) {
            return Ok(false);
        }
        self.take_into_use(&object.key).await?;
        Ok(true)
    }

    async fn take_into_use(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.store.touch(key).await?;
        self.note_use(key);
        Ok(())
    }

    fn note_use(&self, key: &ObjectKey) {
        self.uses().insert(key.clone(), Instant::now());
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<ObjectKey, Instant>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the sources that were used longest ago until `max_bytes` hold the rest, and until
    /// the disk has room for more. Those of `needs()` stay and do not count; it is asked once
    /// nothing can be taken into use.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn trim(
        &self,
        max_bytes: u64,
        needs: impl FnOnce() -> Needs + Send,
    ) -> Result<(), StoreError> {
        let _alone = self.storing.lock().await;
        let needs = needs();
        let mut sources = self.store.list(keys::SOURCES).await?;
        sources.retain(|source| !needs.named.contains(&source.key));
        sources.sort_by_key(|source| source.used_at);
        let total: u64 = sources.iter().map(|source| source.size).sum();
        let shortage = self.marks.as_ref().map_or(0, |marks| marks.shortage());
        let mut excess = total.saturating_sub(max_bytes).max(shortage);
        self.uses().retain(|_, at| needs.is_recent(*at));
        for source in sources {
            if excess == 0 || source.used_at >= needs.used_from {
                break;
            }
            if self.uses().contains_key(&source.key) {
                continue;
            }
            self.store.delete(&source.key).await?;
            excess = excess.saturating_sub(source.size);
        }
        Ok(())
    }

    /// Stores what was downloaded and remembers how to ask for it again.
    async fn keep(&self, url: &str, body: &Body, file: &Scratch) -> Result<ObjectRef, FetchError> {
        let object = self.put(body.sha256, body.size, &file.0).await?;
        let (etag, modified) = (&body.answer.etag, &body.answer.last_modified);
        self.validators
            .store(url, etag.clone(), modified.clone(), object.clone());
        Ok(object)
    }

    /// Stores a file under its digest, unless it is there.
    async fn put(&self, sha256: Digest, size: u64, file: &Path) -> Result<ObjectRef, FetchError> {
        let key = keys::source(sha256);
        let _alone = self.storing.lock().await;
        if self.store.head(&key).await? == Some(size) {
            self.take_into_use(&key).await?;
            return Ok(ObjectRef { key, sha256, size });
        }
        let object = self.store.put_file(key, file, None).await?;
        self.note_use(&object.key);
        Ok(object)
    }
}

const UNASKED: FetchError = FetchError::Malformed("not modified, though nothing was known");

/// The text of a download that turned out to be a web page.
async fn page_in(file: &Path, body: &Body) -> Result<Option<String>, FetchError> {
    let head = read_head(file, LOOK as u64).await?;
    let answer = &body.answer;
    if sniff(&head, answer.content_type.as_deref(), answer.url.path()) != Sniffed::Html {
        return Ok(None);
    }
    let page = read_head(file, PAGE_BYTES).await?;
    Ok(Some(String::from_utf8_lossy(&page).into_owned()))
}

async fn read_head(file: &Path, length: u64) -> Result<Vec<u8>, FetchError> {
    let read = async {
        let mut head = Vec::new();
        let file = tokio::fs::File::open(file).await?;
        file.take(length).read_to_end(&mut head).await?;
        Ok(head)
    };
    read.await.map_err(|error| FetchError::from_io(&error))
}

/// Which sources must stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// One used at or after this moment may be needed, by the clock of the store.
    pub used_from: LogTime,
    /// The same by this process's clock, for its own uses. Nothing: before it began.
    pub used_here_from: Option<Instant>,
    /// These are uploads' and imports', which cannot be fetched again.
    pub named: std::collections::BTreeSet<ObjectKey>,
}

impl Needs {
    fn is_recent(&self, used: Instant) -> bool {
        self.used_here_from.is_none_or(|from| used >= from)
    }
}

/// A file that is removed when the fetch is over, however it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn within(directory: &Path) -> Self {
        Self(directory.join(format!("fetch-{:016x}", rand::random::<u64>())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Gone already when the store moved it away.
        let _ = std::fs::remove_file(&self.0);
    }
}
