//! Query parameters, checked against the names and ranges a route declares: what is unknown,
//! doubled or out of range is a 400 that names it, never ignored.

use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::error::ApiError;

/// Similarity from which a known name is worth suggesting.
const SUGGEST_FROM: f64 = 0.7;

/// The query of a request, as name and value pairs.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// The same, once every name is known to be one of `known` and to come once.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, ApiError> {
        for (position, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let message = format!("There is no query parameter `{name}` here.");
                return Err(ApiError::parameter(name, "unknown_field", message)
                    .with_suggestion(nearest(name, known)));
            }
            if self.0[..position]
                .iter()
                .any(|(earlier, _)| earlier == name)
            {
                let message = format!("`{name}` is given more than once.");
                return Err(ApiError::parameter(name, "conflict", message));
            }
        }
        Ok(self)
    }

    /// The value of `name`.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of `name` as a whole number in `range`.
    pub(super) fn integer<T>(
        &self,
        name: &str,
        range: RangeInclusive<T>,
    ) -> Result<Option<T>, ApiError>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse()
            .ok()
            .filter(|value| range.contains(value))
            .map(Some)
            .ok_or_else(|| {
                let (low, high) = (range.start(), range.end());
                let message = format!("`{name}` must be a whole number from {low} to {high}.");
                ApiError::parameter(name, "range", message)
            })
    }

    /// The value of `name` as one of `choices`.
    pub(super) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        if let Some((_, value)) = choices.iter().find(|(choice, _)| *choice == text) {
            return Ok(Some(*value));
        }
        let names: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
        let message = format!("`{name}` must be one of: {}.", names.join(", "));
        Err(ApiError::parameter(name, "enum", message).with_suggestion(nearest(text, &names)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(
            url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        ))
    }
}

fn nearest(name: &str, known: &[&str]) -> Option<String> {
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SUGGEST_FROM)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| (*candidate).to_owned())
}
