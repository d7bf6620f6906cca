//! The tables of text and its captions.

use super::field::{Field, Kind, Object};
use super::looks::PERCENT;
use super::names;

/// Of text.
pub(super) static TYPOGRAPHY: &[Field] = &[
    Field::new(
        "text",
        Kind::NonEmptyText,
        "The text; a line feed breaks the line.",
    )
    .required(),
    Field::new(
        "font_family",
        Kind::Name,
        "Family; an unknown one renders in Inter.",
    )
    .or("\"Inter\""),
    Field::new("font_url", Kind::Url, "A font file to use instead."),
    Field::new(
        "font_size",
        Kind::Number {
            min: 0.0,
            max: 8192.0,
            above: true,
        },
        "Pixels per em.",
    )
    .or("16"),
    Field::new(
        "font_weight",
        Kind::Integer { min: 100, max: 900 },
        "400 is regular, 700 bold.",
    )
    .or("400"),
    Field::new(
        "font_style",
        Kind::Choice(names::FONT_STYLES),
        "bold means a weight of at least 700.",
    )
    .or("\"normal\""),
    Field::new("text_color", Kind::Color, "Colour of the letters.").or("\"#ffffff\""),
    Field::new("text_align", Kind::Choice(names::TEXT_ALIGNS), "Across.").or("\"center\""),
    Field::new(
        "vertical_align",
        Kind::Choice(names::VERTICAL_ALIGNS),
        "Down.",
    )
    .or("\"middle\""),
    Field::new(
        "text_decoration",
        Kind::Choice(names::TEXT_DECORATIONS),
        "A line along the text.",
    )
    .or("\"none\"")
    .only(&["none"]),
    Field::new(
        "tracking",
        Kind::Number {
            min: -1000.0,
            max: 1000.0,
            above: false,
        },
        "Pixels between letters.",
    )
    .or("0")
    .unsupported(),
    Field::new(
        "leading",
        Kind::Number {
            min: 0.0,
            max: 100.0,
            above: true,
        },
        "Line height over font size.",
    )
    .or("1.2"),
    Field::new(
        "text_wrap",
        Kind::Choice(names::TEXT_WRAPS),
        "Whether long lines are broken.",
    )
    .or("\"wrap\""),
    Field::new("stroke_color", Kind::Color, "Colour of the outline.").unsupported(),
    Field::new(
        "stroke_width",
        Kind::Number {
            min: 0.0,
            max: 10.0,
            above: false,
        },
        "Width of the outline in em.",
    )
    .or("0")
    .unsupported(),
    Field::new(
        "background_color",
        Kind::Color,
        "Colour of the plate, or of the spoken word.",
    )
    .unsupported(),
    Field::new("background_opacity", PERCENT, "Opacity of the plate.")
        .or("100")
        .unsupported(),
    Field::new("x_padding", Kind::Distance, "Room in the plate, across.")
        .or("0")
        .unsupported(),
    Field::new("y_padding", Kind::Distance, "Room in the plate, down.")
        .or("0")
        .unsupported(),
    Field::new("background", Kind::Bool, "Draws a plate.")
        .or("false")
        .unsupported(),
    Field::new("stroke", Kind::Bool, "Hollow letters.")
        .or("false")
        .unsupported(),
    Field::new("shadow", Kind::Bool, "Draws a shadow.")
        .or("false")
        .unsupported(),
    Field::new("word_animation", Kind::Object(&WORD_ANIMATION), "Captions.").unsupported(),
    Field::new("animation_preset", Kind::Name, "A named set of motions.").unsupported(),
];

static WORD_ANIMATION: Object = Object {
    name: "word_animation",
    groups: &[&[
        Field::new(
            "style",
            Kind::Choice(names::WORD_STYLES),
            "What it looks like.",
        )
        .required(),
        Field::new("words", Kind::List(&WORD), "When each word is spoken.").required(),
    ]],
};

static WORD: Object = Object {
    name: "word",
    groups: &[&[
        Field::new("text", Kind::NonEmptyText, "The word.").required(),
        Field::new(
            "start",
            Kind::Seconds { above: false },
            "On the output's timeline.",
        )
        .required(),
        Field::new(
            "end",
            Kind::Seconds { above: false },
            "On the output's timeline.",
        )
        .required(),
    ]],
};
