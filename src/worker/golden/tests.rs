//! The built-in composition, with the engines of this build.

use super::*;

#[test]
fn the_composition_is_valid_and_uses_both_files() {
    let composition = composition().unwrap();
    let urls = composition.source_urls();
    assert_eq!(urls.len(), 2, "{urls:?}");
}

#[cfg(all(feature = "gst", feature = "gpu"))]
#[test]
#[expect(clippy::print_stderr, reason = "reports why the test was skipped")]
fn every_run_makes_the_same_bytes() {
    let settings = WorkerSettings::default();
    let first = render(&mut Tools::new(&settings));
    let first = match first {
        Err(failure) if std::env::var_os("FRAMELANE_REQUIRE_GPU").is_none() => {
            eprintln!("skipped: {}", failure.message);
            return;
        }
        first => first.unwrap(),
    };
    // With tools that have been used, and with new ones.
    let mut tools = Tools::new(&settings);
    assert_eq!(render(&mut tools).unwrap(), first);
    assert_eq!(render(&mut tools).unwrap(), first);
}

#[test]
fn a_machine_without_a_media_engine_gets_an_error_that_names_it() {
    let missing = crate::media::MediaError::Engine("no engine here".to_owned());
    let mut tools = Tools::with_engine(&WorkerSettings::default(), Err(missing));
    let failure = render(&mut tools).unwrap_err();
    assert!(failure.message.contains("no engine here"), "{failure:?}");
}
