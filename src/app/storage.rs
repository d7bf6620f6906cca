//! The object store and the destinations that the settings name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::settings::{DestinationSettings, Settings};
use crate::store::s3::{Credentials, Destination, S3Limits, S3Options};
use crate::store::{self, LocalStore, Location, Marks, ObjectAbout, ObjectStore, StoreError};
use crate::worker::Bucket;

/// How long a store may take to show that it works.
const PROBE: Duration = Duration::from_secs(30);

/// A description, for people, of where objects are stored.
pub fn place(settings: &Settings) -> String {
    match settings.bucket() {
        Some((bucket, prefix)) => format!("s3://{bucket}/{prefix}"),
        None => settings.objects_dir().display().to_string(),
    }
}

/// How full the disk of `directory` may become.
pub fn marks(settings: &Settings, directory: &Path) -> Arc<Marks> {
    let storage = &settings.storage;
    let (renders, records) = (storage.free_for_renders, storage.free_for_records);
    Arc::new(Marks::new(directory, renders, records))
}

/// Opens the object store, and puts, gets and deletes something to see that it works. A store
/// that is full works: what is in it can be deleted.
///
/// # Errors
/// Which store, and what it does not do.
pub async fn open(settings: &Settings) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let problem = || format!("the object store `{}` does not work", place(settings));
    let store: Arc<dyn ObjectStore> = match settings.bucket() {
        Some((bucket, prefix)) => store::open(Location::S3(Box::new(S3Options {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: unless_empty(&settings.storage.endpoint),
            region: unless_empty(&settings.storage.region),
            credentials: Credentials::Environment,
            limits: S3Limits::default(),
        })))
        .with_context(problem)?,
        None => {
            let directory = settings.objects_dir();
            let store = LocalStore::open(&directory).with_context(problem)?;
            Arc::new(store.within(marks(settings, &directory)))
        }
    };
    match store::probe(&*store, PROBE).await {
        Err(StoreError::Full) => tracing::error!("the object store has no room"),
        probed => probed.with_context(problem)?,
    }
    Ok(store)
}

/// The destination called `name`; `None` if the settings have none.
///
/// # Errors
/// When its description, or the environment, does not do.
pub fn destination(settings: &Settings, name: &str) -> anyhow::Result<Option<Destination>> {
    let Some(described) = settings.destinations.get(name) else {
        return Ok(None);
    };
    let open = || {
        let credentials = credentials(described)?;
        let options = S3Options {
            bucket: name.to_owned(),
            prefix: String::new(),
            endpoint: unless_empty(&described.endpoint),
            region: unless_empty(&described.region),
            credentials,
            limits: S3Limits::default(),
        };
        Ok::<_, anyhow::Error>(Destination::open(options)?)
    };
    open()
        .map(Some)
        .with_context(|| format!("the destination `{name}` cannot be used"))
}

/// Every destination that the settings name, for the nodes that deliver to them.
///
/// # Errors
/// When the description of one, or the environment, does not do.
pub fn buckets(settings: &Settings) -> anyhow::Result<BTreeMap<String, Arc<dyn Bucket>>> {
    let mut buckets: BTreeMap<String, Arc<dyn Bucket>> = BTreeMap::new();
    for name in settings.destinations.keys() {
        if let Some(destination) = destination(settings, name)? {
            buckets.insert(name.clone(), Arc::new(Delivery(destination)));
        }
    }
    Ok(buckets)
}

/// A destination as nodes use it.
#[derive(Debug)]
struct Delivery(Destination);

impl Bucket for Delivery {
    fn put<'a>(
        &'a self,
        key: &'a str,
        file: &'a Path,
        about: &'a ObjectAbout,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.0.put_file_at(key, file, Some(about)).await?;
            Ok(())
        }
        .boxed()
    }
}

/// Puts something small into the destination called `name`.
///
/// # Errors
/// Why that did not work.
pub async fn check_destination(settings: &Settings, name: &str) -> anyhow::Result<()> {
    let destination = destination(settings, name)?;
    let destination = destination.with_context(|| format!("there is no destination `{name}`"))?;
    let probed = destination.probe(PROBE).await;
    probed.with_context(|| format!("the destination `{name}` does not work"))
}

fn credentials(described: &DestinationSettings) -> anyhow::Result<Credentials> {
    if described.access_key_id_env.is_empty() {
        return Ok(Credentials::Environment);
    }
    let read = |name: &str| {
        std::env::var(name).with_context(|| format!("the variable {name} cannot be read"))
    };
    Ok(Credentials::Key {
        id: read(&described.access_key_id_env)?,
        secret: read(&described.secret_access_key_env)?,
    })
}

fn unless_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
