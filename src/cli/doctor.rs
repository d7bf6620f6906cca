//! `framelane doctor`: what this machine has, and what to install.

use std::path::Path;
use std::process::ExitCode;

use bytesize::ByteSize;
use serde::Serialize;

use super::ConfigFlags;
use crate::app::storage;
use crate::settings::{Sandbox, Settings};
use crate::store::fetch::YtDlp;
use crate::worker::program::OWN;
use crate::worker::sandbox::{self, SandboxLayer};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    /// Not here, and not needed either.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    absent: bool,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

const GSTREAMER_ADVICE: &str =
    "install gstreamer1.0-plugins-base, -good, -bad, -ugly and gstreamer1.0-libav";
const ADAPTER_ADVICE: &str =
    "install a Vulkan driver; mesa-vulkan-drivers has one that needs no GPU";

const MEMORY_ADVICE: &str = "renders of the largest pictures may fail: lower limits.pixels, use fewer render.slots, or set render.worker_memory";
const YT_DLP_ADVICE: &str = "imports of video pages fail without it: install a current yt-dlp (github.com/yt-dlp/yt-dlp), and ffmpeg beside it";
const STORAGE_ADVICE: &str = "set data_dir or storage.url to a directory that can be written, or \
     storage.url, endpoint and region to a bucket that the AWS_* credentials may use";
const DESTINATION_ADVICE: &str =
    "see [destinations] in the settings, and the variables that its credentials come from";

pub(super) fn run(as_json: bool, flags: &ConfigFlags) -> anyhow::Result<ExitCode> {
    let settings = flags.load()?;
    let mut findings = vec![check_settings(&settings)];
    findings.push(check_memory(&settings));
    findings.push(check_media());
    findings.extend(check_codecs());
    findings.push(check_adapter(&settings));
    findings.push(check_fonts());
    findings.extend(check_storage(&settings)?);
    findings.push(check_yt_dlp(&settings));
    findings.extend(check_sandbox(&settings)?);
    let healthy = findings.iter().all(|finding| finding.ok);
    if as_json {
        outln!(
            "{}",
            serde_json::json!({"ok": healthy, "findings": findings})
        );
    } else {
        for finding in &findings {
            let mark = match (finding.ok, finding.absent) {
                (false, _) => "MISSING",
                (true, false) => "ok     ",
                (true, true) => "absent ",
            };
            outln!("{mark} {}: {}", finding.what, finding.detail);
            if let Some(advice) = finding.advice {
                outln!("        {advice}");
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

/// What a worker may take, against what the largest picture that is let in may need.
fn check_memory(settings: &Settings) -> Finding {
    const WHAT: &str = "worker memory";
    let slots = settings.slot_count();
    let Some(bytes) = settings.worker_memory() else {
        return missing(WHAT, "not set to a size".into(), "set render.worker_memory");
    };
    let needed = settings.memory_of_largest();
    let detail = format!(
        "{} for each of {slots} slots; pictures of limits.pixels may need {}",
        ByteSize(bytes),
        ByteSize(needed)
    );
    let advice = (bytes < needed).then_some(MEMORY_ADVICE);
    Finding {
        advice,
        ..found(WHAT, detail)
    }
}

/// Which codecs of sources this installation decodes.
#[cfg(feature = "gst")]
fn check_codecs() -> Vec<Finding> {
    use crate::media::gst::GstEngine;
    let kinds = ["codecs of pictures", "codecs of sound"];
    let codecs = GstEngine::codecs();
    let findings = kinds.into_iter().zip(codecs).map(|(what, codecs)| {
        let names = |wanted: bool| {
            let names = codecs.iter().filter(|(_, is_here)| *is_here == wanted);
            names.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        };
        let lacking = names(false);
        if lacking.is_empty() {
            found(what, names(true))
        } else {
            let detail = format!("{}; not decoded here: {lacking}", names(true));
            Finding {
                absent: true,
                advice: Some(GSTREAMER_ADVICE),
                ..found(what, detail)
            }
        }
    });
    findings.collect()
}

#[cfg(not(feature = "gst"))]
fn check_codecs() -> Vec<Finding> {
    Vec::new()
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

fn check_yt_dlp(settings: &Settings) -> Finding {
    let setting = &settings.media.yt_dlp;
    let lacking = |detail: String| Finding {
        absent: true,
        advice: Some(YT_DLP_ADVICE),
        ..found("yt-dlp", detail)
    };
    let Some(tool) = YtDlp::find(setting) else {
        return match setting.as_str() {
            "" => found("yt-dlp", "switched off by media.yt_dlp".to_owned()),
            _ => lacking("not on the path".to_owned()),
        };
    };
    let program = tool.program().display();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let version = match runtime {
        Ok(runtime) => runtime.block_on(tool.version()),
        Err(error) => Err(error.to_string()),
    };
    match version {
        Ok(version) if tool.joins() => found("yt-dlp", format!("{version}, {program}")),
        Ok(version) => lacking(format!(
            "{version}, {program}; without ffmpeg, sites that send pictures and sound separately give what they have in one piece"
        )),
        Err(error) => lacking(format!("`{program}` cannot be run: {error}")),
    }
}

const SANDBOX_ADVICE: &str = "workers run without it; Linux 6.12 or newer with Landlock, seccomp and user namespaces has all";

/// The protections that workers lack, as reported by a worker that confines itself.
fn check_sandbox(settings: &Settings) -> anyhow::Result<Vec<Finding>> {
    const WHAT: &str = "sandbox";
    if settings.render.sandbox == Sandbox::Off {
        let mut off = found(WHAT, "render.sandbox is off".to_owned());
        off.absent = true;
        return Ok(vec![off]);
    }
    let worker = crate::app::worker_settings(settings);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let asked = runtime.block_on(sandbox::ask(Path::new(OWN), worker.environment()));
    let report = match asked {
        Ok(report) => report,
        Err(error) => {
            let advice =
                "set render.sandbox to \"auto\", or use a kernel with Landlock and seccomp";
            let why = format!("{:#}", anyhow::Error::from(error));
            return Ok(vec![missing(WHAT, why, advice)]);
        }
    };
    let mut findings: Vec<_> = report
        .layers
        .into_iter()
        .map(|outcome| Finding {
            absent: !outcome.given,
            advice: (!outcome.given).then_some(SANDBOX_ADVICE),
            ..found(layer(outcome.layer), outcome.detail)
        })
        .collect();
    for check in report.checks {
        let refused = format!("{} is refused", check.what);
        findings.push(if check.refused {
            found(WHAT, refused)
        } else {
            Finding {
                absent: true,
                ..found(WHAT, format!("{} is possible", check.what))
            }
        });
    }
    Ok(findings)
}

fn layer(layer: SandboxLayer) -> &'static str {
    match layer {
        SandboxLayer::Privileges => "sandbox: privileges",
        SandboxLayer::Namespace => "sandbox: network namespace",
        SandboxLayer::Files => "sandbox: files",
        SandboxLayer::Limits => "sandbox: limits",
        SandboxLayer::SystemCalls => "sandbox: system calls",
    }
}

fn found(what: &'static str, detail: String) -> Finding {
    Finding {
        what,
        ok: true,
        absent: false,
        detail,
        advice: None,
    }
}

fn missing(what: &'static str, detail: String, advice: &'static str) -> Finding {
    Finding {
        what,
        ok: false,
        absent: false,
        detail,
        advice: Some(advice),
    }
}
