//! The tables of the composition itself and of what hangs off it, elements aside.

use super::field::{Field, Kind, Object};
use super::names;

/// The body of `POST /v1/renders`.
pub(crate) static COMPOSITION: Object = Object {
    name: "composition",
    groups: &[&[
        Field::new(
            "width",
            Kind::Integer { min: 16, max: 8192 },
            "Canvas width in pixels; goes with height.",
        )
        .or("1280"),
        Field::new(
            "height",
            Kind::Integer { min: 16, max: 8192 },
            "Canvas height in pixels; goes with width.",
        )
        .or("720"),
        Field::new(
            "duration",
            Kind::Seconds { above: true },
            "By default the latest end of the visible elements, or 10.",
        ),
        Field::new(
            "frame_rate",
            Kind::FrameRate,
            "Frames a second; 29.97 and \"30000/1001\" are one.",
        )
        .or("30"),
        Field::new(
            "output_format",
            Kind::Choice(names::OUTPUT_FORMATS),
            "Container of the file.",
        )
        .or("\"mp4\"")
        .only(&["mp4"]),
        Field::new(
            "output_filename",
            Kind::FileName,
            "Without extension; by default the render's id.",
        ),
        Field::new(
            "background_color",
            Kind::Color,
            "What lies under everything.",
        )
        .or("\"#000000ff\""),
        Field::new(
            "background_image_url",
            Kind::Url,
            "A picture under everything, cover-fitted.",
        )
        .unsupported(),
        Field::new("alpha", Kind::Bool, "Keep transparency; webm and mov only.")
            .or("false")
            .unsupported(),
        Field::new(
            "elements",
            Kind::Elements,
            "What is placed on the timeline.",
        )
        .or("[]"),
        Field::new(
            "transitions",
            Kind::List(&TRANSITION),
            "Changes from one element to the next.",
        )
        .or("[]")
        .unsupported(),
        Field::new(
            "metadata",
            Kind::Labels,
            "Echoed back; at most 50 keys of at most 40 characters, values of at most 500.",
        )
        .or("{}"),
        Field::new(
            "webhook_url",
            Kind::PlainUrl { most: 1024 },
            "Called for this render's events, and it alone.",
        ),
        Field::new(
            "encoding",
            Kind::Object(&ENCODING),
            "How the file is encoded.",
        )
        .or("{}"),
        Field::new(
            "destination",
            Kind::Object(&DESTINATION),
            "Where the file is copied when it is done.",
        ),
        Field::new(
            "priority",
            Kind::Integer { min: -10, max: 10 },
            "Higher goes first.",
        )
        .or("0"),
        Field::new(
            "ingest_external",
            Kind::Bool,
            "Without effect: remote media is always fetched.",
        ),
    ]],
};

/// `encoding` of the composition.
pub(crate) static ENCODING: Object = Object {
    name: "encoding",
    groups: &[&[
        Field::new(
            "video_codec",
            Kind::Choice(names::VIDEO_CODECS),
            "Picture codec; by default the container's first.",
        )
        .only(&["h264"]),
        Field::new(
            "quality",
            Kind::Choice(names::QUALITIES),
            "draft, standard and high are crf 28, 20 and 16.",
        )
        .or("\"standard\""),
        Field::new(
            "crf",
            Kind::Integer { min: 1, max: 51 },
            "Constant rate factor, instead of the quality's.",
        ),
        Field::new(
            "video_bitrate",
            Kind::Integer {
                min: 50,
                max: 200_000,
            },
            "Average in kbit/s, instead of a constant rate factor.",
        ),
        Field::new(
            "audio_bitrate",
            Kind::Integer { min: 32, max: 512 },
            "AAC rate in kbit/s.",
        )
        .or("192"),
        Field::new(
            "keyframe_interval",
            Kind::Integer {
                min: 1,
                max: 10_000,
            },
            "Frames from one keyframe to the next at most.",
        ),
        Field::new("speed", Kind::Choice(names::SPEEDS), "x264 preset.").or("\"veryfast\""),
        Field::new(
            "at",
            Kind::Seconds { above: false },
            "Moment of a png or jpg.",
        )
        .or("0")
        .unsupported(),
    ]],
};

/// `destination` of the composition.
static DESTINATION: Object = Object {
    name: "destination",
    groups: &[&[Field::new(
        "s3",
        Kind::Object(&S3),
        "A bucket of the server's configuration.",
    )
    .required()]],
};

static S3: Object = Object {
    name: "s3_destination",
    groups: &[&[
        Field::new(
            "bucket",
            Kind::Name,
            "Its name in the server's configuration.",
        )
        .required(),
        Field::new(
            "key",
            Kind::ObjectKey,
            "The object's key: 1 to 512 printable characters, no slash at its start.",
        )
        .required(),
    ]],
};

/// One of `transitions`.
static TRANSITION: Object = Object {
    name: "transition",
    groups: &[&[
        Field::new(
            "type",
            Kind::Choice(names::TRANSITIONS),
            "What it looks like.",
        )
        .required(),
        Field::new(
            "duration",
            Kind::Seconds { above: true },
            "How long it takes.",
        )
        .required(),
        Field::new(
            "from_id",
            Kind::Name,
            "The element that leaves; goes with to_id.",
        ),
        Field::new(
            "to_id",
            Kind::Name,
            "The element that comes; goes with from_id.",
        ),
        Field::new(
            "z_index",
            Kind::Integer {
                min: -2_147_483_648,
                max: 2_147_483_647,
            },
            "Where it is drawn; by default at the higher of the two.",
        ),
    ]],
};
