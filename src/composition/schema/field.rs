//! The vocabulary of the schema tables: objects, their fields and what a field takes.

/// An object of the contract: its fields, in the order of the documentation.
#[derive(Debug)]
pub(crate) struct Object {
    /// Its name in documents.
    pub(crate) name: &'static str,
    /// Its fields, as groups that objects share.
    pub(crate) groups: &'static [&'static [Field]],
}

impl Object {
    /// Every field.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static Field> + Clone + use<> {
        self.groups.iter().copied().flatten()
    }

    /// The field called `name`.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }

    /// What becomes of the field called `name`.
    pub(crate) fn support(&self, name: &str) -> Support {
        self.field(name)
            .map_or(Support::Unsupported, |field| field.support)
    }
}

/// One field of an object.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its name in JSON.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// The value that absence means, as JSON.
    pub(crate) default: Option<&'static str>,
    /// Whether it must be there.
    pub(crate) required: bool,
    /// Whether values other than the default render.
    pub(crate) support: Support,
    /// One sentence for documents.
    pub(crate) doc: &'static str,
}

impl Field {
    /// An optional field that renders and has no default.
    pub(crate) const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            default: None,
            required: false,
            support: Support::Rendered,
            doc,
        }
    }

    /// The same, with absence meaning `json`.
    pub(crate) const fn or(mut self, json: &'static str) -> Self {
        self.default = Some(json);
        self
    }

    /// The same, but it must be there.
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, but only the default renders.
    pub(crate) const fn unsupported(mut self) -> Self {
        self.support = Support::Unsupported;
        self
    }

    /// The same, but only these of its names render.
    pub(crate) const fn only(mut self, names: &'static [&'static str]) -> Self {
        self.support = Support::Only(names);
        self
    }
}

/// Whether this build renders what a field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// Every value has the effect that the contract states.
    Rendered,
    /// Only the default does; other values are refused.
    Unsupported,
    /// Only these names do; others are refused.
    Only(&'static [&'static str]),
}

/// What a field takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// true or false.
    Bool,
    /// A whole number.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A number.
    Number {
        /// Least value, or what it must exceed.
        min: f64,
        /// Greatest value.
        max: f64,
        /// Whether `min` itself is excluded.
        above: bool,
    },
    /// A number that is moved into its range, with a warning.
    Clamped {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// Seconds from zero on.
    Seconds {
        /// Whether zero itself is excluded.
        above: bool,
    },
    /// Frames a second: a number, or a fraction in a string.
    FrameRate,
    /// A position along an axis.
    Length,
    /// A length that is not negative.
    Distance,
    /// A size: a length over zero, or "auto".
    Extent,
    /// Which of several tracks: its number from 0, or a language.
    Track,
    /// A factor: percent as a string or a number.
    Scale,
    /// Degrees, or a string with a unit.
    Angle,
    /// `#RRGGBB` or `#RRGGBBAA`.
    Color,
    /// An http or https URL.
    Url,
    /// A URL whose extension, if it has one, is a video's.
    VideoUrl,
    /// An http or https URL without user and password, and of a length of its own.
    PlainUrl {
        /// Most characters.
        most: usize,
    },
    /// A non-empty string of at most 255 characters.
    Name,
    /// The key of an object in a bucket.
    ObjectKey,
    /// A file name without directories and extension.
    FileName,
    /// The name of a file that is there already: with its extension, without directories.
    WholeFileName,
    /// A non-empty string, its length the operator's limit.
    NonEmptyText,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// A list of some of these names, each at most once.
    Choices(&'static [&'static str]),
    /// Strings by name, at most 50.
    Labels,
    /// An object.
    Object(&'static Object),
    /// A list of objects.
    List(&'static Object),
    /// The list of elements; which object each is depends on its `type`.
    Elements,
}
