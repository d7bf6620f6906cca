//! Sources that take their worker over, through a whole node: each costs its own render, with an
//! honest error, and the node renders what comes next.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Result, ensure};
use chaos::api::Api;
use chaos::compositions::plain;
use chaos::origin::Origin;
use framelane::app::App;
use framelane::settings::{Sandbox, Settings};
use serde_json::json;

use super::sandbox::hostile;
use crate::support::server::turn;

const LIMIT: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_taken_over_costs_its_render_and_never_the_node() -> Result<()> {
    let _turn = turn().await?;
    let data = tempfile::tempdir()?;
    let sources = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let key = data.path().join("signing.key").display().to_string();
    let bad_source = "invalid_source";
    let engine = "engine_error";
    let cases: [(String, &str); 10] = [
        // Refused; the source is then judged as what it is: plain text.
        ("passwd".to_owned(), bad_source),
        (format!("file {key}"), bad_source),
        (format!("connect {}", listener.local_addr()?), bad_source),
        ("fork".to_owned(), bad_source),
        // The worker does not live through it, or is not believed.
        ("memory".to_owned(), engine),
        ("crash".to_owned(), engine),
        ("leave".to_owned(), engine),
        ("hang".to_owned(), engine),
        ("garbage".to_owned(), engine),
        (format!("steal {key}"), engine),
    ];
    let origin = Origin::start(sources.path()).await?;
    let mut settings = Settings {
        data_dir: data.path().to_owned(),
        ..Settings::default()
    };
    settings.edge.listen.set_port(0);
    settings.media.allow_private_networks = true;
    settings.render.slots = 2;
    settings.render.sandbox = Sandbox::Required;
    settings.render.stall_timeout = Duration::from_secs(3);
    let app = App::start_with_worker(settings, hostile()).await?;
    let base = app.base_url();
    let api = Api::new(&base, &base)?;

    let mut ids = Vec::new();
    for (number, (evil, _)) in cases.iter().enumerate() {
        let name = format!("{number}.mp4");
        tokio::fs::write(origin.root().join(&name), format!("EVIL {evil}")).await?;
        let composition = json!({
            "width": 320, "height": 180, "duration": 1, "frame_rate": 30,
            "elements": [{"type": "video", "source_url": origin.url(&name), "duration": 1}],
        });
        ids.push(api.submit(&composition).await?);
    }
    let beside = api.submit(&plain("beside them")).await?;
    let mut wrong = Vec::new();
    for ((evil, expected), id) in cases.iter().zip(ids) {
        let render = api.terminal(&id, LIMIT).await?;
        let code = render["error"]["code"].as_str().unwrap_or_default();
        if render["status"] != "failed" || code != *expected {
            wrong.push(format!("{evil}: {} {}", render["status"], render["error"]));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(listener.accept().is_err(), "a worker connected");
    api.completed(&beside, LIMIT).await?;
    let after = api.submit(&plain("after them")).await?;
    api.completed(&after, LIMIT).await?;
    app.stop(Duration::from_secs(5)).await;
    Ok(())
}
