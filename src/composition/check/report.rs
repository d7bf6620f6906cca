//! What validation has found so far.

use crate::composition::{Limits, Violation, ViolationCode, Warning};

/// Violations beyond this many are not looked for: no client reads them, and a body of a few
/// megabytes could otherwise cost a second of work and an answer of hundreds of megabytes.
const MAX_VIOLATIONS: usize = 1000;

/// Collects violations and warnings, so that a client gets all of them at once.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// What the server allows.
    pub(super) limits: &'a Limits,
    /// In the order they were found.
    pub(super) violations: Vec<Violation>,
    /// In the order they were found.
    pub(super) warnings: Vec<Warning>,
}

impl<'a> Report<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            violations: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether the list is complete: everything that loops over what a client sent stops then.
    pub(super) fn is_full(&self) -> bool {
        self.violations.len() > MAX_VIOLATIONS
    }

    pub(super) fn violation(
        &mut self,
        path: &str,
        code: ViolationCode,
        message: impl Into<String>,
    ) {
        self.suggesting(path, code, message, None);
    }

    pub(super) fn suggesting(
        &mut self,
        path: &str,
        code: ViolationCode,
        message: impl Into<String>,
        suggestion: Option<&str>,
    ) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation {
                path: path.to_owned(),
                code,
                message: message.into(),
                suggestion: suggestion.map(str::to_owned),
            });
        } else if self.violations.len() == MAX_VIOLATIONS {
            self.violations.push(Violation {
                path: String::new(),
                code: ViolationCode::LimitExceeded,
                message: format!("only the first {MAX_VIOLATIONS} violations are listed"),
                suggestion: None,
            });
        }
    }

    pub(super) fn warning(&mut self, path: &str, code: &str, message: impl Into<String>) {
        self.warnings.push(Warning::new(path, code, message));
    }
}

/// The path of a member of the object at `path`.
pub(super) fn member(path: &str, name: &str) -> String {
    const LONGEST: usize = 64;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
        let shown: String = name.chars().take(LONGEST).collect();
        return format!("{path}[{shown:?}]");
    }
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The path of an item of the list at `path`.
pub(super) fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
