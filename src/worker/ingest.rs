//! The ingest task: what an upload or import is. Looked at here, where a file that harms its
//! reader harms nobody else.

use cluster::model::Failure;

use super::child::Run;
use super::failure;
use super::order::{IngestOrder, Made};
use super::tools::{Font, Tools};
use crate::plan::Probe;

/// What failures call the file.
const SUBJECT: &str = "the file";

/// Probes a file.
pub(super) fn ingest(tools: &mut Tools, order: &IngestOrder, run: &Run) -> Result<(), Failure> {
    if !run.begin(0) {
        return Ok(());
    }
    // Nobody's element is at fault: whoever uses the asset is named where it is used.
    let probe = probe(tools, order).map_err(|failure| Failure {
        path: None,
        ..failure
    })?;
    run.advance(1);
    run.made(&Made::Probed { probe })
}

fn probe(tools: &mut Tools, order: &IngestOrder) -> Result<Probe, Failure> {
    let (family, kind) = order
        .content_type
        .split_once('/')
        .unwrap_or((&order.content_type, ""));
    match (family, kind) {
        ("image", "png" | "jpeg" | "webp") => tools
            .probe_image(&order.file, SUBJECT)
            .map(|info| Probe::of(&info)),
        ("font", "ttf" | "otf") => {
            let font = Font {
                url: "",
                file: &order.file,
                path: SUBJECT,
            };
            tools.text(&[font])?;
            Ok(Probe::bare(kind))
        }
        ("video" | "audio", _) => {
            let info = tools
                .engine()?
                .probe(&order.file)
                .map_err(|error| failure::of_media(&error, Some(SUBJECT)))?;
            if let Some(video) = &info.video {
                super::prepare::check_size(tools, video, SUBJECT)?;
            }
            Ok(Probe::of(&info))
        }
        // Told apart by their first bytes; whoever uses them looks closer.
        _ => Ok(Probe::bare(kind.trim_start_matches("x-"))),
    }
}
