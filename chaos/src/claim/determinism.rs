//! The same composition gives the same bytes, whatever the number of slots, on every try.

use anyhow::{Result, ensure};

use super::{Bench, Figure, Figures, Scale};
use crate::compositions::busy;
use crate::measure::probe::stream_digests;

/// Renders with 1 slot, with 2 and with 2 again, and compares the streams' digests.
///
/// # Errors
/// When one differs.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let clip = bench.repository_file("tests/media/bigbuckbunny.mp4")?;
    tokio::fs::copy(clip, bench.file("clip.mp4")).await?;
    let origin = bench.origin().await?;
    let size = scale.pick((480, 270), (1280, 720));
    let composition = busy(&origin.url("clip.mp4"), size, scale.pick(4, 10));
    let mut digests = Vec::new();
    for slots in [1, 2] {
        let node = bench.node().slots(slots).segment_frames(30).start().await?;
        for _ in 0..slots {
            let made = bench.rendered(&node.api()?, &composition).await?;
            digests.push(stream_digests(&made.file).await?);
        }
    }
    for other in &digests[1..] {
        ensure!(
            *other == digests[0],
            "streams differ: {:?} and {other:?}",
            digests[0]
        );
    }
    Ok(vec![
        Figure::new(
            "renders with equal streams (1, 2, 2 slots)",
            digests.len().to_string(),
        ),
        Figure::new("streams", digests[0].join(" ")),
    ])
}
