//! Callers of a [`World`]: with which key they ask, and all they can ask for.

use axum::body::Body;
use axum::http::StatusCode;
use cluster::command::{Command, Outcome};
use cluster::model::JobId;
use framelane::edge::{DrawnKey, draw_key};

use super::world::{Answer, World, composition, id_of, post};

impl World {
    /// Submits `body` under `key`.
    pub(crate) async fn submit_keyed(&self, key: &str, body: impl Into<Body>) -> Answer {
        let request = post("/v1/renders").header("idempotency-key", key);
        self.send(request.body(body.into()).expect("a request"))
            .await
    }

    /// Submits a good composition and gives its id.
    pub(crate) async fn submit(&self) -> JobId {
        let answer = self.post("/v1/renders", &composition()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        id_of(&answer.json())
    }

    /// Makes a key of `workspace`, or an admin key.
    pub(crate) fn make_key(&self, workspace: Option<&str>) -> DrawnKey {
        let drawn = draw_key(workspace.map(str::to_owned), String::new());
        let outcome = self
            .coordinator
            .apply(Command::CreateKey(drawn.kept.clone()));
        assert_eq!(outcome, Outcome::Accepted);
        drawn
    }

    /// The same world, asked with this key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self {
            bearer: Some(key.to_owned()),
            ..self.clone()
        }
    }

    /// The same world, asked with a fresh key of `workspace`.
    pub(crate) fn as_workspace(&self, workspace: &str) -> Self {
        self.with_key(&self.make_key(Some(workspace)).text)
    }

    /// Every documented operation, as method (in lower case) and path.
    pub(crate) fn operations(&self) -> Vec<(String, String)> {
        let paths = self.document()["paths"].as_object().expect("paths");
        let methods = ["get", "put", "post", "patch", "delete"];
        paths
            .iter()
            .flat_map(|(path, item)| {
                let there = methods.iter().filter(|method| item.get(**method).is_some());
                there.map(|method| ((*method).to_owned(), path.clone()))
            })
            .collect()
    }
}
