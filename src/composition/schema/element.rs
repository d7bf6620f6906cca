//! The tables of the four kinds of elements, from groups of fields that they share.

use super::field::{Field, Kind, Object};
use super::looks::{PICTURE, PICTURE_BOX, VISUAL, Z_INDEX};
use super::names;
use super::typography::TYPOGRAPHY;

/// Moving pictures, with their sound.
pub(crate) static VIDEO: Object = Object {
    name: "video",
    groups: &[
        &[
            Field::new("type", Kind::Choice(&["video"]), "video.").required(),
            Field::new("id", Kind::Name, "A unique name."),
            Field::new(
                "duration",
                Kind::Seconds { above: true },
                "Shortens what in_point and out_point give.",
            ),
            Field::new("source_url", Kind::VideoUrl, "Where the file is.").required(),
            Field::new(
                "fit",
                Kind::Choice(names::FITS),
                "How the picture fills its box.",
            )
            .or("\"cover\""),
            Field::new(
                "volume",
                Kind::Number {
                    min: 0.0,
                    max: 100.0,
                    above: false,
                },
                "Percent of the amplitude.",
            )
            .or("100"),
            Field::new(
                "freeze_at",
                Kind::Seconds { above: false },
                "Shows this moment of the source all the time.",
            )
            .unsupported(),
        ],
        ELEMENT,
        TRIM,
        PICTURE_BOX,
        VISUAL,
        PICTURE,
    ],
};

/// A still picture.
pub(crate) static IMAGE: Object = Object {
    name: "image",
    groups: &[
        &[
            Field::new("type", Kind::Choice(&["image"]), "image.").required(),
            Field::new("id", Kind::Name, "A unique name.").required(),
            Field::new(
                "duration",
                Kind::Seconds { above: true },
                "How long it is visible.",
            )
            .required(),
            Field::new(
                "source_url",
                Kind::Url,
                "Where the file is: png, jpg or webp by its content.",
            )
            .required(),
            Field::new(
                "fit",
                Kind::Choice(names::FITS),
                "How the picture fills its box.",
            )
            .or("\"contain\""),
        ],
        ELEMENT,
        PICTURE_BOX,
        VISUAL,
        PICTURE,
    ],
};

/// A text element.
pub(crate) static TEXT: Object = Object {
    name: "text",
    groups: &[
        &[
            Field::new("type", Kind::Choice(&["text"]), "text.").required(),
            Field::new("id", Kind::Name, "A unique name."),
            Field::new(
                "duration",
                Kind::Seconds { above: true },
                "How long it is visible.",
            )
            .required(),
            Field::new(
                "fit",
                Kind::Choice(names::FITS),
                "How the text fills its box.",
            )
            .unsupported(),
        ],
        ELEMENT,
        &[
            Field::new(
                "width",
                Kind::Extent,
                "Width of the box, to which lines are broken.",
            )
            .or("\"100%\""),
            Field::new(
                "height",
                Kind::Extent,
                "Height of the box; auto grows with the lines.",
            )
            .or("\"auto\""),
            Field::new("z_index", Z_INDEX, "Higher lies above.").or("1"),
            Field::new("clip", Kind::Bool, "Cut the text off at its box.")
                .or("false")
                .unsupported(),
        ],
        VISUAL,
        TYPOGRAPHY,
    ],
};

/// Sound alone.
pub(crate) static AUDIO: Object = Object {
    name: "audio",
    groups: &[
        &[
            Field::new("type", Kind::Choice(&["audio"]), "audio.").required(),
            Field::new("id", Kind::Name, "A unique name."),
            Field::new(
                "duration",
                Kind::Seconds { above: true },
                "Shortens what in_point and out_point give.",
            ),
            Field::new(
                "source_url",
                Kind::Url,
                "Where the file is; a video's sound will do.",
            )
            .required(),
            Field::new(
                "volume",
                Kind::Number {
                    min: 0.0,
                    max: 100.0,
                    above: true,
                },
                "Percent of the amplitude.",
            )
            .or("100"),
        ],
        ELEMENT,
        TRIM,
    ],
};

/// Of every element, beside what depends on its kind.
static ELEMENT: &[Field] = &[
    Field::new("name", Kind::Name, "A label for people."),
    Field::new(
        "track",
        Kind::Integer { min: 0, max: 255 },
        "A label, without effect.",
    )
    .or("0"),
    Field::new("time", Kind::Seconds { above: false }, "When it begins.").or("0"),
    Field::new("visible", Kind::Bool, "Whether it takes part at all.").or("true"),
];

/// Of media with a course in time.
static TRIM: &[Field] = &[
    Field::new(
        "in_point",
        Kind::Seconds { above: false },
        "Where in the source it begins.",
    )
    .or("0"),
    Field::new(
        "out_point",
        Kind::Seconds { above: true },
        "Where in the source it ends; by default at its end.",
    ),
    Field::new(
        "audio_track",
        Kind::Track,
        "Which sound track plays: its number among the file's sound tracks, from 0, or its \
         language; by default the one flagged default, else the first.",
    ),
    Field::new(
        "speed",
        Kind::Number {
            min: 0.25,
            max: 4.0,
            above: false,
        },
        "Factor of speed.",
    )
    .or("1")
    .unsupported(),
    Field::new(
        "fade_in_duration",
        FADE,
        "Seconds of linear rise of the sound.",
    )
    .or("0"),
    Field::new(
        "fade_out_duration",
        FADE,
        "Seconds of linear fall of the sound.",
    )
    .or("0"),
    Field::new("loop", Kind::Bool, "Repeats the source.")
        .or("false")
        .unsupported(),
];

const FADE: Kind = Kind::Clamped {
    min: 0.0,
    max: 1_000_000.0,
};
