//! The contract's schema as tables. Validation, the published JSON Schema and the lists of
//! capabilities are all read from these; nothing about a field is written down twice.

mod composition;
mod element;
mod export;
mod field;
mod looks;
pub(super) mod names;
mod requests;
mod typography;

pub(super) use composition::{COMPOSITION, ENCODING};
pub(super) use element::{AUDIO, IMAGE, TEXT, VIDEO};
pub use export::json_schema;
pub(super) use export::request_schema;
pub(super) use field::{Field, Kind, Object, Support};
pub(super) use requests::{IMPORT, PROBE, UPLOAD, WEBHOOK};

/// Seconds that any time in a composition may be at most. Far beyond every limit on the
/// output; keeps exact arithmetic within its range.
pub(super) const MAX_SECONDS: u32 = 1_000_000;

/// Lengths and angles are at most this far from zero.
pub(super) const MAX_LENGTH: f64 = 100_000.0;

/// Characters in a name.
pub(super) const MAX_NAME: usize = 255;

/// Characters in a URL.
pub(super) const MAX_URL: usize = 4096;

/// Characters in an object's key.
pub(super) const MAX_OBJECT_KEY: usize = 512;

/// Keys of a composition's metadata.
pub(super) const MAX_LABELS: usize = 50;

/// Characters in a key of it.
pub(super) const MAX_LABEL_KEY: usize = 40;

/// Characters in a value of it.
pub(super) const MAX_LABEL_VALUE: usize = 500;

/// The kinds of elements, in the order of [`names::ELEMENTS`].
pub(super) static ELEMENTS: [&Object; 4] = [&VIDEO, &IMAGE, &TEXT, &AUDIO];
