//! Everyone who follows a render, by its stream or by long polls, hears of its end at once;
//! following costs the server no memory over time; a stream goes on where a killed server left it.
//!
//! "At once" is counted from `finished_at`, which the server takes before it proposes the last
//! change: writing the log, applying it, and whatever the clients of this very process wait
//! for are within the time that is measured.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Bench, Figure, Figures, RENDER_LIMIT, Scale};
use crate::api::{Api, is_terminal};
use crate::compositions::{Rate, excerpt, plain_for};
use crate::event_stream::{Event, EventStream, Item};
use crate::node::Node;
use crate::process::Process;

/// By then everyone has heard.
const HEARD_WITHIN: i64 = 500;

/// A stream gives a sign of life this often, and a little later on a busy machine.
const HEARTBEATS: std::ops::RangeInclusive<u128> = 14_500..=17_500;

/// Renders that are followed at a time.
const RENDERS: usize = 5;

/// Memory that may come and go with what happens to be going on, and with the renders
/// themselves: the server remembers the tasks of the last few hundred, some 50 KiB each,
/// whether anybody follows them or not.
const SLACK: u64 = 16 << 20;

/// Follows renders with many clients for a while, then through a kill.
///
/// # Errors
/// When someone hears late or not at all, memory grows, or a stream repeats or leaves out.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let clients = scale.pick(50, 500);
    let span = Duration::from_secs(scale.pick(20, 600));
    allow_connections()?;
    // One slot is kept waiting by the silent source.
    let mut node = bench.node().slots(3).segment_frames(60).start().await?;
    let process = node.process()?;
    let watch = tokio::spawn(memory_over(process, span));
    let quiet = tokio::spawn(heartbeat(node.api()?));
    let mut heard = Heard::default();
    let mut rounds = 0;
    while !watch.is_finished() {
        heard.add(round(&node, clients, scale.pick(30, 60)).await?);
        rounds += 1;
    }
    let memory = watch.await?;
    let heartbeat = quiet.await??;
    let latest = heard.latest()?;
    let mut figures = vec![
        Figure::new(
            format!("{clients} streams and {clients} long polls, {rounds} times {RENDERS} renders"),
            format!("{} ends heard", heard.late.len()),
        ),
        Figure::new(
            "after finished_at: median, 99 %, latest",
            format!(
                "{} ms, {} ms, {latest} ms",
                heard.share(0.5),
                heard.share(0.99)
            ),
        ),
        Figure::new(
            "between the first and the last to hear, at most",
            format!("{} ms", heard.spread),
        ),
        Figure::new(
            "a silent stream gives a sign after",
            format!("{heartbeat} ms"),
        ),
        memory.figure()?,
    ];
    ensure!(latest <= HEARD_WITHIN, "someone heard after {latest} ms");
    ensure!(
        HEARTBEATS.contains(&heartbeat),
        "a silent stream gave a sign after {heartbeat} ms"
    );
    figures.push(resume(&mut node, scale).await?);
    Ok(figures)
}

/// As many open files as the system lets this process have.
fn allow_connections() -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("no more open files can be had")
}

fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// What came of one or more rounds.
#[derive(Debug, Default)]
struct Heard {
    /// By how many milliseconds after its render's `finished_at` each client heard.
    late: Vec<i64>,
    /// The longest time between a render's first and last client.
    spread: i64,
}

impl Heard {
    fn add(&mut self, mut late: Vec<Vec<i64>>) {
        for late in &mut late {
            late.sort_unstable();
            if let [first, .., last] = late[..] {
                self.spread = self.spread.max(last - first);
            }
            self.late.append(late);
        }
        self.late.sort_unstable();
    }

    fn latest(&self) -> Result<i64> {
        self.late.last().copied().context("nobody heard anything")
    }

    fn share(&self, share: f64) -> i64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a short list"
        )]
        let place = (self.late.len() as f64 * share) as usize;
        self.late.get(place).copied().unwrap_or_default()
    }
}

/// Submits the renders, has everyone follow one, and returns how late each heard, by render.
async fn round(node: &Node, clients: usize, seconds: u32) -> Result<Vec<Vec<i64>>> {
    let api = node.api()?;
    let http = client()?;
    let mut ids = Vec::new();
    for number in 0..RENDERS {
        ids.push(
            api.submit(&plain_for(&format!("round {number}"), seconds))
                .await?,
        );
    }
    let mut following = JoinSet::new();
    for client in 0..clients {
        let which = client % RENDERS;
        let (id, edge) = (ids[which].clone(), api.edge().to_owned());
        let (by_stream, by_poll) = (http.clone(), api.clone());
        let streamed = id.clone();
        following.spawn(async move {
            Ok::<_, anyhow::Error>((which, follow(&by_stream, &edge, &streamed).await?))
        });
        following.spawn(async move { Ok((which, poll(&by_poll, &id).await?)) });
    }
    let mut late = vec![Vec::new(); RENDERS];
    while let Some(heard) = following.join_next().await {
        let (which, by) = heard??;
        late[which].push(by);
    }
    Ok(late)
}

/// Waits for a render's end by long polls; returns how late that was heard.
async fn poll(api: &Api, id: &str) -> Result<i64> {
    let asked = Instant::now();
    let render = api.terminal(id, RENDER_LIMIT).await?;
    let heard = lateness(&render["finished_at"])?;
    ensure!(
        asked.elapsed().as_millis() > u128::try_from(heard)?,
        "a client came after the end: there was nothing to hear"
    );
    Ok(heard)
}

/// Follows a render to its end by its stream; returns how late that was heard.
async fn follow(http: &reqwest::Client, edge: &str, id: &str) -> Result<i64> {
    let mut stream = EventStream::open(http, edge, id, None)
        .await?
        .context("there is nothing to follow")?;
    let (mut last, mut heard, mut count) = (None, None, 0);
    while let Some(item) = stream.next().await? {
        let Item::Event(event) = item else { continue };
        if let Some(id) = event.id {
            ensure!(last.is_none_or(|last| last < id), "{id} after {last:?}");
            last = Some(id);
        }
        if event.is_last() {
            ensure!(
                count > 0,
                "a client came after the end: there was nothing to hear"
            );
            let status = &event.data["status"];
            ensure!(status == "completed", "it ended {}", event.data);
            heard = Some(lateness(&event.data["at"])?);
        }
        count += 1;
    }
    heard.context("the stream ended before the render")
}

/// Milliseconds from a moment in a server's answer to now, by the clock both have.
fn lateness(moment: &Value) -> Result<i64> {
    let text = moment.as_str().context("no moment")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    // Both moments are of one day or of two: only the time in the day is looked at.
    let day = 86_400_000;
    let now = i64::try_from(now % 86_400_000)?;
    Ok((now - in_day(text)?).rem_euclid(day))
}

/// Milliseconds into the day of an RFC 3339 moment in UTC, to the millisecond.
fn in_day(text: &str) -> Result<i64> {
    let time = text
        .split_once('T')
        .and_then(|(_, time)| time.strip_suffix('Z'))
        .with_context(|| format!("`{text}` is no moment"))?;
    let mut millis = 0;
    for (part, scale) in time.split([':', '.']).zip([3_600_000, 60_000, 1000, 1]) {
        let number: i64 = part
            .parse()
            .with_context(|| format!("`{text}` is no moment"))?;
        millis += number * scale;
    }
    Ok(millis)
}

/// How many milliseconds a silent stream takes to give a sign of life. The render's source is
/// a server that takes the request and never answers: nothing happens to it meanwhile.
async fn heartbeat(api: Api) -> Result<u128> {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let source = format!("http://{}/clip.mp4", silent.local_addr()?);
    let id = api.submit(&excerpt(&source, 0.0, 30, &Rate(30))).await?;
    let mut stream = EventStream::open(&client()?, api.edge(), &id, None)
        .await?
        .context("there is nothing to follow")?;
    let mut since = Instant::now();
    let took = loop {
        match stream.next().await?.context("the stream has ended")? {
            Item::Heartbeat => break since.elapsed().as_millis(),
            Item::Event(_) => since = Instant::now(),
        }
    };
    let answer = api.cancel(&id).await?;
    ensure!(
        answer.status == 200,
        "it cannot be cancelled: {}",
        answer.body
    );
    Ok(took)
}

/// Samples of a process's memory.
#[derive(Debug)]
struct Memory(Vec<u64>);

async fn memory_over(process: Process, span: Duration) -> Memory {
    let begun = Instant::now();
    let mut samples = Vec::new();
    while begun.elapsed() < span {
        tokio::time::sleep(Duration::from_millis(500)).await;
        samples.push(process.private_memory());
    }
    Memory(samples)
}

impl Memory {
    /// Compares the second quarter, when everything has been used once, with the last one.
    fn figure(&self) -> Result<Figure> {
        let quarter = self.0.len() / 4;
        ensure!(quarter > 0, "memory was not sampled");
        let early = median(&self.0[quarter..2 * quarter]);
        let late = median(&self.0[self.0.len() - quarter..]);
        let most = self.0.iter().max().copied().unwrap_or(0);
        ensure!(early > 0 && late > 0, "the server's memory cannot be read");
        ensure!(
            late <= early + early / 10 + SLACK,
            "memory grows: {} MiB, then {} MiB",
            early >> 20,
            late >> 20
        );
        Ok(Figure::new(
            "memory of the server: second quarter, last quarter, most",
            format!(
                "{} MiB, {} MiB, {} MiB",
                early >> 20,
                late >> 20,
                most >> 20
            ),
        ))
    }
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// Kills the server in the middle of a render; every place in its stream can be gone on from.
async fn resume(node: &mut Node, scale: Scale) -> Result<Figure> {
    let id = node
        .api()?
        .submit(&plain_for("through a kill", scale.pick(60, 240)))
        .await?;
    let before = read_until(node, &id, None, |events| {
        events
            .iter()
            .filter(|event| event.name == "segment")
            .count()
            >= 3
    })
    .await?;
    node.kill().await?;
    node.start_again().await?;
    // One client for each place in the stream, and all of them to its end.
    let mut resumed = JoinSet::new();
    for event in &before {
        let (edge, id, last) = (node.api()?.edge().to_owned(), id.clone(), event.id);
        resumed.spawn(async move {
            let Some(stream) = EventStream::open(&client()?, &edge, &id, last).await? else {
                bail!("{id} has ended already");
            };
            Ok((last, logged(stream, |_| false).await?))
        });
    }
    let mut tails = Vec::new();
    while let Some(tail) = resumed.join_next().await {
        tails.push(tail??);
    }
    let all: BTreeSet<u64> = before
        .iter()
        .chain(tails.iter().flat_map(|(_, events)| events))
        .filter_map(|event| event.id)
        .collect();
    for (last, events) in &tails {
        let told: Vec<u64> = events.iter().filter_map(|event| event.id).collect();
        let expected: Vec<u64> = all.iter().copied().filter(|id| Some(*id) > *last).collect();
        ensure!(
            told == expected,
            "after {last:?}: {told:?}, not {expected:?}"
        );
        ensure!(
            events.last().is_some_and(Event::is_last),
            "no end after {last:?}"
        );
    }
    let end = all.last().copied();
    let again = EventStream::open(&client()?, node.api()?.edge(), &id, end).await?;
    ensure!(again.is_none(), "there is more after the last event");
    let render = node.api()?.render(&id).await?;
    ensure!(is_terminal(&render), "{id} has not ended");
    Ok(Figure::new(
        format!("kill -9 after {} events, then on from each", before.len()),
        format!(
            "{} streams, each exactly what came after its id; 204 after the last",
            tails.len()
        ),
    ))
}

/// The numbered events of a render, until they are enough.
async fn read_until(
    node: &Node,
    id: &str,
    last: Option<u64>,
    is_enough: impl Fn(&[Event]) -> bool,
) -> Result<Vec<Event>> {
    let stream = EventStream::open(&client()?, node.api()?.edge(), id, last)
        .await?
        .context("it has ended already")?;
    let events = logged(stream, &is_enough).await?;
    ensure!(is_enough(&events), "the stream ended too soon: {events:?}");
    Ok(events)
}

/// The numbered events of a stream, until they are enough or it ends.
async fn logged(
    mut stream: EventStream,
    is_enough: impl Fn(&[Event]) -> bool,
) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    while !is_enough(&events) {
        match stream.next().await? {
            Some(Item::Event(event)) if event.id.is_some() => events.push(event),
            Some(_) => {}
            None => break,
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_to_the_millisecond() -> Result<()> {
        assert_eq!(in_day("2026-01-01T00:00:00.000Z")?, 0);
        assert_eq!(in_day("2026-01-01T23:59:59.999Z")?, 86_399_999);
        assert!(in_day("2026-01-01").is_err());
        Ok(())
    }
}
