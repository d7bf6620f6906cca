//! A client of a render's event stream: it reads lines as they come, as a browser would.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// A stream gives a sign of life every 15 s: beyond this the server is not there.
const SILENCE: Duration = Duration::from_secs(40);

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `status`, `segment`, `progress`; empty for one without a name.
    pub name: String,
    /// Its id, if it has one.
    pub id: Option<u64>,
    /// What it says; null for one that says nothing.
    pub data: Value,
}

impl Event {
    /// It is the last one of its render.
    pub fn is_last(&self) -> bool {
        self.name == "status" && crate::api::is_terminal(&self.data)
    }
}

/// What a stream gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// An event.
    Event(Event),
    /// A comment: the server is there.
    Heartbeat,
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    response: reqwest::Response,
    read: Vec<u8>,
}

impl EventStream {
    /// Opens the stream of a render at `edge`, after the event `last`; nothing if the server
    /// says that there is nothing more to come.
    ///
    /// # Errors
    /// When it is answered otherwise.
    pub async fn open(
        http: &reqwest::Client,
        edge: &str,
        id: &str,
        last: Option<u64>,
    ) -> Result<Option<Self>> {
        let mut request = http.get(format!("{edge}/v1/renders/{id}/events"));
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = tokio::time::timeout(SILENCE, request.send())
            .await
            .context("the stream did not open in time")??;
        match response.status().as_u16() {
            204 => return Ok(None),
            200 => {}
            other => bail!("the stream of {id} was answered {other}"),
        }
        let kind = response.headers().get("content-type");
        ensure!(
            kind.is_some_and(|kind| kind == "text/event-stream"),
            "it is no stream but {kind:?}"
        );
        Ok(Some(Self {
            response,
            read: Vec::new(),
        }))
    }

    /// The next event or sign of life; nothing at the end of the stream.
    ///
    /// # Errors
    /// When the connection breaks, or nothing comes for 40 s.
    pub async fn next(&mut self) -> Result<Option<Item>> {
        loop {
            let end = self.read.windows(2).position(|pair| pair == b"\n\n");
            if let Some(end) = end {
                let block: Vec<u8> = self.read.drain(..end + 2).collect();
                return parse(std::str::from_utf8(&block)?).map(Some);
            }
            let chunk = tokio::time::timeout(SILENCE, self.response.chunk())
                .await
                .context("the stream is silent")??;
            match chunk {
                Some(chunk) => self.read.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

fn parse(block: &str) -> Result<Item> {
    let mut event = Event {
        name: String::new(),
        id: None,
        data: Value::Null,
    };
    let mut is_event = false;
    for line in block.lines().filter(|line| !line.is_empty()) {
        let (field, value) = line.split_once(':').context("a line is no field")?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        is_event |= !field.is_empty();
        match field {
            "event" => value.clone_into(&mut event.name),
            "id" => event.id = Some(value.parse().context("an id is no number")?),
            "data" => event.data = serde_json::from_str(value).context("data is no JSON")?,
            _ => {}
        }
    }
    Ok(if is_event {
        Item::Event(event)
    } else {
        Item::Heartbeat
    })
}
