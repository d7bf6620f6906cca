//! A bucket: how it is described, and the clients that speak to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cluster::model::ObjectKey;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::error;
use crate::store::StoreError;

/// A bucket, and how it is used.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// Its name.
    pub bucket: String,
    /// What every key begins with; empty: nothing.
    pub prefix: String,
    /// The server. `http://` connects without TLS. `None`: AWS, or `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// Its region. Nothing: `AWS_REGION`, or us-east-1.
    pub region: Option<String>,
    /// Who we are there.
    pub credentials: Credentials,
    /// How much at once, and how long.
    pub limits: S3Limits,
}

/// Who we are to the server.
#[derive(Clone)]
pub enum Credentials {
    /// Credentials from the usual `AWS_*` variables, or else the machine's own role.
    Environment,
    /// This key.
    Key {
        /// Its name.
        id: String,
        /// The secret itself.
        secret: String,
    },
}

/// How much is sent at once, and how long is waited.
#[derive(Debug, Clone)]
pub struct S3Limits {
    /// Bytes in a part. S3 takes no fewer than 5 MiB, and 10,000 parts.
    pub part_bytes: usize,
    /// What the server copies in one request; S3: 5 GiB. More is read and put again.
    pub copy_bytes: u64,
    /// Time to connect.
    pub connect: Duration,
    /// Longest silence of the server.
    pub idle: Duration,
    /// Longest silence while the server copies or puts parts together.
    pub patience: Duration,
    /// Times that a request is tried again.
    pub retries: usize,
    /// After this long no request is tried again.
    pub retry_for: Duration,
}

impl Default for S3Limits {
    fn default() -> Self {
        Self {
            part_bytes: 8 * 1024 * 1024,
            copy_bytes: 5 * 1024 * 1024 * 1024,
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            patience: Duration::from_secs(600),
            retries: 6,
            retry_for: Duration::from_secs(60),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Key { id, .. } => f
                .debug_struct("Key")
                .field("id", id)
                .finish_non_exhaustive(),
        }
    }
}

/// A bucket that can be spoken to.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// For requests that are answered at once.
    pub(super) client: Arc<AmazonS3>,
    /// For those that the server works on in silence.
    pub(super) patient: Arc<AmazonS3>,
    pub(super) prefix: Path,
    pub(super) limits: S3Limits,
}

impl Bucket {
    pub(super) fn open(options: S3Options) -> Result<Self, StoreError> {
        let limits = options.limits;
        let mut builder = match options.credentials {
            Credentials::Environment => AmazonS3Builder::from_env(),
            Credentials::Key { id, secret } => AmazonS3Builder::new()
                .with_access_key_id(id)
                .with_secret_access_key(secret),
        };
        builder = builder
            .with_bucket_name(&options.bucket)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(5),
                    base: 2.0,
                },
                max_retries: limits.retries,
                retry_timeout: limits.retry_for,
            });
        if let Some(region) = options.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = options.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        // AWS requires the bucket in the host's name; other servers are rarely set up for that.
        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
        builder = builder.with_virtual_hosted_style_request(endpoint.is_none());
        let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
        let client_options = |idle| {
            ClientOptions::new()
                .with_allow_http(is_plain)
                .with_timeout_disabled()
                .with_connect_timeout(limits.connect)
                .with_read_timeout(idle)
        };
        let build = |builder: AmazonS3Builder| {
            let client = builder
                .build()
                .map_err(|error| error::of_settings(&error))?;
            Ok::<_, StoreError>(Arc::new(client))
        };
        let client = build(
            builder
                .clone()
                .with_client_options(client_options(limits.idle)),
        )?;
        let patient = build(
            builder
                .with_credentials(Arc::clone(client.credentials()))
                .with_client_options(client_options(limits.patience)),
        )?;
        let prefix = Path::parse(&options.prefix)
            .map_err(|problem| error::unusable(format!("the prefix cannot be used: {problem}")))?;
        Ok(Self {
            client,
            patient,
            prefix,
            limits,
        })
    }

    /// Where an object is. Keys are server-made; one that is no path is a bug, and is answered
    /// as an object that is not there.
    pub(super) fn path(&self, key: &ObjectKey) -> Result<Path, StoreError> {
        let relative = Path::parse(&key.0).map_err(|_| StoreError::NotFound(key.clone()))?;
        if relative.as_ref() != key.0 || key.0.is_empty() {
            return Err(StoreError::NotFound(key.clone()));
        }
        Ok(self.prefix.parts().chain(relative.parts()).collect())
    }

    /// The key of what is listed at `path`.
    pub(super) fn key(&self, path: &Path) -> Option<ObjectKey> {
        let path = path.as_ref();
        let key = match self.prefix.as_ref() {
            "" => path,
            prefix => path.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        Some(ObjectKey(key.to_owned()))
    }
}
