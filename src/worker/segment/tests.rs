//! Which way each frame goes.

use std::sync::Arc;

use cluster::model::{FrameIndex, FrameRate};
use serde_json::json;

use super::decoders::Decoders;
use super::painter::{Painter, Ways};
use crate::composition::{Json, Limits, validate};
use crate::media::MediaEngine;
use crate::media::synthetic::{SyntheticEngine, SyntheticSource, index_of};
use crate::render::{Stage, StageSource};
use crate::timeline::Timeline;
use crate::worker::settings::WorkerSettings;
use crate::worker::tools::Tools;

/// Paints two seconds at 30 frames a second over a source of 15.
fn paint(elements: &serde_json::Value) -> (Ways, Vec<u64>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("source");
    let source = SyntheticSource {
        width: 64,
        height: 64,
        rate: FrameRate::new(15, 1).unwrap(),
        frames: 60,
        samples: 0,
    };
    source.write(&file).unwrap();
    let composition = json!({
        "width": 64, "height": 64, "duration": 2, "frame_rate": 30, "elements": elements,
    });
    let json = Json::parse(composition.to_string().as_bytes()).unwrap();
    let (composition, _) = validate(&json, &Limits::default()).unwrap();
    let engine: Arc<dyn MediaEngine> = Arc::new(SyntheticEngine);
    let mut tools = Tools::with_engine(&WorkerSettings::default(), Ok(Arc::clone(&engine)));
    let text = tools.text(&[]).unwrap();
    let info = engine.probe(&file).unwrap();
    let (timeline, _) =
        Timeline::resolve(composition, vec![info], text.as_ref(), &Limits::default()).unwrap();
    let sources = vec![StageSource {
        file: file.clone(),
        digest: "a".to_owned(),
    }];
    let stage = Stage::new(text, sources, 1 << 20);
    let decoders = Decoders::new(engine, vec![file]);
    let mut painter = Painter::new(&mut tools, stage, &timeline, decoders);
    let indices = (0..timeline.frames)
        .map(|frame| index_of(&painter.frame(FrameIndex(frame)).unwrap()).unwrap())
        .collect();
    (painter.ways(), indices)
}

#[test]
fn every_frame_goes_the_cheapest_way_that_gives_its_pixels() {
    let clip = json!({"type": "video", "source_url": "http://host/a.mp4"});
    let title = json!({"type": "text", "text": "Hi", "duration": 1, "font_size": 12,
        "y": "100%", "y_anchor": "100%"});
    let unseen = json!({"type": "text", "text": "Hi", "duration": 1, "x": "900%"});
    let untouched = |same, untouched, blended| Ways {
        same,
        untouched,
        blended,
        full: 0,
    };
    let cases = [
        ("a clip alone", json!([clip]), untouched(30, 30, 0)),
        (
            "text for the first half",
            json!([clip, title]),
            untouched(30, 15, 15),
        ),
        (
            "text beyond the canvas",
            json!([clip, unseen]),
            untouched(30, 30, 0),
        ),
        (
            "a clip that a clip hides",
            json!([clip, clip]),
            untouched(30, 30, 0),
        ),
    ];
    let want: Vec<u64> = (0..60).map(|frame| frame / 2).collect();
    for (case, elements, ways) in cases {
        let (got, indices) = paint(&elements);
        assert_eq!(got, ways, "{case}");
        assert_eq!(indices, want, "{case}");
    }
}
