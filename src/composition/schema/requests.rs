//! The tables of the requests that bring media: uploads and imports.

use super::field::{Field, Kind, Object};

/// What an upload may be declared as (API.md §2).
pub(crate) static CONTENT_TYPES: &[&str] = &[
    "video/mp4",
    "video/quicktime",
    "video/webm",
    "video/x-msvideo",
    "video/x-matroska",
    "video/mpeg",
    "video/mp2t",
    "audio/mpeg",
    "audio/mp4",
    "audio/wav",
    "audio/x-wav",
    "audio/aac",
    "audio/flac",
    "audio/ogg",
    "audio/aiff",
    "audio/x-aiff",
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/tiff",
    "image/svg+xml",
    "image/avif",
    "font/ttf",
    "font/otf",
    "font/woff",
    "font/woff2",
    "application/x-cube",
];

/// The body of `POST /v1/uploads`.
pub(crate) static UPLOAD: Object = Object {
    name: "upload",
    groups: &[&[
        Field::new(
            "content_type",
            Kind::Choice(CONTENT_TYPES),
            "What the file is; the PUT must declare the same.",
        )
        .required(),
        Field::new(
            "filename",
            Kind::WholeFileName,
            "Its name, without directories.",
        )
        .required(),
        Field::new(
            "size_bytes",
            Kind::Integer {
                min: 1,
                max: 1 << 50,
            },
            "Its length; what arrives must then have it.",
        ),
        Field::new(
            "multipart",
            Kind::Bool,
            "Whether the answer offers to send it in parts; by default above 100 MiB.",
        ),
    ]],
};

/// The events that a webhook endpoint may subscribe to (API.md §7).
pub(crate) static EVENTS: &[&str] = &[
    "render.queued",
    "render.processing",
    "render.completed",
    "render.failed",
    "render.cancelled",
    "render.progress",
    "asset.ready",
    "asset.failed",
];

/// The body of `POST /v1/webhooks`.
pub(crate) static WEBHOOK: Object = Object {
    name: "webhook",
    groups: &[&[
        Field::new(
            "url",
            Kind::PlainUrl { most: 1024 },
            "Where events are sent.",
        )
        .required(),
        Field::new(
            "events",
            Kind::Choices(EVENTS),
            "The events to send; without, all but render.progress.",
        ),
    ]],
};

/// The body of `POST /v1/probe`.
pub(crate) static PROBE: Object = Object {
    name: "probe",
    groups: &[&[Field::new(
        "source_url",
        Kind::PlainUrl { most: 2048 },
        "A file as a composition names it: http or https, or an upload's or import's source_url.",
    )
    .required()]],
};

/// The body of `POST /v1/imports`.
pub(crate) static IMPORT: Object = Object {
    name: "import",
    groups: &[&[
        Field::new(
            "url",
            Kind::PlainUrl { most: 2048 },
            "A file, a share link or a video page.",
        )
        .required(),
        Field::new(
            "filename",
            Kind::WholeFileName,
            "Its name, instead of the one its origin gives.",
        ),
    ]],
};
