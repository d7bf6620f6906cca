//! What the operator's settings mean for worker processes.

use std::path::Path;

use anyhow::Context;

use crate::settings::{Sandbox, Settings};
use crate::worker::sandbox::{self, Mode};
use crate::worker::settings::{WorkerSettings, usual_registry};

/// The settings of this node's workers, as far as they are known before its first worker.
pub(crate) fn settings(settings: &Settings, data_dir: &Path) -> WorkerSettings {
    WorkerSettings {
        adapter: settings.render.adapter.clone(),
        pixels: settings.limits.pixels,
        sandbox: match settings.render.sandbox {
            Sandbox::Auto => Mode::Auto,
            Sandbox::Required => Mode::Required,
            Sandbox::Off => Mode::Off,
        },
        memory: settings.worker_memory().unwrap_or_default(),
        address_space: 0,
        scratch: None,
        registry: Some(data_dir.join("gstreamer.registry")),
    }
}

/// Gives a fresh data directory the list of plugins that this user's other programs keep, which
/// saves looking at each plugin. The library itself sees whether the list is still true.
pub(super) fn seed_registry(worker: &WorkerSettings) {
    let (Some(registry), Some(usual)) = (&worker.registry, usual_registry()) else {
        return;
    };
    let usual = usual.join(format!("registry.{}.bin", std::env::consts::ARCH));
    // Without it, the first worker makes its own.
    if !registry.try_exists().unwrap_or(true) {
        let _ = std::fs::copy(usual, registry);
    }
}

/// Has a worker confine itself as the others will, and logs once what this kernel lacks.
///
/// # Errors
/// When what the operator requires is not to be had.
pub(super) async fn check_sandbox(program: &Path, worker: &WorkerSettings) -> anyhow::Result<()> {
    if worker.sandbox == Mode::Off {
        tracing::warn!(
            "render.sandbox is off: a decoder that is taken over has the server's rights"
        );
        return Ok(());
    }
    let report = match sandbox::ask(program, worker.environment()).await {
        Ok(report) => report,
        Err(error) if worker.sandbox == Mode::Required => {
            return Err(error).context("workers cannot be confined on this machine");
        }
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::from(error));
            tracing::warn!(error, "workers cannot be confined on this machine");
            return Ok(());
        }
    };
    for gap in report.missing() {
        tracing::warn!(layer = ?gap.layer, why = gap.detail, "the workers' sandbox lacks a layer");
    }
    for check in report.checks.iter().filter(|check| !check.refused) {
        tracing::warn!(
            what = check.what,
            "a confined worker could do what it must not"
        );
    }
    Ok(())
}
