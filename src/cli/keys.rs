//! `framelane keys`: API keys, through a running server or, while none has the data
//! directory, on the directory itself. So a key can be made before anything listens.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use cluster::model::KeyId;
use reqwest::Method;
use serde_json::{Value, json};

use super::ConfigFlags;
use crate::app::keys::KeyStore;
use crate::edge::{draw_key, key_description};
use crate::settings::{Settings, is_workspace_name};

/// How long a server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct KeysCall {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key and print it; it is never shown again.
    Create {
        /// Whose renders it reaches.
        #[arg(long, default_value = "default", conflicts_with = "admin",
            value_parser = workspace_name)]
        workspace: String,
        /// What to call it.
        #[arg(long, default_value = "")]
        name: String,
        /// Make a key for /admin, which reaches no workspace.
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List the keys, without the keys themselves.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// End a key.
    Revoke {
        /// Its id, as `list` shows it.
        id: KeyId,
        #[command(flatten)]
        place: Place,
    },
}

/// Where the keys are.
#[derive(Debug, Args)]
struct Place {
    /// The server to ask, such as `http://localhost:8080`. Unless given: the data directory
    /// if no server has it, else the server that `edge.listen` names.
    #[arg(long)]
    server: Option<String>,
    /// The admin key to ask it with.
    #[arg(long, env = "FRAMELANE_ADMIN_KEY", hide_env_values = true)]
    admin_key: Option<String>,
    /// `data_dir`: where the server keeps its log.
    #[arg(long)]
    data_dir: Option<std::path::PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFlags,
}

/// Whom to ask.
#[expect(clippy::large_enum_variant, reason = "there is one")]
enum Keys {
    Server(Server),
    Directory(Settings),
}

struct Server {
    base: String,
    admin_key: Option<String>,
}

pub(super) fn run(call: &KeysCall) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be started")?;
    runtime.block_on(async {
        match &call.what {
            What::Create {
                workspace,
                name,
                admin,
                place,
            } => {
                let workspace = (!admin).then_some(workspace.as_str());
                create(workspace, name, place).await
            }
            What::List { place } => list(place).await,
            What::Revoke { id, place } => revoke(*id, place).await,
        }
    })
}

async fn create(workspace: Option<&str>, name: &str, place: &Place) -> anyhow::Result<ExitCode> {
    let made = match place.keys()? {
        Keys::Server(server) => {
            let body = match workspace {
                Some(workspace) => json!({"workspace": workspace, "name": name}),
                None => json!({"admin": true, "name": name}),
            };
            server
                .ask(Method::POST, "/admin/v1/keys", Some(body))
                .await?
        }
        Keys::Directory(settings) => {
            let drawn = draw_key(workspace.map(str::to_owned), name.to_owned());
            let id = drawn.kept.id;
            let store = KeyStore::open(&settings).await?;
            let created = store.create(drawn).await;
            let kept = store.find(id);
            store.close().await;
            let text = created?;
            let mut made = key_description(&kept.context("the key was not kept")?);
            made["key"] = json!(text);
            errln!(
                "no server has `{}`: made there",
                settings.data_dir.display()
            );
            made
        }
    };
    if place.json {
        outln!("{made}");
        return Ok(ExitCode::SUCCESS);
    }
    let text = |field: &str| made[field].as_str().unwrap_or_default();
    // Alone on standard output, for scripts.
    outln!("{}", text("key"));
    match workspace {
        Some(workspace) => errln!("{}: a key of workspace {workspace}", text("id")),
        None => errln!("{}: an admin key", text("id")),
    }
    errln!("It is not shown again.");
    Ok(ExitCode::SUCCESS)
}

async fn list(place: &Place) -> anyhow::Result<ExitCode> {
    let listed = match place.keys()? {
        Keys::Server(server) => server.ask(Method::GET, "/admin/v1/keys", None).await?,
        // To look for keys is no reason to make a data directory.
        Keys::Directory(settings) if !KeyStore::exists(&settings) => json!({"data": []}),
        Keys::Directory(settings) => {
            let store = KeyStore::open(&settings).await?;
            let keys: Vec<Value> = store.list().iter().map(key_description).collect();
            store.close().await;
            json!({"data": keys})
        }
    };
    if place.json {
        outln!("{listed}");
        return Ok(ExitCode::SUCCESS);
    }
    for key in listed["data"].as_array().into_iter().flatten() {
        let text = |field: &str| key[field].as_str().unwrap_or_default();
        let whose = key["workspace"].as_str().unwrap_or("(admin)");
        let (id, hint, made, name) = (text("id"), text("hint"), text("created_at"), text("name"));
        outln!("{id}  {hint:<10}  {made}  {whose:<16}  {name}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn revoke(id: KeyId, place: &Place) -> anyhow::Result<ExitCode> {
    match place.keys()? {
        Keys::Server(server) => {
            let path = format!("/admin/v1/keys/{id}");
            server.ask(Method::DELETE, &path, None).await?;
        }
        Keys::Directory(settings) => {
            ensure!(KeyStore::exists(&settings), "There is no such key.");
            let store = KeyStore::open(&settings).await?;
            let revoked = store.revoke(id).await;
            let is_last = store.list().is_empty();
            store.close().await;
            ensure!(revoked?, "There is no such key.");
            if is_last {
                errln!("No key is left: a server on loopback will be open again.");
            }
        }
    }
    if place.json {
        outln!("{}", json!({"id": id.to_string(), "revoked": true}));
    } else {
        errln!("{id} is revoked");
    }
    Ok(ExitCode::SUCCESS)
}

impl Place {
    fn keys(&self) -> anyhow::Result<Keys> {
        let server = |base: String| {
            Keys::Server(Server {
                base,
                admin_key: self.admin_key.clone(),
            })
        };
        if let Some(base) = &self.server {
            return Ok(server(base.trim_end_matches('/').to_owned()));
        }
        let mut settings = self.config.load()?;
        if let Some(data_dir) = &self.data_dir {
            settings.data_dir.clone_from(data_dir);
        }
        if !KeyStore::is_served(&settings)? {
            return Ok(Keys::Directory(settings));
        }
        let mut address = settings.edge.listen;
        if address.port() == 0 {
            bail!(
                "a server has the data directory, on a port it chose itself: name it with --server"
            );
        }
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        Ok(server(format!("http://{address}")))
    }
}

impl Server {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        let mut request = client.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.admin_key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("no server answers at {}", self.base))?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        let body: Value = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} answered {status} without JSON", self.base))?;
        if status.is_success() {
            return Ok(body);
        }
        let message = body["error"]["message"]
            .as_str()
            .unwrap_or("no reason given");
        if status.as_u16() == 401 && self.admin_key.is_none() {
            bail!(
                "{message} Give one in FRAMELANE_ADMIN_KEY, or stop the server and call this again."
            );
        }
        bail!("{status}: {message}")
    }
}

fn workspace_name(text: &str) -> Result<String, &'static str> {
    if is_workspace_name(text) {
        Ok(text.to_owned())
    } else {
        Err("a workspace is called by 1 to 63 of a-z, 0-9, _ and -, the first a letter or digit")
    }
}
