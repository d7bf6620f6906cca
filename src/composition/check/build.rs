//! Checked fields in the renderer's terms. Returns `None` when a field is missing that
//! validation would have missed.

use super::fields::Fields;
use crate::composition::time::MediaTime;
use crate::composition::{
    Clip, Destination, Element, ElementKind, Fit, Output, OutputFormat, TextAlign, TextStyle,
    ValidComposition, VerticalAlign, Visual,
};

/// The weight that `bold` stands for.
const BOLD: u16 = 700;

pub(super) fn composition(fields: &Fields) -> Option<ValidComposition> {
    let elements = fields.list("elements").iter();
    Some(ValidComposition {
        width: u32::try_from(fields.integer("width")?).ok()?,
        height: u32::try_from(fields.integer("height")?).ok()?,
        duration: fields.time("duration"),
        frame_rate: fields.rate("frame_rate")?,
        output: output(fields, fields.object("encoding")?)?,
        background: fields.color("background_color")?,
        elements: elements
            .map(|(index, fields)| element(*index, fields))
            .collect::<Option<_>>()?,
        metadata: fields.labels("metadata")?.clone(),
        webhook_url: fields.text("webhook_url").map(str::to_owned),
        destination: fields
            .object("destination")
            .map(|destination| {
                let bucket = destination.object("s3")?;
                Some(Destination {
                    bucket: bucket.text("bucket")?.to_owned(),
                    key: bucket.text("key")?.to_owned(),
                })
            })
            .map_or(Some(None), |built| built.map(Some))?,
        priority: i8::try_from(fields.integer("priority")?).ok()?,
    })
}

fn output(fields: &Fields, encoding: &Fields) -> Option<Output> {
    let quality_crf = match encoding.choice("quality")? {
        "draft" => 28,
        "high" => 16,
        _ => 20,
    };
    let small = |name: &str| encoding.integer(name).and_then(|n| u32::try_from(n).ok());
    Some(Output {
        format: match fields.choice("output_format")? {
            "mp4" => OutputFormat::Mp4,
            _ => return None,
        },
        filename: fields.text("output_filename").map(str::to_owned),
        crf: small("crf").map_or(Some(quality_crf), |crf| u8::try_from(crf).ok())?,
        preset: encoding.choice("speed")?.to_owned(),
        video_kbps: small("video_bitrate"),
        audio_kbps: small("audio_bitrate")?,
        keyframe_interval: small("keyframe_interval"),
    })
}

fn element(index: usize, fields: &Fields) -> Option<Element> {
    let kind = match fields.choice("type")? {
        "video" => ElementKind::Video {
            clip: clip(fields)?,
            visual: visual(fields)?,
        },
        "image" => ElementKind::Image {
            source_url: fields.text("source_url")?.to_owned(),
            visual: visual(fields)?,
        },
        "text" => ElementKind::Text {
            text: text(fields)?,
            visual: visual(fields)?,
        },
        "audio" => ElementKind::Audio {
            clip: clip(fields)?,
        },
        _ => return None,
    };
    Some(Element {
        index,
        id: fields.text("id").map(str::to_owned),
        time: fields.time("time")?,
        duration: fields.time("duration"),
        visible: fields.flag("visible")?,
        kind,
    })
}

fn clip(fields: &Fields) -> Option<Clip> {
    let seconds = |name: &str| MediaTime::from_json_number(fields.number(name)?);
    Some(Clip {
        source_url: fields.text("source_url")?.to_owned(),
        in_point: fields.time("in_point")?,
        out_point: fields.time("out_point"),
        audio_track: fields.track("audio_track"),
        gain: fields.number("volume")? / 100.0,
        fade_in: seconds("fade_in_duration")?,
        fade_out: seconds("fade_out_duration")?,
    })
}

fn visual(fields: &Fields) -> Option<Visual> {
    Some(Visual {
        x: fields.length("x")?,
        y: fields.length("y")?,
        x_anchor: fields.length("x_anchor")?,
        y_anchor: fields.length("y_anchor")?,
        width: fields.size("width")?,
        height: fields.size("height")?,
        aspect_ratio: fields.number("aspect_ratio"),
        // Text has no picture to fit.
        fit: match fields.choice("fit") {
            Some("cover") => Fit::Cover,
            Some("contain") => Fit::Contain,
            _ => Fit::Fill,
        },
        z_rotation: fields.number("z_rotation")?,
        opacity: fields.number("opacity")? / 100.0,
        z_index: i32::try_from(fields.integer("z_index")?).ok()?,
    })
}

fn text(fields: &Fields) -> Option<TextStyle> {
    let (bold, italic) = match fields.choice("font_style")? {
        "bold" => (true, false),
        "italic" => (false, true),
        "bolditalic" => (true, true),
        _ => (false, false),
    };
    let weight = u16::try_from(fields.integer("font_weight")?).ok()?;
    Some(TextStyle {
        text: fields.text("text")?.to_owned(),
        family: fields.text("font_family")?.to_owned(),
        font_url: fields.text("font_url").map(str::to_owned),
        size: fields.number("font_size")?,
        weight: if bold { weight.max(BOLD) } else { weight },
        italic,
        color: fields.color("text_color")?,
        align: match fields.choice("text_align")? {
            "left" => TextAlign::Left,
            "right" => TextAlign::Right,
            _ => TextAlign::Center,
        },
        vertical_align: match fields.choice("vertical_align")? {
            "top" => VerticalAlign::Top,
            "bottom" => VerticalAlign::Bottom,
            _ => VerticalAlign::Middle,
        },
        leading: fields.number("leading")?,
        wrap: fields.choice("text_wrap")? == "wrap",
    })
}
