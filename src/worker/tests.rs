//! Whole tasks with the synthetic engine, whose pictures carry their own index: what was
//! asked of the child, and what it made of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use actors::protocol::FromWorker;
use cluster::model::{Digest, Failure, FrameRate, ObjectKey, ObjectRef};
use serde_json::json;

use super::child::Run;
use super::order::{self, FetchedSource, Made, Order, PrepareOrder, SegmentsOrder};
use super::settings::WorkerSettings;
use super::tools::Tools;
use crate::composition::{Json, Limits, ValidComposition, validate};
use crate::media::synthetic::{SyntheticEngine, SyntheticFile, SyntheticSource};
use crate::plan::{CutSettings, Plan};

struct Bench {
    directory: tempfile::TempDir,
    tools: Tools,
    sources: Vec<PathBuf>,
    messages: Arc<Mutex<Vec<FromWorker>>>,
    run: Run,
}

impl Bench {
    fn new() -> Self {
        let messages = Arc::new(Mutex::new(Vec::new()));
        Self {
            directory: tempfile::tempdir().unwrap(),
            tools: Tools::with_engine(&WorkerSettings::default(), Ok(Arc::new(SyntheticEngine))),
            sources: Vec::new(),
            run: Run::collecting(Arc::clone(&messages)),
            messages,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn work(&mut self, order: &Order) -> Result<Vec<Made>, Failure> {
        let bytes = order::encode(order).unwrap();
        self.tools.carry_out(&bytes, &self.run)?;
        let messages = std::mem::take(&mut *self.messages.lock().unwrap());
        Ok(messages
            .iter()
            .map(|message| match message {
                FromWorker::Output { body, .. } => order::decode(body).unwrap(),
                other => panic!("{other:?} is no output"),
            })
            .collect())
    }

    /// A source of `rate` frames a second and 64 × 64 pixels for every file of `composition`.
    fn prepare(
        &mut self,
        composition: &ValidComposition,
        rate: u32,
        segment_frames: u32,
    ) -> Result<Plan, Failure> {
        let mut sources = Vec::new();
        for (index, used) in composition.source_urls().into_iter().enumerate() {
            let file = self.path().join(format!("source-{index}"));
            let source = SyntheticSource {
                width: 64,
                height: 64,
                rate: FrameRate::new(rate, 1).unwrap(),
                frames: u64::from(rate) * 4,
                samples: 0,
            };
            source.write(&file).unwrap();
            let object = ObjectRef {
                key: ObjectKey(format!("sources/{index}")),
                sha256: Digest([u8::try_from(index).unwrap(); 32]),
                size: 1,
            };
            self.sources.push(file.clone());
            sources.push(FetchedSource {
                url: used.url,
                path: used.path,
                kind: used.kind,
                object,
                file,
            });
        }
        let order = Order::Prepare(PrepareOrder {
            composition: composition.clone(),
            sources,
            cuts: CutSettings {
                segment_frames,
                segment_pixels: u64::MAX,
            },
            max_duration: Limits::default().duration,
            max_render_pixels: Limits::default().render_pixels,
            out: self.path().to_owned(),
        });
        let made = self.work(&order)?;
        let [Made::Plan { plan, .. }] = made.as_slice() else {
            panic!("prepare made {made:?}");
        };
        Ok(Plan::from_bytes(&std::fs::read(plan).unwrap()).unwrap())
    }

    /// The indices of the source frames that a run of segments shows, a list a segment.
    fn render(&mut self, segments: &[u32]) -> Result<Vec<Vec<u64>>, Failure> {
        let made = self.work(&Order::Segments(SegmentsOrder {
            plan: self.path().join("plan.bin"),
            sources: self.sources.clone(),
            fonts: Vec::new(),
            segments: segments.to_vec(),
            out: self.path().to_owned(),
        }))?;
        Ok(made
            .iter()
            .map(|made| match made {
                Made::Segment { file } => SyntheticFile::read(file).unwrap().indices,
                other => panic!("{other:?} is no segment"),
            })
            .collect())
    }
}

fn valid(composition: &serde_json::Value) -> ValidComposition {
    let json = Json::parse(composition.to_string().as_bytes()).unwrap();
    match validate(&json, &Limits::default()) {
        Ok((composition, _)) => composition,
        Err(violations) => panic!("{violations:#?}"),
    }
}

fn video(url: &str) -> serde_json::Value {
    json!({"type": "video", "source_url": url, "in_point": 0.5, "out_point": 3.5})
}

/// Three seconds of a clip from 0.5 s on, with text at the bottom edge for the first one.
fn titled(rate: u32) -> ValidComposition {
    valid(&json!({
        "width": 64, "height": 64, "duration": 3, "frame_rate": rate,
        "elements": [
            video("http://host/a.mp4"),
            {"type": "text", "text": "Hi", "duration": 1, "font_size": 12,
             "y": "100%", "y_anchor": "100%"},
        ]
    }))
}

#[test]
fn any_cut_shows_the_same_source_frames() {
    for (source, output) in [(30, 30), (25, 30), (60, 25), (24, 30)] {
        let want: Vec<u64> = (0..output * 3)
            .map(|n| u64::from((output + 2 * n) * source / (2 * output)))
            .collect();
        for segment_frames in [1, 7, 20, 1000] {
            let mut bench = Bench::new();
            let plan = bench
                .prepare(&titled(output), source, segment_frames)
                .unwrap();
            let all: Vec<u32> = (0..u32::try_from(plan.segments.len()).unwrap()).collect();
            let got = bench.render(&all).unwrap().concat();
            assert_eq!(got, want, "{source} → {output} in {segment_frames}s");
        }
    }
}

#[test]
fn a_run_may_begin_anywhere_and_even_go_back() {
    let mut bench = Bench::new();
    bench.prepare(&titled(30), 30, 30).unwrap();
    let whole = bench.render(&[0, 1, 2]).unwrap();
    assert_eq!(bench.render(&[2]).unwrap(), [whole[2].clone()]);
    assert_eq!(
        bench.render(&[1, 0]).unwrap(),
        [whole[1].clone(), whole[0].clone()]
    );
}

#[test]
fn prepare_names_the_element_whose_source_is_not_media() {
    let mut bench = Bench::new();
    let composition = valid(&json!({
        "width": 64, "height": 64, "duration": 1,
        "elements": [
            {"type": "text", "text": "a", "duration": 1},
            {"type": "image", "id": "i", "source_url": "http://host/a.png", "duration": 1},
        ]
    }));
    let failure = bench.prepare(&composition, 30, 0).unwrap_err();
    assert_eq!(failure.code, "invalid_source");
    assert_eq!(failure.path.as_deref(), Some("elements[1].source_url"));
    assert!(failure.permanent);
}

#[test]
fn a_source_that_breaks_while_rendering_is_named() {
    let mut bench = Bench::new();
    bench.prepare(&titled(30), 30, 0).unwrap();
    std::fs::write(&bench.sources[0], "torn").unwrap();
    let failure = bench.render(&[0]).unwrap_err();
    assert_eq!(failure.code, "invalid_source");
    assert_eq!(failure.path.as_deref(), Some("elements[0].source_url"));
}

#[test]
fn the_plan_says_what_the_coordinator_and_the_client_need() {
    let mut bench = Bench::new();
    let plan = bench.prepare(&titled(30), 30, 30).unwrap();
    assert_eq!(plan.timeline.frames, 90);
    assert_eq!(plan.segments.len(), 3);
    let findings = std::fs::read(bench.path().join("findings.json")).unwrap();
    let findings: crate::plan::Findings = serde_json::from_slice(&findings).unwrap();
    assert_eq!(
        (findings.frames, findings.width, findings.height),
        (90, 64, 64)
    );
}
