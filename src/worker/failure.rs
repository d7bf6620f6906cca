//! Errors of the layers below as the failures that clients read: API.md §4's codes, the
//! element at fault, and whether trying again can help. The one place that decides.

use cluster::model::Failure;

use crate::media::MediaError;
use crate::render::RenderError;
use crate::store::StoreError;
use crate::store::fetch::{FetchError, is_full};

/// A failure that no retry mends.
pub(super) fn permanent(code: &str, message: impl Into<String>, path: Option<&str>) -> Failure {
    Failure {
        code: code.to_owned(),
        message: message.into(),
        path: path.map(str::to_owned),
        permanent: true,
    }
}

/// A failure that another try, perhaps elsewhere, may not meet.
pub(super) fn passing(code: &str, message: impl Into<String>, path: Option<&str>) -> Failure {
    Failure {
        permanent: false,
        ..permanent(code, message, path)
    }
}

/// A failure of the engine itself, not of an element.
pub(super) fn engine(message: impl Into<String>) -> Failure {
    passing("engine_error", message, None)
}

/// A source that could not be fetched; `path` names the field that uses it.
pub(super) fn of_fetch(error: &FetchError, path: &str) -> Failure {
    Failure {
        code: error.code().to_owned(),
        message: format!("{path} cannot be fetched: {error}"),
        path: Some(path.to_owned()),
        permanent: error.is_permanent(),
    }
}

/// Media that could not be read or written; `path` names the element it belongs to.
pub(super) fn of_media(error: &MediaError, path: Option<&str>) -> Failure {
    let subject = path.unwrap_or("the output");
    match error {
        MediaError::Invalid(_) | MediaError::Unsupported(_) if path.is_some() => {
            permanent("invalid_source", format!("{subject} is {error}"), path)
        }
        MediaError::Limit(_) => permanent("limit_exceeded", format!("{subject} is {error}"), path),
        MediaError::Io(source) => of_io(source),
        MediaError::Invalid(_)
        | MediaError::Unsupported(_)
        | MediaError::Stalled(_)
        | MediaError::MissingElement(_)
        | MediaError::Engine(_) => passing("engine_error", format!("{subject}: {error}"), path),
    }
}

/// Something that could not be drawn; `path` names the element where one is at fault.
pub(super) fn of_render(error: &RenderError, path: Option<&str>) -> Failure {
    let message = match path {
        Some(path) => format!("{path}: {error}"),
        None => error.to_string(),
    };
    match error {
        RenderError::Font(_) => permanent("font_unavailable", message, path),
        RenderError::Picture(_) => permanent("invalid_source", message, path),
        RenderError::Limit(_) if path.is_some() => permanent("limit_exceeded", message, path),
        RenderError::NoAdapter(_) | RenderError::DeviceLost(_) | RenderError::Limit(_) => {
            passing("engine_error", message, path)
        }
    }
}

/// An object that could not be read or stored.
pub(super) fn of_store(error: &StoreError) -> Failure {
    match error {
        StoreError::Io(source) => of_io(source),
        StoreError::Full => no_space(),
        StoreError::NotFound(_) | StoreError::Damaged(_) => {
            passing("storage_unavailable", error.to_string(), None)
        }
    }
}

/// A join's inputs that are not what was committed, and why the first is not; their tasks have
/// to be done again.
pub(super) fn damaged_inputs(inputs: &[usize], first: &StoreError) -> Failure {
    let path = actors::ports::damaged_inputs_path(inputs);
    let others = match inputs.len() {
        0 | 1 => String::new(),
        count => format!(" (the first of {count})"),
    };
    Failure {
        path: Some(path),
        ..engine(format!("an input of the join{others}: {first}"))
    }
}

/// There is no room for what was to be written.
fn no_space() -> Failure {
    let path = Some(Failure::NO_SPACE);
    passing("storage_unavailable", "storage is full", path)
}

/// A scratch file that could not be read or written.
pub(super) fn of_io(error: &std::io::Error) -> Failure {
    if is_full(error) {
        return no_space();
    }
    passing(
        "storage_unavailable",
        format!("a working file failed: {error}"),
        None,
    )
}
