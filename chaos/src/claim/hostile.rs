//! One workspace of eight does what it can to hurt the others, in six ways, one after another:
//! the time that a short text render of the others takes stays within twice what it is when
//! all eight behave.

mod attack;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use self::attack::{ATTACKS, Attack, Field};
use super::{Bench, Figure, Figures, Scale};
use crate::client::{Client, Keys};
use crate::compositions::plain;
use crate::latencies::Latencies;
use crate::peaks::Peaks;
use crate::receiver::Receiver;
use crate::stubborn::{address, raise_open_files};

/// Workspaces that behave.
const OTHERS: usize = 7;
/// How much longer their renders may take.
const FACTOR: u32 = 2;
/// What one render of a word takes at the very most.
const RENDER_LIMIT: Duration = Duration::from_secs(300);
/// The longest that a webhook of those that behave may be on its way.
const TOLD_LIMIT: Duration = Duration::from_secs(5);
/// What the hostile workspace gets going before times count.
const HEAD_START: Duration = Duration::from_secs(4);

/// Measures the others beside an eighth workspace that behaves, then beside each attack, or
/// those that the variable `ATTACKS` names (`ATTACKS="3 4"`).
///
/// # Errors
/// When renders of the others fail or take too long, or the server takes too much memory.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let window = Duration::from_secs(scale.pick(6, 40));
    raise_open_files()?;
    let origin = bench.origin().await?;
    let options = Peaks::limited(bench.node().slots(2))
        .with("QUOTA__BYTES", &"256.0 MiB")
        .with("LIMITS__QUEUED_PER_WORKSPACE", &10_000);
    let node = options.start().await?;
    let mut peaks = Peaks::default();
    peaks.follow(node.process()?);
    let api = node.api()?;
    let keys = Keys::new(&api).await?;
    let mut others = Vec::new();
    for number in 0..OTHERS {
        others.push(keys.client(&format!("other-{number}")).await?);
    }
    let eighth = keys.client("eighth").await?;
    let receiver = Receiver::start().await?;

    beside(&others, Duration::from_secs(3), &receiver).await?;
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    let only = std::env::var("ATTACKS").ok();
    let is_wanted = |number: usize| match &only {
        Some(only) => only.contains(&(number + 1).to_string()),
        None => true,
    };
    let attacks = ATTACKS.iter().enumerate();
    for (number, kind) in attacks.filter(|(number, _)| is_wanted(*number)) {
        // Just before each attack: what else the machine does changes over minutes.
        let behaving = tokio::spawn(behave(eighth.clone()));
        let baseline = beside(&others, window / 2, &receiver).await;
        behaving.abort();
        let baseline = baseline?.renders;
        // A workspace of its own each time: none starts with what another left.
        let field = Field {
            client: keys.client(&format!("hostile-{number}")).await?,
            server: address(api.edge())?,
            origin: &origin,
        };
        let outcome = beside_attack(&others, *kind, &field, window, &receiver).await;
        let what = format!("beside A{}: {}", number + 1, kind.words());
        let value = match outcome {
            Ok(seen) => {
                let ratio = seen.renders.p95().as_secs_f64() / baseline.p95().as_secs_f64();
                if seen.renders.p95() > FACTOR * baseline.p95() {
                    failed.push(format!("A{}", number + 1));
                }
                if seen.told > TOLD_LIMIT {
                    failed.push(format!("A{}, by late webhooks", number + 1));
                }
                format!(
                    "{}; all behaving: {baseline}; p95 × {ratio:.2}; told after {:.0} ms at \
                     most; so far {}",
                    seen.renders,
                    seen.told.as_secs_f64() * 1000.0,
                    peaks.text()
                )
            }
            Err(error) => {
                failed.push(format!("A{}", number + 1));
                format!("{error:#}")
            }
        };
        figures.push(Figure::new(what, value));
        clear(&field.client).await.context("cleaning up")?;
    }
    ensure!(
        failed.is_empty(),
        "{failed:?} hurt the others: {}; {}",
        Figure::told(&figures),
        peaks.text()
    );
    let peak = peaks.figure().with_context(|| Figure::told(&figures))?;
    figures.push(peak);
    Ok(figures)
}

/// What the others saw.
struct Seen {
    renders: Latencies,
    /// The longest from when a render was known to be completed until its webhook had come.
    told: Duration,
}

async fn beside_attack(
    others: &[Client],
    attack: Attack,
    field: &Field<'_>,
    window: Duration,
    receiver: &Receiver,
) -> Result<Seen> {
    tokio::select! {
        ended = attack.run(field) => {
            ended.context("the attack")?;
            anyhow::bail!("the attack ended")
        }
        seen = async {
            tokio::time::sleep(HEAD_START).await;
            beside(others, window, receiver).await
        } => seen,
    }
}

/// Has each of the others render a word again and again until `window` is over; the last ones
/// are waited for.
async fn beside(others: &[Client], window: Duration, receiver: &Receiver) -> Result<Seen> {
    let until = Instant::now() + window;
    let (first, rest) = others.split_first().context("nobody is there")?;
    let rest = futures::future::try_join_all(rest.iter().map(|client| renders(client, until)));
    let (told, rest) = futures::future::try_join(told(first, until, receiver), rest).await?;
    Ok(Seen {
        renders: rest.into_iter().flatten().chain(told.0).collect(),
        told: told.1,
    })
}

async fn renders(client: &Client, until: Instant) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    while Instant::now() < until {
        times.push(client.rendered(&plain("other"), RENDER_LIMIT).await?);
    }
    Ok(times)
}

/// As the others, and wants to be told of each render.
async fn told(
    client: &Client,
    until: Instant,
    receiver: &Receiver,
) -> Result<(Vec<Duration>, Duration)> {
    let mut composition = plain("told");
    composition["webhook_url"] = json!(receiver.url);
    let (mut times, mut longest) = (Vec::new(), Duration::ZERO);
    while Instant::now() < until {
        let begun = Instant::now();
        let id = client.make("/v1/renders", &composition).await?;
        let render = client.ended(&id, RENDER_LIMIT).await?;
        ensure!(render["status"] == "completed", "{render}");
        times.push(begun.elapsed());
        let ended = Instant::now();
        while !receiver.was_told(&id, "render.completed") && ended.elapsed() < 2 * TOLD_LIMIT {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        longest = longest.max(ended.elapsed());
    }
    Ok((times, longest))
}

async fn behave(client: Client) -> Result<()> {
    loop {
        client.rendered(&plain("eighth"), RENDER_LIMIT).await?;
    }
}

/// Ends whatever the workspace still has under way.
async fn clear(client: &Client) -> Result<()> {
    for status in ["queued", "processing"] {
        loop {
            let path = format!("/v1/renders?limit=100&status={status}");
            let list = client.call("GET", &path, None).await?.body;
            let ids: Vec<&str> = list["data"]
                .as_array()
                .context("no list")?
                .iter()
                .filter_map(|render| render["id"].as_str())
                .collect();
            if ids.is_empty() {
                break;
            }
            for id in ids {
                client
                    .call("DELETE", &format!("/v1/renders/{id}"), None)
                    .await?;
            }
        }
    }
    Ok(())
}
