//! The HTTP API of a running node: answers, headers, errors, lists, downloads.

use std::time::Duration;

use anyhow::{Result, ensure};
use chaos::compositions::plain;
use serde_json::{Value, json};

use crate::support::server::{node, turn};

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn every_error_has_the_envelope_and_the_request_id() -> Result<()> {
    let _turn = turn().await?;
    let node = node().start().await?;
    let api = node.api()?;
    let none = "/v1/renders/render_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let cases = [
        ("GET", "/nowhere", None::<&str>, 404, "not_found"),
        ("GET", "/v1/nowhere", None, 404, "not_found"),
        ("GET", none, None, 404, "not_found"),
        ("GET", "/v1/renders/not-an-id", None, 404, "not_found"),
        ("DELETE", none, None, 404, "not_found"),
        ("PUT", "/v1/renders", Some("{}"), 405, "method_not_allowed"),
        ("GET", "/v1/renders?limit=0", None, 400, "invalid_parameter"),
        (
            "GET",
            "/v1/renders?limit=101",
            None,
            400,
            "invalid_parameter",
        ),
        (
            "GET",
            "/v1/renders?colour=red",
            None,
            400,
            "invalid_parameter",
        ),
        (
            "GET",
            "/v1/renders?cursor=not-a-cursor",
            None,
            400,
            "invalid_cursor",
        ),
        ("POST", "/v1/renders", Some("{"), 400, "invalid_json"),
        (
            "POST",
            "/v1/renders",
            Some(r#"{"width":1,"width":1}"#),
            400,
            "invalid_json",
        ),
        ("POST", "/v1/renders", Some("[]"), 422, "validation_failed"),
        (
            "POST",
            "/v1/renders",
            Some(r#"{"width":1}"#),
            422,
            "validation_failed",
        ),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, status, code) in cases {
        let answer = api
            .request(method, path, &[], body.map(str::to_owned))
            .await?;
        let id = answer.body["error"]["request_id"]
            .as_str()
            .unwrap_or_default();
        let same_id = !id.is_empty() && id == answer.header("x-request-id");
        let message = answer.body["error"]["message"].is_string();
        if (answer.status, answer.error_code()) != (status, code) || !same_id || !message {
            wrong.push(format!(
                "{method} {path} {body:?}: {} {}",
                answer.status, answer.body
            ));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn every_violation_is_named_at_once_with_its_path_and_suggestion() -> Result<()> {
    let _turn = turn().await?;
    let node = node().start().await?;
    let body = json!({
        "width": 320, "height": 15, "fps": 30,
        "elements": [
            {"type": "text", "text": "x", "duration": 1, "color": "#ffffff"},
            {"type": "video", "start": 1, "src": "http://example.com/a.mp4"},
            {"type": "text", "text": "x", "duration": 1,
             "motion": [{"type": "fade", "time": 0, "duration": 1}]},
        ],
    });
    let answer = node.api()?.post(&body).await?;
    ensure!(answer.status == 422, "{}: {}", answer.status, answer.body);
    let details = answer.body["error"]["details"].clone();
    let expected = [
        ("height", "range", Value::Null),
        ("fps", "unknown_field", json!("frame_rate")),
        ("elements[0].color", "unknown_field", json!("text_color")),
        ("elements[1].start", "unknown_field", json!("time")),
        ("elements[1].src", "unknown_field", json!("source_url")),
        ("elements[1].source_url", "required", Value::Null),
        ("elements[2].motion", "unsupported_feature", Value::Null),
    ];
    for (path, code, suggestion) in expected {
        let found = details.as_array().is_some_and(|details| {
            details.iter().any(|detail| {
                detail["path"]
                    .as_str()
                    .is_some_and(|at| at.starts_with(path))
                    && detail["code"] == code
                    && (suggestion.is_null() || detail["suggestion"] == suggestion)
            })
        });
        ensure!(found, "{path} {code} {suggestion} is not in {details}");
    }
    Ok(())
}

#[tokio::test]
async fn a_render_can_be_followed_listed_and_downloaded() -> Result<()> {
    let turn = turn().await?;
    let node = node().start().await?;
    let api = node.api()?;
    let mut composition = plain("followed");
    composition["metadata"] = json!({"order": "7"});
    composition["output_filename"] = json!("greeting");
    let accepted = api.post(&composition).await?;
    ensure!(accepted.status == 202, "{}", accepted.body);
    ensure!(accepted.body["status"] == "queued", "{}", accepted.body);
    ensure!(
        accepted.body["metadata"]["order"] == "7",
        "{}",
        accepted.body
    );
    let id = accepted.id()?;
    let early = api.get(&format!("/v1/renders/{id}/download")).await?;
    ensure!(early.error_code() == "invalid_state", "{}", early.body);

    let render = api.completed(&id, LIMIT).await?;
    ensure!(
        render["progress"] == json!(1.0) || render["progress"] == json!(1),
        "{render}"
    );
    ensure!(
        render["frames"] == json!({"total": 30, "done": 30}),
        "{render}"
    );
    ensure!(render["output"]["sha256"].is_string(), "{render}");

    let redirect = api.get(&format!("/v1/renders/{id}/download")).await?;
    ensure!(redirect.status == 302, "{}", redirect.status);
    ensure!(redirect.header("cache-control") == "private, no-store");
    let named = api
        .get(&format!("/v1/renders/{id}/download?redirect=false"))
        .await?;
    ensure!(named.body["url"].is_string() && named.body["expires_at"].is_string());
    let url = redirect.header("location").to_owned();
    let path = url.trim_start_matches(api.edge());
    let file = api.get(path).await?;
    ensure!(file.status == 200, "{}", file.status);
    ensure!(file.header("content-type") == "video/mp4");
    ensure!(file.header("content-disposition").contains("greeting.mp4"));
    let forged = api.get(&path.replace("expires=", "expires=9")).await?;
    ensure!(
        forged.status == 403 || forged.status == 404,
        "{}",
        forged.status
    );
    let target = turn.bench.file("followed.mp4");
    api.download(&id, &target).await?;
    let size = tokio::fs::metadata(&target).await?.len();
    ensure!(
        render["output"]["size_bytes"] == json!(size),
        "{size} bytes, {render}"
    );
    let late = api.cancel(&id).await?;
    ensure!(late.error_code() == "invalid_state", "{}", late.body);
    Ok(())
}

#[tokio::test]
async fn lists_are_newest_first_and_page_without_gaps() -> Result<()> {
    let _turn = turn().await?;
    let node = node().start().await?;
    let api = node.api()?;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.insert(0, api.submit(&plain(&number.to_string())).await?);
    }
    let mut listed = Vec::new();
    let mut path = "/v1/renders?limit=2".to_owned();
    loop {
        let page = api.get(&path).await?;
        ensure!(page.status == 200, "{}", page.body);
        let data = page.body["data"].as_array().cloned().unwrap_or_default();
        listed.extend(
            data.iter()
                .filter_map(|render| render["id"].as_str().map(str::to_owned)),
        );
        // What arrives meanwhile is newer than every page to come.
        api.submit(&plain("meanwhile")).await?;
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            ensure!(page.body["has_more"] == json!(false), "{}", page.body);
            break;
        };
        path = format!("/v1/renders?limit=2&cursor={cursor}");
    }
    ensure!(listed == ids, "listed {listed:?}, not {ids:?}");
    Ok(())
}

#[tokio::test]
async fn operators_and_developers_find_their_pages() -> Result<()> {
    let _turn = turn().await?;
    let node = node().start().await?;
    let api = node.api()?;
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/schemas/composition.json",
        "/v1/capabilities",
        "/admin/v1/raft",
        "/admin/v1/nodes",
        "/admin/v1/jobs",
        "/admin/v1/actors",
    ] {
        let answer = api.get(path).await?;
        ensure!(
            answer.status == 200,
            "{path}: {} {}",
            answer.status,
            answer.body
        );
    }
    let document = api.get("/openapi.json").await?.body;
    let version = document["openapi"].as_str().unwrap_or_default();
    ensure!(version.starts_with("3.1"), "openapi {version}");
    ensure!(document["paths"]["/v1/renders"]["post"].is_object());
    let raft = api.get("/admin/v1/raft").await?.body;
    ensure!(raft["state"] == "leader", "{raft}");
    Ok(())
}
