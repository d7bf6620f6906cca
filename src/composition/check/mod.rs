//! Validation (being written).
use super::{Json, Limits, ValidComposition, Violation, Warning};

/// Checks a request body; answers every violation at once.
///
/// # Errors
/// All violations, in the order of the tables.
pub fn validate(
    _json: &Json,
    _limits: &Limits,
) -> Result<(ValidComposition, Vec<Warning>), Vec<Violation>> {
    Err(Vec::new())
}
