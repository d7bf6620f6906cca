//! The ingest task: what an upload or import is. Read in a worker, where a file that harms its
//! reader harms no other process.

use cluster::model::Failure;

use super::child::Run;
use super::failure;
use super::order::{IngestOrder, Made};
use super::tools::{Font, Tools};
use crate::media::Report;
use crate::plan::Probe;

/// What failures call the file.
const SUBJECT: &str = "the file";

/// Probes a file.
pub(super) fn ingest(tools: &mut Tools, order: &IngestOrder, run: &Run) -> Result<(), Failure> {
    if !run.begin(0) {
        return Ok(());
    }
    // No element is at fault here; elements are named where they use the asset.
    let (probe, report) = probe(tools, order).map_err(|failure| Failure {
        path: None,
        ..failure
    })?;
    run.advance(1);
    run.made(&Made::Probed { probe, report })
}

fn probe(tools: &mut Tools, order: &IngestOrder) -> Result<(Probe, Option<Report>), Failure> {
    let bare = |container: &str| {
        let report = order.in_full.then(|| Report {
            container: container.to_owned(),
            ..Report::default()
        });
        (Probe::bare(container), report)
    };
    let (family, kind) = order
        .content_type
        .split_once('/')
        .unwrap_or((&order.content_type, ""));
    match (family, kind) {
        ("image", "png" | "jpeg" | "webp") => tools
            .probe_image(&order.file, SUBJECT)
            .map(|info| (Probe::of(&info), order.in_full.then(|| Report::of(&info)))),
        ("font", "ttf" | "otf") => {
            let font = Font {
                url: "",
                file: &order.file,
                path: SUBJECT,
            };
            tools.text(&[font])?;
            Ok(bare(kind))
        }
        ("video" | "audio", _) => {
            let engine = tools.engine()?;
            let of_media = |error| failure::of_media(&error, Some(SUBJECT));
            let info = engine.probe(&order.file).map_err(of_media)?;
            if let Some(video) = &info.video {
                super::prepare::check_size(tools, video, SUBJECT)?;
            }
            let report = order.in_full.then(|| engine.report(&order.file, &info));
            Ok((Probe::of(&info), report.transpose().map_err(of_media)?))
        }
        // The first bytes gave the kind; the code that uses the file checks more.
        _ => Ok(bare(kind.trim_start_matches("x-"))),
    }
}
