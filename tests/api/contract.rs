//! The `OpenAPI` document describes all routes and answers that exist, and no others.

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use super::world::World;

#[tokio::test]
async fn every_documented_operation_exists_and_no_other_method_does() {
    let world = World::new();
    let paths = world.document()["paths"]
        .as_object()
        .expect("paths")
        .clone();
    assert!(paths.len() >= 18, "{} paths", paths.len());
    for (path, item) in &paths {
        let concrete = path
            .replace("{id}", "not-an-id")
            .replace("{render}", "not-an-id")
            .replace(['{', '}'], "");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let request = Request::builder().method(method).uri(&concrete);
            // `World::send` holds the status to what the document announces, and to 405
            // where it announces nothing.
            let answer = world
                .send(request.body(Body::empty()).expect("a request"))
                .await;
            if item.get(method.to_lowercase()).is_some() {
                assert_ne!(answer.status, 405, "{method} {path}");
                let is_unknown_route = answer.status == 404
                    && answer.json()["error"]["message"] == "There is no such route.";
                assert!(!is_unknown_route, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            // A schema with an id is a resource of its own; its references are to itself.
            Value::Object(fields) if fields.contains_key("$id") => {}
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let world = World::new();
    let document = world.document();
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1"))
    );
    let mut found = Vec::new();
    references(document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let schema = world.get("/schemas/composition.json").await.json();
    assert_eq!(document["components"]["schemas"]["Composition"], schema);
    assert!(schema["properties"]["elements"].is_object());
}

#[tokio::test]
async fn the_documents_and_capabilities_need_nobody_else() {
    let world = World::new();
    let page = world.get("/docs").await;
    let text = String::from_utf8(page.bytes.to_vec()).expect("UTF-8");
    assert!(!text.contains("http://") && !text.contains("https://"));
    assert!(page.header("content-security-policy").is_some());
    let capabilities = world.get("/v1/capabilities").await.json();
    assert_eq!(
        capabilities["formats"]["supported"],
        serde_json::json!(["mp4"])
    );
    assert_eq!(capabilities["effects"]["supported"], serde_json::json!([]));
    assert!(
        world
            .get("/metrics")
            .await
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/plain"))
    );
}
