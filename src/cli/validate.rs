//! `framelane validate`: every violation of a composition, without rendering it.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::ConfigFlags;
use crate::composition;

pub(super) fn run(file: &Path, as_json: bool, flags: &ConfigFlags) -> anyhow::Result<ExitCode> {
    let settings = flags.load()?;
    let tree = composition::Json::parse(&super::read(file)?)?;
    let (violations, warnings) =
        match composition::validate(&tree, &crate::app::composition_limits(&settings)) {
            Ok((_, warnings)) => (Vec::new(), warnings),
            Err(violations) => (violations, Vec::new()),
        };
    let is_valid = violations.is_empty();
    if as_json {
        outln!(
            "{}",
            json!({"valid": is_valid, "violations": violations, "warnings": warnings})
        );
    } else {
        for violation in &violations {
            let hint = violation.suggestion.as_ref();
            let hint = hint
                .map(|name| format!(" (did you mean `{name}`?)"))
                .unwrap_or_default();
            outln!("{}: {}{hint}", violation.path, violation.message);
        }
        for warning in &warnings {
            outln!("warning: {}: {}", warning.path, warning.message);
        }
        if is_valid {
            outln!("valid");
        }
    }
    Ok(if is_valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
