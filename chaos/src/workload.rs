//! Clients that go on submitting whatever happens to the node, and write down what they saw.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::api::Api;
use crate::compositions::plain;
use crate::history::History;

/// A post is tried again this long before its client gives up.
const RETRY_LIMIT: Duration = Duration::from_secs(60);

/// Submits one render after another until `until`, each under a key of its own, trying again
/// under the same key when there is no answer. `api` follows the node through its restarts.
pub async fn submit_until(
    client: u32,
    until: Instant,
    api: watch::Receiver<Api>,
    history: Arc<Mutex<History>>,
) {
    let mut number = 0;
    while Instant::now() < until {
        let key = format!("client-{client}-{number}");
        submit(&key, &api, &history).await;
        number += 1;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn submit(key: &str, api: &watch::Receiver<Api>, history: &Mutex<History>) {
    let write = || history.lock().unwrap_or_else(PoisonError::into_inner);
    let body = plain(key).to_string();
    let give_up = Instant::now() + RETRY_LIMIT;
    while Instant::now() < give_up {
        write().attempted(key);
        let api = api.borrow().clone();
        if let Ok(answer) = api.post_with_key(key, &body).await
            && matches!(answer.status, 200 | 202)
            && let Ok(id) = answer.id()
        {
            write().acknowledged(key, id);
            return;
        }
        write().failed(key);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
