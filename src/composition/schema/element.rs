//! The tables of the four kinds of elements, from groups of fields that they share.

use super::field::{Field, Kind, Object};
use super::names;

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

/// Words.
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
        LETTERS,
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

/// The box of a picture.
static PICTURE_BOX: &[Field] = &[
    Field::new("width", Kind::Extent, "Width of the box.").or("\"100%\""),
    Field::new("height", Kind::Extent, "Height of the box.").or("\"100%\""),
    Field::new("z_index", Z_INDEX, "Higher lies above.").or("0"),
    Field::new(
        "clip",
        Kind::Bool,
        "Without effect: pictures always end at their box.",
    )
    .or("false"),
];

/// Of every element that can be seen.
static VISUAL: &[Field] = &[
    Field::new("x", Kind::Length, "Where the anchor lies, across.").or("\"50%\""),
    Field::new("y", Kind::Length, "Where the anchor lies, down.").or("\"50%\""),
    Field::new(
        "x_anchor",
        Kind::Length,
        "Which point of the box is the anchor, across.",
    )
    .or("\"50%\""),
    Field::new(
        "y_anchor",
        Kind::Length,
        "Which point of the box is the anchor, down.",
    )
    .or("\"50%\""),
    Field::new(
        "aspect_ratio",
        Kind::Number {
            min: 0.0,
            max: 1000.0,
            above: true,
        },
        "Width over height for an automatic axis.",
    ),
    Field::new("x_rotation", Kind::Angle, "Turn about the x axis.")
        .or("0")
        .unsupported(),
    Field::new("y_rotation", Kind::Angle, "Turn about the y axis.")
        .or("0")
        .unsupported(),
    Field::new(
        "z_rotation",
        Kind::Angle,
        "Clockwise turn about the anchor.",
    )
    .or("0"),
    Field::new("x_scale", Kind::Scale, "Factor across.")
        .or("\"100%\"")
        .unsupported(),
    Field::new("y_scale", Kind::Scale, "Factor down.")
        .or("\"100%\"")
        .unsupported(),
    Field::new("flip_horizontal", Kind::Bool, "Mirrored left to right.")
        .or("false")
        .unsupported(),
    Field::new("flip_vertical", Kind::Bool, "Mirrored top to bottom.")
        .or("false")
        .unsupported(),
    Field::new(
        "opacity",
        Kind::Number {
            min: 0.0,
            max: 100.0,
            above: false,
        },
        "Percent.",
    )
    .or("100"),
    Field::new(
        "blend_mode",
        Kind::Choice(names::BLEND_MODES),
        "How it mixes with what lies under it.",
    )
    .or("\"none\"")
    .only(&["none"]),
    Field::new("color_overlay", Kind::Color, "A colour over it.").unsupported(),
    Field::new("border_radius", Kind::Distance, "Rounds the corners.")
        .or("0")
        .unsupported(),
    Field::new("border_color", Kind::Color, "Colour of the border.").unsupported(),
    Field::new(
        "border_width",
        Kind::Distance,
        "Width of the border, inside the box.",
    )
    .or("0")
    .unsupported(),
    Field::new("shadow_color", Kind::Color, "Colour of the shadow.").unsupported(),
    Field::new("shadow_blur", Kind::Distance, "Softness of the shadow.")
        .or("0")
        .unsupported(),
    Field::new("shadow_x", Kind::Length, "Offset of the shadow, across.")
        .or("0")
        .unsupported(),
    Field::new("shadow_y", Kind::Length, "Offset of the shadow, down.")
        .or("0")
        .unsupported(),
    Field::new("motion", Kind::List(&MOTION), "Movements.")
        .or("[]")
        .unsupported(),
];

/// Of video and image.
static PICTURE: &[Field] = &[
    Field::new("crop_top", UNIT, "Part cut off.")
        .or("0")
        .unsupported(),
    Field::new("crop_bottom", UNIT, "Part cut off.")
        .or("0")
        .unsupported(),
    Field::new("crop_left", UNIT, "Part cut off.")
        .or("0")
        .unsupported(),
    Field::new("crop_right", UNIT, "Part cut off.")
        .or("0")
        .unsupported(),
    Field::new("lut_url", Kind::Url, "A .cube file or a LUT picture.").unsupported(),
    Field::new("lut_intensity", PERCENT, "How much of the LUT is mixed in.")
        .or("100")
        .unsupported(),
    Field::new("effects", Kind::List(&EFFECT), "Looks.")
        .or("[]")
        .unsupported(),
    Field::new("exposure", BOTH_WAYS, "Colour adjustment.")
        .or("0")
        .unsupported(),
    Field::new("brightness", BOTH_WAYS, "Colour adjustment.")
        .or("0")
        .unsupported(),
    Field::new("contrast", BOTH_WAYS, "Colour adjustment.")
        .or("0")
        .unsupported(),
    Field::new("saturation", BOTH_WAYS, "Colour adjustment.")
        .or("0")
        .unsupported(),
    Field::new("hue_rotate", Kind::Angle, "Degrees about the luma axis.")
        .or("0")
        .unsupported(),
    Field::new("sharpness", ONE_WAY, "Unsharp mask.")
        .or("0")
        .unsupported(),
    Field::new("blur", ONE_WAY, "Gaussian blur.")
        .or("0")
        .unsupported(),
    Field::new("noise", ONE_WAY, "Grain.").or("0").unsupported(),
    Field::new("vignette", ONE_WAY, "Darkened corners.")
        .or("0")
        .unsupported(),
];

/// Of text.
static LETTERS: &[Field] = &[
    Field::new(
        "text",
        Kind::Words,
        "The words; a line feed breaks the line.",
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

static MOTION: Object = Object {
    name: "motion",
    groups: &[&[
        Field::new("type", Kind::Choice(names::MOTIONS), "What it looks like.").required(),
        Field::new(
            "time",
            Kind::Seconds { above: false },
            "When it begins, on the output's timeline.",
        ),
        Field::new(
            "duration",
            Kind::Seconds { above: true },
            "How long it takes.",
        ),
        Field::new("easing", Kind::Choice(names::EASINGS), "Its course.").or("\"ease_in_out\""),
        Field::new("reversed", Kind::Bool, "An exit instead of an entrance.").or("false"),
        Field::new("scope", Kind::Choice(names::MOTION_SCOPES), "What moves.").or("\"element\""),
        Field::new("delay", Kind::Seconds { above: false }, "Shifts time.").or("0"),
        Field::new("loop", Kind::Bool, "Repeats to the element's end.").or("false"),
    ]],
};

static EFFECT: Object = Object {
    name: "effect",
    groups: &[&[
        Field::new("type", Kind::Choice(names::EFFECTS), "What it looks like.").required(),
        Field::new("intensity", PERCENT, "0 leaves the picture as it is.").or("100"),
        Field::new(
            "chroma_settings",
            Kind::Object(&CHROMA_SETTINGS),
            "What chroma_key removes.",
        )
        .or("{}"),
    ]],
};

static CHROMA_SETTINGS: Object = Object {
    name: "chroma_settings",
    groups: &[&[
        Field::new("hue_min", HUE, "Degrees; may exceed hue_max and wraps.").or("90"),
        Field::new("hue_max", HUE, "Degrees.").or("150"),
        Field::new("sat_min", UNIT, "HSL saturation.").or("0.3"),
        Field::new("sat_max", UNIT, "HSL saturation.").or("1"),
        Field::new("lum_min", UNIT, "HSL lightness.").or("0.1"),
        Field::new("lum_max", UNIT, "HSL lightness.").or("0.95"),
    ]],
};

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
        Field::new("text", Kind::Words, "The word.").required(),
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

const Z_INDEX: Kind = Kind::Integer {
    min: -2_147_483_648,
    max: 2_147_483_647,
};
const FADE: Kind = Kind::Clamped {
    min: 0.0,
    max: 1_000_000.0,
};
const UNIT: Kind = Kind::Number {
    min: 0.0,
    max: 1.0,
    above: false,
};
const PERCENT: Kind = Kind::Number {
    min: 0.0,
    max: 100.0,
    above: false,
};
const BOTH_WAYS: Kind = Kind::Clamped {
    min: -100.0,
    max: 100.0,
};
const ONE_WAY: Kind = Kind::Clamped {
    min: 0.0,
    max: 100.0,
};
const HUE: Kind = Kind::Number {
    min: 0.0,
    max: 360.0,
    above: false,
};
