//! What answers show of an accepted request: all but its elements, so that what is remembered
//! of a render is small whatever its client sent.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::composition::Warning;
use crate::plan::RequestObject;

/// What the contract takes for a field that is left out.
const WIDTH: u64 = 1280;
const HEIGHT: u64 = 720;
const FRAME_RATE: u64 = 30;
const FORMAT: &str = "mp4";

/// An accepted request in short.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AcceptedRequest {
    /// Canvas width.
    pub(super) width: u64,
    /// Canvas height.
    pub(super) height: u64,
    /// Seconds, where the request gives them.
    pub(super) duration: Option<f64>,
    /// Milliseconds of output as far as the request alone determines them; 0 where its sources
    /// decide.
    pub(super) planned_millis: u64,
    /// As it was given.
    pub(super) frame_rate: Value,
    /// The container.
    pub(super) output_format: String,
    /// How many elements.
    pub(super) element_count: usize,
    /// As it was given.
    pub(super) metadata: BTreeMap<String, String>,
    /// Bucket and key of the copy asked for.
    pub(super) destination: Option<(String, String)>,
    /// Warnings of validation.
    pub(super) warnings: Vec<Warning>,
    /// Base of the links in answers; empty: wherever the server that answers listens.
    pub(super) public_url: String,
}

impl AcceptedRequest {
    /// `request` in short. It was valid when it was accepted.
    pub(super) fn of(request: RequestObject) -> Self {
        let composition = &request.composition;
        let given = |name: &str| composition.get(name).filter(|value| !value.is_null());
        let size = |name, default| given(name).and_then(Value::as_u64).unwrap_or(default);
        let elements = given("elements").and_then(Value::as_array);
        let elements = elements.map_or(&[][..], Vec::as_slice);
        let duration = given("duration").and_then(Value::as_f64);
        Self {
            width: size("width", WIDTH),
            height: size("height", HEIGHT),
            duration,
            planned_millis: millis(duration.unwrap_or_else(|| latest_end(elements))),
            frame_rate: given("frame_rate")
                .cloned()
                .unwrap_or_else(|| Value::from(FRAME_RATE)),
            output_format: given("output_format")
                .and_then(Value::as_str)
                .unwrap_or(FORMAT)
                .to_owned(),
            element_count: elements.len(),
            metadata: given("metadata").map_or_else(BTreeMap::new, metadata),
            destination: given("destination").and_then(destination),
            warnings: request.warnings,
            public_url: request.public_url,
        }
    }

    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> u64 {
        const ENTRY: usize = 64;
        let metadata = self
            .metadata
            .iter()
            .map(|(key, value)| key.len() + value.len() + ENTRY);
        let warnings = self.warnings.iter().map(weight_of_warning);
        let bytes = size_of::<Self>()
            + self.output_format.len()
            + self.public_url.len()
            + metadata.sum::<usize>()
            + warnings.sum::<usize>();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// About how many bytes of memory a warning takes.
pub(super) fn weight_of_warning(warning: &Warning) -> usize {
    size_of::<Warning>() + warning.path.len() + warning.code.len() + warning.message.len()
}

/// When the last of the elements with an end of their own ends, in seconds.
fn latest_end(elements: &[Value]) -> f64 {
    let end = |element: &Value| {
        let number = |name: &str| element.get(name).and_then(Value::as_f64);
        let is_visible = element.get("visible").and_then(Value::as_bool);
        let length = number("duration").or_else(|| {
            let trimmed = number("out_point")? - number("in_point").unwrap_or(0.0);
            Some(trimmed / number("speed").unwrap_or(1.0))
        })?;
        (is_visible != Some(false)).then(|| number("time").unwrap_or(0.0) + length)
    };
    elements.iter().filter_map(end).fold(0.0, f64::max)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float is cast to the nearest number there is, and none of these is negative"
)]
fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).max(0.0) as u64
}

fn metadata(given: &Value) -> BTreeMap<String, String> {
    let Value::Object(fields) = given else {
        return BTreeMap::new();
    };
    fields
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn destination(given: &Value) -> Option<(String, String)> {
    let text = |name: &str| Some(given.get("s3")?.get(name)?.as_str()?.to_owned());
    Some((text("bucket")?, text("key")?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn accepted(composition: Value) -> AcceptedRequest {
        AcceptedRequest::of(RequestObject {
            version: RequestObject::VERSION,
            composition,
            warnings: Vec::new(),
            public_url: String::new(),
        })
    }

    #[test]
    fn what_is_left_out_or_null_has_its_default() {
        let short = accepted(json!({"width": null, "metadata": null}));
        assert_eq!((short.width, short.height), (WIDTH, HEIGHT));
        assert_eq!(short.frame_rate, json!(30));
        assert_eq!((&*short.output_format, short.element_count), ("mp4", 0));
        assert_eq!((short.duration, short.planned_millis), (None, 0));
    }

    #[test]
    fn the_length_is_that_of_the_request_or_of_its_latest_element() {
        let elements = json!([
            {"type": "text", "time": 1, "duration": 2.5},
            {"type": "video", "time": 4, "in_point": 1, "out_point": 3, "speed": 2},
            {"type": "image", "time": 90, "duration": 1, "visible": false},
            {"type": "video"},
        ]);
        assert_eq!(accepted(json!({"elements": elements})).planned_millis, 5000);
        let summary = accepted(json!({"duration": 2, "elements": elements}));
        assert_eq!(summary.planned_millis, 2000);
    }

    #[test]
    fn a_large_request_is_small_in_short() {
        let text = "x".repeat(2 << 20);
        let large = accepted(json!({"elements": [{"type": "text", "text": text}]}));
        assert!(large.weight() < 1024, "{}", large.weight());
        let labelled = accepted(json!({"metadata": {"note": "x".repeat(500)}}));
        assert!(labelled.weight() > large.weight() + 500);
    }
}
