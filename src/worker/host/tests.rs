//! Which claims of a worker the node accepts and which it refuses.

use std::path::PathBuf;

use cluster::model::{Digest, ObjectKey, ObjectRef, PlanFacts};
use serde_json::json;

mod fetched;
mod joins;
mod transfers;

use super::accept;
use crate::composition::{Json, Limits, ValidComposition, validate};
use crate::plan::{self, CutSettings, Findings, Plan};
use crate::render::text::TextEngine;
use crate::timeline::Timeline;
use crate::worker::order::PrepareOrder;

fn composition(text: &str) -> ValidComposition {
    let json = json!({
        "width": 64, "height": 64, "duration": 2,
        "elements": [{"type": "text", "text": text, "duration": 2}],
    });
    let json = Json::parse(json.to_string().as_bytes()).unwrap();
    validate(&json, &Limits::default()).unwrap().0
}

/// Cuts by the output's length alone.
fn by_length() -> CutSettings {
    CutSettings {
        segment_frames: 0,
        segment_pixels: u64::MAX,
    }
}

/// What an honest worker makes of an order.
struct Made {
    order: PrepareOrder,
    plan: Plan,
    findings: Findings,
    facts: PlanFacts,
}

impl Made {
    fn honestly() -> Self {
        let limits = Limits::default();
        let order = PrepareOrder {
            composition: composition("one"),
            sources: Vec::new(),
            cuts: by_length(),
            max_duration: limits.duration,
            max_render_pixels: limits.render_pixels,
            out: PathBuf::new(),
        };
        let engine = TextEngine::new();
        let (timeline, _) =
            Timeline::resolve(order.composition.clone(), Vec::new(), &engine, &limits).unwrap();
        let rate = timeline.composition.frame_rate;
        let segments = plan::cut(timeline.frames, 64 * 64, rate, None, by_length());
        let facts = PlanFacts {
            frames: timeline.frames,
            rate,
            segments: segments.clone(),
            has_audio: false,
        };
        let plan = Plan {
            timeline,
            sources: Vec::new(),
            fonts: Vec::new(),
            segments,
        };
        let findings = Findings {
            version: plan::VERSION,
            frames: facts.frames,
            width: 64,
            height: 64,
            warnings: Vec::new(),
        };
        Self {
            order,
            plan,
            findings,
            facts,
        }
    }

    fn is_accepted(&self) -> bool {
        accept::plan(&self.order, &self.plan, &self.findings, &self.facts).is_ok()
    }
}

#[test]
fn a_plan_is_taken_only_if_it_is_of_the_order_and_described_as_it_is() {
    assert!(Made::honestly().is_accepted());
    type Lie = fn(&mut Made);
    let lies: [(&str, Lie); 7] = [
        ("another's object", |made| {
            made.plan.sources.push(ObjectRef {
                key: ObjectKey("jobs/another/output.mp4".to_owned()),
                sha256: Digest([1; 32]),
                size: 1,
            });
        }),
        ("another composition", |made| {
            made.plan.timeline.composition = composition("two");
        }),
        ("endless", |made| {
            made.plan.timeline.frames = u64::MAX;
            made.facts.frames = u64::MAX;
            made.findings.frames = u64::MAX;
        }),
        ("nothing", |made| {
            made.plan.timeline.frames = 0;
            made.facts.frames = 0;
            made.findings.frames = 0;
        }),
        ("other facts", |made| made.facts.frames += 1),
        ("other cuts", |made| made.facts.segments.clear()),
        ("another size", |made| made.findings.width = 4096),
    ];
    for (what, lie) in lies {
        let mut made = Made::honestly();
        lie(&mut made);
        assert!(!made.is_accepted(), "{what}");
    }
}
