//! Values that have been checked against the tables, by field name.

use std::collections::BTreeMap;

use crate::composition::time::{FrameRate, MediaTime};
use crate::composition::{Length, Rgba, Size, TrackChoice};

/// A checked value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Checked {
    /// A truth value.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A number, an angle in degrees or a factor in percent.
    Number(f64),
    /// Seconds.
    Time(MediaTime),
    /// Frames a second.
    Rate(FrameRate),
    /// A position or a distance.
    Length(Length),
    /// A length or "auto".
    Size(Size),
    /// One of several tracks.
    Track(TrackChoice),
    /// A colour.
    Color(Rgba),
    /// Any string.
    Text(String),
    /// One of the names of a list.
    Choice(&'static str),
    /// Some of the names of a list, in its order.
    Choices(Vec<&'static str>),
    /// Strings by name.
    Labels(BTreeMap<String, String>),
    /// An object.
    Object(Fields),
    /// A list of objects; those that are no objects are missing.
    List(Vec<(usize, Fields)>),
}

/// The fields of one object: those that were given and right, and the defaults of those that
/// were not given.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Fields(BTreeMap<&'static str, Checked>);

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident: $variant:ident($type:ty);)*) => {$(
        $(#[$doc])*
        pub(super) fn $name(&self, field: &str) -> Option<$type> {
            match self.0.get(field) {
                Some(Checked::$variant(value)) => Some(*value),
                _ => None,
            }
        }
    )*};
}

impl Fields {
    pub(super) fn insert(&mut self, field: &'static str, value: Checked) {
        self.0.insert(field, value);
    }

    getters! {
        flag: Flag(bool);
        integer: Integer(i64);
        number: Number(f64);
        time: Time(MediaTime);
        rate: Rate(FrameRate);
        length: Length(Length);
        size: Size(Size);
        color: Color(Rgba);
        choice: Choice(&'static str);
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        match self.0.get(field) {
            Some(Checked::Text(value)) => Some(value),
            _ => None,
        }
    }

    pub(super) fn track(&self, field: &str) -> Option<TrackChoice> {
        match self.0.get(field) {
            Some(Checked::Track(choice)) => Some(choice.clone()),
            _ => None,
        }
    }

    /// The chosen names; `None` when there is no such list.
    pub(super) fn choices(&self, field: &str) -> Option<&[&'static str]> {
        match self.0.get(field) {
            Some(Checked::Choices(names)) => Some(names),
            _ => None,
        }
    }

    pub(super) fn labels(&self, field: &str) -> Option<&BTreeMap<String, String>> {
        match self.0.get(field) {
            Some(Checked::Labels(value)) => Some(value),
            _ => None,
        }
    }

    pub(super) fn object(&self, field: &str) -> Option<&Self> {
        match self.0.get(field) {
            Some(Checked::Object(value)) => Some(value),
            _ => None,
        }
    }

    /// The objects of a list with their positions; empty when there is no such list.
    pub(super) fn list(&self, field: &str) -> &[(usize, Self)] {
        match self.0.get(field) {
            Some(Checked::List(items)) => items,
            _ => &[],
        }
    }
}
