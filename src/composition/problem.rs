//! Findings of validation about a composition.

use serde::{Deserialize, Serialize};

/// One violation of the contract, or one thing worth a warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Where, like `elements[1].text_color`.
    pub path: String,
    /// A `details[].code` of API.md §4.
    pub code: ViolationCode,
    /// A sentence for the client.
    pub message: String,
    /// The nearest known name or value, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub suggestion: Option<String>,
}

/// Codes of violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationCode {
    /// A field that must be there is not.
    Required,
    /// The value has the wrong type.
    Type,
    /// The value is outside what the field takes.
    Range,
    /// The value is not one of the names the field takes.
    Enum,
    /// There is no such field.
    UnknownField,
    /// Two elements have the same id.
    DuplicateId,
    /// It refers to an element that is not there.
    UnknownReference,
    /// Two fields cannot both be as they are.
    Conflict,
    /// The contract has it, this build does not render it yet.
    UnsupportedFeature,
    /// The parts are fine, their combination is not.
    UnsupportedCombination,
    /// More than the server's limits allow.
    LimitExceeded,
}

/// Something a client should know that stops nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// Where, like `elements[1]`; empty for the whole.
    pub path: String,
    /// Machine-readable code, like `font_substituted`.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// Seconds of the output where it begins to show, if it is about a part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<f64>,
    /// Seconds of the output where it ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<f64>,
}

impl Warning {
    /// A warning about `path` as a whole.
    pub fn new(path: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            code: code.to_owned(),
            message: message.into(),
            from: None,
            to: None,
        }
    }

    /// The same, about a part of the output, in seconds.
    #[must_use]
    pub fn between(self, from: f64, to: f64) -> Self {
        Self {
            from: Some(from),
            to: Some(to),
            ..self
        }
    }
}
