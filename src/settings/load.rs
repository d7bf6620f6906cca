//! Where settings come from, and what is refused of them.

use std::path::{Path, PathBuf};

use bytesize::ByteSize;

use super::{Role, Settings, is_workspace_name};

/// Private memory that any worker may have.
const LEAST_MEMORY: u64 = 1 << 30;
/// Private memory a pixel of the largest canvas: an encoder looks ahead over dozens of frames.
const MEMORY_A_PIXEL: u64 = 256;

/// Why settings could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file could not be read.
    #[error("settings file `{0}` cannot be read")]
    Read(PathBuf, #[source] std::io::Error),
    /// The file or a variable does not parse.
    #[error("settings are not valid: {0}")]
    Parse(String),
    /// A value is understood, but cannot be used.
    #[error("setting `{key}` {problem}")]
    Refused {
        /// Its dotted name.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl Settings {
    /// Loads defaults, `file` if there is one, and the variables of `environment` that
    /// begin with `FRAMELANE__`.
    ///
    /// # Errors
    /// [`SettingsError`] naming the file, key or variable.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut table = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| SettingsError::Read(path.to_owned(), error))?
                .parse::<toml::Table>()
                .map_err(|error| SettingsError::Parse(error.to_string()))?,
            None => toml::Table::new(),
        };
        for (name, value) in environment {
            if let Some(path) = name.strip_prefix("FRAMELANE__") {
                override_one(&mut table, &name, &path.to_ascii_lowercase(), &value)?;
            }
        }
        toml::Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| SettingsError::Parse(error.to_string()))
    }

    /// Checks what the types cannot: combinations, and what this build does not do.
    ///
    /// # Errors
    /// [`SettingsError::Refused`] naming the key.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let refuse = |key, problem: &str| {
            Err(SettingsError::Refused {
                key,
                problem: problem.to_owned(),
            })
        };
        for role in [Role::Edge, Role::Coordinator, Role::Render] {
            if !self.roles.contains(&role) {
                return refuse(
                    "roles",
                    "must name edge, coordinator and render: this build runs all three in one process",
                );
            }
        }
        if self.limits.burst > 0 && self.limits.requests_per_minute == 0 {
            return refuse(
                "limits.burst",
                "is set, but limits.requests_per_minute is not: there is no rate to burst over",
            );
        }
        if self.storage.free_for_renders > 100 || self.storage.free_for_records > 100 {
            return refuse(
                "storage.free_for_renders",
                "and storage.free_for_records are percent of the disk, at most 100",
            );
        }
        let mut workspaces = self.quota.workspaces.keys();
        if let Some(name) = workspaces.find(|name| !is_workspace_name(name)) {
            let problem = format!("names `{name}`, which no workspace can be called");
            return refuse("quota.workspaces", &problem);
        }
        if !self.admin.listen.is_empty() {
            return refuse(
                "admin.listen",
                "is set, but this build serves /admin on the edge's listener only",
            );
        }
        if !self.cluster.peers.is_empty() || self.cluster.bootstrap_expect > 1 {
            return refuse(
                "cluster.peers",
                "is set, but this build runs on one machine only",
            );
        }
        if self.media.fetches == 0 {
            return refuse("media.fetches", "must be at least 1");
        }
        if self.worker_memory().is_none() {
            return refuse(
                "render.worker_memory",
                "must be \"auto\" or a size of at least 1 GiB, such as \"8GiB\"",
            );
        }
        if !self.redis.url.is_empty() {
            return refuse("redis.url", "is set, but this build does not use Redis yet");
        }
        self.validate_origins()?;
        self.validate_buckets()?;
        if !matches!(self.render.encoder.as_str(), "auto" | "x264") {
            return refuse("render.encoder", "must be auto or x264");
        }
        if !matches!(self.render.decoder.as_str(), "auto" | "software") {
            return refuse("render.decoder", "must be auto or software");
        }
        Ok(())
    }

    fn validate_origins(&self) -> Result<(), SettingsError> {
        let is_origin = |origin: &str| {
            url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == origin)
        };
        let wrong = self.edge.cors_origins.iter().find(|origin| {
            let origin = origin.as_str();
            origin != "*" && !is_origin(origin)
        });
        match wrong {
            Some(origin) => Err(SettingsError::Refused {
                key: "edge.cors_origins",
                problem: format!("must hold origins like https://app.example.com, not `{origin}`"),
            }),
            None => Ok(()),
        }
    }

    fn validate_buckets(&self) -> Result<(), SettingsError> {
        let refuse = |key, problem: String| Err(SettingsError::Refused { key, problem });
        let url = &self.storage.url;
        let is_directory = url.is_empty() || url.starts_with("file://");
        if !is_directory && self.bucket().is_none() {
            return refuse(
                "storage.url",
                "must be file:// and a directory, or s3://bucket/prefix".to_owned(),
            );
        }
        if is_directory && !(self.storage.endpoint.is_empty() && self.storage.region.is_empty()) {
            return refuse(
                "storage.url",
                "must be s3://bucket/prefix where storage.endpoint or storage.region is set"
                    .to_owned(),
            );
        }
        let destinations = self.destinations.values();
        let destinations = destinations.map(|bucket| ("destinations", &bucket.endpoint));
        for (key, endpoint) in destinations.chain([("storage.endpoint", &self.storage.endpoint)]) {
            let is_server = ["http://", "https://"]
                .iter()
                .any(|scheme| endpoint.len() > scheme.len() && endpoint.starts_with(scheme));
            if !endpoint.is_empty() && !is_server {
                return refuse(
                    key,
                    format!(
                        "has the endpoint `{endpoint}`, but one is http:// or https:// and a host"
                    ),
                );
            }
        }
        for (name, bucket) in &self.destinations {
            if bucket.access_key_id_env.is_empty() != bucket.secret_access_key_env.is_empty() {
                return refuse(
                    "destinations",
                    format!(
                        "names one variable for `{name}`: set both access_key_id_env and \
                         secret_access_key_env, or neither"
                    ),
                );
            }
        }
        Ok(())
    }

    /// The directory that holds the objects, unless a bucket does.
    pub fn objects_dir(&self) -> PathBuf {
        match self.storage.url.strip_prefix("file://") {
            Some(path) => path.into(),
            None => self.data_dir.join("objects"),
        }
    }

    /// The most private memory of a worker in bytes; `None` if the setting is invalid.
    pub fn worker_memory(&self) -> Option<u64> {
        if self.render.worker_memory == "auto" {
            let share = machine_memory() / 5 * 4 / u64::from(self.slot_count().max(1));
            return Some(share.max(LEAST_MEMORY));
        }
        let size: ByteSize = self.render.worker_memory.parse().ok()?;
        (size.as_u64() >= LEAST_MEMORY).then_some(size.as_u64())
    }

    /// The private memory that the largest picture of `limits.pixels` may take a worker, in bytes.
    pub fn memory_of_largest(&self) -> u64 {
        self.limits.pixels.saturating_mul(MEMORY_A_PIXEL)
    }

    /// The bucket that holds the objects, and what their keys begin with.
    pub fn bucket(&self) -> Option<(&str, &str)> {
        let place = self.storage.url.strip_prefix("s3://")?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        (!bucket.is_empty()).then(|| (bucket, prefix.trim_end_matches('/')))
    }

    /// Slots to run: as set, or one a core.
    pub fn slot_count(&self) -> u32 {
        if self.render.slots > 0 {
            return self.render.slots;
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        u32::try_from(cores).unwrap_or(u32::MAX)
    }
}

/// Memory of this machine in bytes, or of the control group that it runs in.
fn machine_memory() -> u64 {
    let about = rustix::system::sysinfo();
    let whole = about
        .totalram
        .saturating_mul(u64::from(about.mem_unit).max(1));
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    // `max`, or the bytes.
    let bound = group.and_then(|text| text.trim().parse().ok());
    bound.map_or(whole, |bound: u64| bound.min(whole))
}

/// Sets the key that `FRAMELANE__A__B` names. The type of the default decides how the
/// text is read: lists are JSON.
fn override_one(
    table: &mut toml::Table,
    name: &str,
    path: &str,
    text: &str,
) -> Result<(), SettingsError> {
    let bad = |why: &str| SettingsError::Parse(format!("variable {name} {why}"));
    let defaults = toml::Table::try_from(Settings::default())
        .map_err(|error| SettingsError::Parse(error.to_string()))?;
    let mut steps: Vec<&str> = path.split("__").collect();
    let key = steps.pop().ok_or_else(|| bad("names no key"))?;
    let (mut target, mut default) = (table, Some(&defaults));
    for step in steps {
        default = default
            .and_then(|table| table.get(step))
            .and_then(toml::Value::as_table);
        target = target
            .entry(step)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| bad("names a key within a value"))?;
    }
    let value = match default.and_then(|table| table.get(key)) {
        Some(toml::Value::Integer(_)) => {
            toml::Value::Integer(text.parse().map_err(|_| bad("is not a whole number"))?)
        }
        Some(toml::Value::Array(_)) => {
            let list: Vec<String> =
                serde_json::from_str(text).map_err(|_| bad("is not a JSON list of strings"))?;
            toml::Value::Array(list.into_iter().map(toml::Value::String).collect())
        }
        // A boolean by default, or one that is unset by default.
        Some(toml::Value::Boolean(_)) | None => match text {
            "true" => toml::Value::Boolean(true),
            "false" => toml::Value::Boolean(false),
            // An entry of a table without defaults has no known type: its spelling decides.
            _ => text.parse().map_or_else(
                |_| toml::Value::String(text.to_owned()),
                toml::Value::Integer,
            ),
        },
        Some(_) => toml::Value::String(text.to_owned()),
    };
    target.insert(key.to_owned(), value);
    Ok(())
}
