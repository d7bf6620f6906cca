//! A server that lives as long as one call of the command line, on a data directory that is gone
//! afterwards, with one key that is never given out.

use std::time::Duration;

use anyhow::Context;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::ConfigFlags;
use crate::app::App;
use crate::settings::{Quota, Storage};

/// A client with the server's only key, and where the server listens.
pub(super) struct Private {
    pub(super) client: reqwest::Client,
    pub(super) base: String,
}

/// Starts the server, does `work` with it, and ends it.
pub(super) fn with_server<T>(
    flags: &ConfigFlags,
    work: impl AsyncFnOnce(&Private) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let directory = tempfile::tempdir().context("no room for a data directory")?;
    let mut settings = flags.load()?;
    settings.data_dir = directory.path().to_owned();
    settings.storage = Storage::default();
    settings.edge.listen = ([127, 0, 0, 1], 0).into();
    settings.edge.public_url = String::new();
    // No other client is admitted: the only key is made for this call.
    settings.auth.required = Some(true);
    settings.limits.requests_per_minute = 0;
    settings.limits.burst = 0;
    settings.quota = Quota::default();
    // The caller may fetch from any address.
    settings.media.allow_private_networks = true;
    if std::env::var_os("FRAMELANE__LOG__FILTER").is_none() {
        settings.log.filter = "warn".into();
    }
    settings.validate()?;
    super::start_logging(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be started")?;
    runtime.block_on(async {
        let mut app = App::start(settings).await?;
        let private = Private {
            base: app.base_url(),
            client: client(&app.make_key("default").await?)?,
        };
        let outcome = tokio::select! {
            outcome = work(&private) => outcome,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
            reason = app.failed() => Err(anyhow::anyhow!(reason)),
        };
        app.stop(Duration::from_secs(1)).await;
        outcome
    })
}

fn client(key: &str) -> anyhow::Result<reqwest::Client> {
    let mut authorization = HeaderValue::from_str(&format!("Bearer {key}"))?;
    authorization.set_sensitive(true);
    Ok(reqwest::Client::builder()
        .timeout(Duration::from_secs(90))
        .default_headers(HeaderMap::from_iter([(AUTHORIZATION, authorization)]))
        .build()?)
}
