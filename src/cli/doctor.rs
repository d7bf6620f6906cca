//! `framelane doctor`: what this machine has, and what to install.

use std::process::ExitCode;

use serde::Serialize;

use super::ConfigFlags;
use crate::app::storage;
use crate::settings::Settings;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

const GSTREAMER_ADVICE: &str =
    "install gstreamer1.0-plugins-base, -good, -bad, -ugly and gstreamer1.0-libav";
const ADAPTER_ADVICE: &str =
    "install a Vulkan driver; mesa-vulkan-drivers has one that needs no GPU";

const STORAGE_ADVICE: &str = "set data_dir or storage.url to a directory that can be written, or \
     storage.url, endpoint and region to a bucket that the AWS_* credentials may use";
const DESTINATION_ADVICE: &str =
    "see [destinations] in the settings, and the variables that its credentials come from";

pub(super) fn run(as_json: bool, flags: &ConfigFlags) -> anyhow::Result<ExitCode> {
    let settings = flags.load()?;
    let mut findings = vec![check_settings(&settings)];
    findings.push(check_media());
    findings.push(check_adapter(&settings));
    findings.push(check_fonts());
    findings.extend(check_storage(&settings)?);
    let healthy = findings.iter().all(|finding| finding.ok);
    if as_json {
        println!(
            "{}",
            serde_json::json!({"ok": healthy, "findings": findings})
        );
    } else {
        for finding in &findings {
            let mark = if finding.ok { "ok     " } else { "MISSING" };
            println!("{mark} {}: {}", finding.what, finding.detail);
            if let Some(advice) = finding.advice {
                println!("        {advice}");
            }
        }
    }
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn check_settings(settings: &Settings) -> Finding {
    match settings.validate() {
        Ok(()) => found("settings", format!("{} slots", settings.slot_count())),
        Err(error) => missing("settings", error.to_string(), "change the setting"),
    }
}

#[cfg(feature = "gst")]
fn check_media() -> Finding {
    use crate::media::MediaEngine;
    use crate::media::gst::GstEngine;
    match GstEngine::new() {
        Err(error) => missing("gstreamer", error.to_string(), GSTREAMER_ADVICE),
        Ok(engine) => match GstEngine::missing_elements().as_slice() {
            [] => found("gstreamer", engine.fingerprint()),
            elements => missing(
                "gstreamer",
                format!("elements not installed: {}", elements.join(", ")),
                GSTREAMER_ADVICE,
            ),
        },
    }
}

#[cfg(not(feature = "gst"))]
fn check_media() -> Finding {
    missing(
        "gstreamer",
        "this build is without it".into(),
        GSTREAMER_ADVICE,
    )
}

#[cfg(feature = "gpu")]
fn check_adapter(settings: &Settings) -> Finding {
    use crate::render::Compositor;
    match crate::render::gpu::GpuCompositor::new(&settings.render.adapter) {
        Ok(compositor) => found("graphics adapter", compositor.fingerprint()),
        Err(error) => missing("graphics adapter", error.to_string(), ADAPTER_ADVICE),
    }
}

#[cfg(not(feature = "gpu"))]
fn check_adapter(_settings: &Settings) -> Finding {
    missing(
        "graphics adapter",
        "this build is without one".into(),
        ADAPTER_ADVICE,
    )
}

fn check_fonts() -> Finding {
    let families = crate::render::text::TextEngine::new().known_families();
    found("fonts", format!("bundled: {}", families.join(", ")))
}

/// The store and every destination, as the server would use them.
fn check_storage(settings: &Settings) -> anyhow::Result<Vec<Finding>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(async {
        let place = storage::place(settings);
        let mut findings = vec![match storage::open(settings).await {
            Ok(_) => found("storage", place),
            Err(error) => missing("storage", format!("{error:#}"), STORAGE_ADVICE),
        }];
        for name in settings.destinations.keys() {
            findings.push(match storage::check_destination(settings, name).await {
                Ok(()) => found("destination", name.clone()),
                Err(error) => missing("destination", format!("{error:#}"), DESTINATION_ADVICE),
            });
        }
        findings
    }))
}

fn found(what: &'static str, detail: String) -> Finding {
    Finding {
        what,
        ok: true,
        detail,
        advice: None,
    }
}

fn missing(what: &'static str, detail: String, advice: &'static str) -> Finding {
    Finding {
        what,
        ok: false,
        detail,
        advice: Some(advice),
    }
}
