//! The compositions that the claims are tried with.

use serde_json::{Value, json};

/// The minimal example of the contract, its source at `clip`.
pub fn minimal(clip: &str) -> Value {
    json!({
        "width": 1920, "height": 1080, "duration": 10.0, "frame_rate": 30, "output_format": "mp4",
        "elements": [
            {"type": "video", "id": "clip1", "source_url": clip,
             "time": 0, "in_point": 0, "out_point": 10},
            {"type": "text", "id": "title", "text": "Hello World", "time": 0, "duration": 5,
             "x": "50%", "y": "50%", "font_size": 72, "text_color": "#ffffff"},
        ],
    })
}

/// `clip` shown from `in_point` (a decimal) on, filling the canvas.
pub fn excerpt(clip: &str, in_point: f64, frames: u64, rate: &Rate) -> Value {
    json!({
        "width": 320, "height": 180,
        "duration": rate.duration(frames), "frame_rate": rate.value(),
        "elements": [{"type": "video", "id": "numbered", "source_url": clip, "in_point": in_point}],
    })
}

/// An output rate as a client writes it.
#[derive(Debug, Clone, Copy)]
pub struct Rate(pub u32);

impl Rate {
    fn value(self) -> Value {
        json!(self.0)
    }

    /// The length of so many frames in seconds.
    #[expect(clippy::cast_precision_loss, reason = "test renders are short")]
    fn duration(self, frames: u64) -> f64 {
        frames as f64 / f64::from(self.0)
    }
}

/// Pictures and sound of `clip` for `seconds`, a moving tower of work: the clip over and
/// over, a translucent turned copy over it, a title.
pub fn busy(clip: &str, size: (u32, u32), seconds: u32) -> Value {
    let mut elements = Vec::new();
    let mut start = 0;
    while start < seconds {
        let length = (seconds - start).min(5);
        elements.push(json!({
            "type": "video", "id": format!("base-{start}"), "source_url": clip,
            "time": start, "out_point": length,
        }));
        elements.push(json!({
            "type": "video", "id": format!("inset-{start}"), "source_url": clip,
            "time": start, "out_point": length, "volume": 0, "z_index": 1, "opacity": 70,
            "width": "40%", "height": "40%", "x": "75%", "y": "30%", "z_rotation": 8,
        }));
        start += length;
    }
    elements.push(json!({
        "type": "text", "id": "title", "text": "Frames in, frames out", "duration": seconds,
        "y": "85%", "font_size": size.1 / 12, "z_index": 2,
    }));
    json!({
        "width": size.0, "height": size.1, "duration": seconds, "frame_rate": 30,
        "elements": elements,
    })
}

/// One plain colour with a word on it for `seconds`, at a size that gives an encoder some work.
pub fn plain_for(word: &str, seconds: u32) -> Value {
    json!({
        "width": 640, "height": 360, "duration": seconds, "frame_rate": 30,
        "background_color": "#204060",
        "elements": [{"type": "text", "text": word, "duration": seconds, "font_size": 40}],
    })
}

/// One plain colour with a word on it: the cheapest thing that is a render.
pub fn plain(word: &str) -> Value {
    json!({
        "width": 320, "height": 180, "duration": 1, "frame_rate": 30,
        "background_color": "#204060",
        "elements": [{"type": "text", "text": word, "duration": 1, "font_size": 40}],
    })
}
