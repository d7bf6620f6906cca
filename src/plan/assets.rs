//! Uploads and imports as compositions name them: by a URL of this cluster that holds their
//! id. Such a URL is never fetched: whatever its host, the id alone determines which bytes are
//! meant, so that links outlive a changed host or port.

use cluster::model::{AssetId, AssetKind};
use url::Url;

use crate::composition::ValidComposition;

/// The path that assets' URLs have, before the id.
const PATH: &str = "/v1/sources/";

/// The URL that a composition uses an asset by. `base` has no slash at its end.
pub fn asset_url(base: &str, asset: AssetId) -> String {
    format!("{base}{PATH}{asset}")
}

/// The upload or import that a source's URL names, if it is that of one. A probe has no URL.
pub fn asset_of(url: &str) -> Option<AssetId> {
    let url = Url::parse(url).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    // A path in front of `PATH` is that of a proxy.
    let (_, id) = url.path().rsplit_once(PATH)?;
    id.parse()
        .ok()
        .filter(|id: &AssetId| id.kind != AssetKind::Probe)
}

/// The assets that a composition uses, each with the path that names it first.
pub fn assets_used(composition: &ValidComposition) -> Vec<(AssetId, String)> {
    let mut used: Vec<(AssetId, String)> = Vec::new();
    for source in composition.source_urls() {
        if let Some(asset) = asset_of(&source.url)
            && !used.iter().any(|(known, _)| *known == asset)
        {
            used.push((asset, source.path));
        }
    }
    used
}

/// Whether a composition uses a file that has to be fetched from elsewhere.
pub fn has_remote_sources(composition: &ValidComposition) -> bool {
    let sources = composition.source_urls();
    sources.iter().any(|source| asset_of(&source.url).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assets_url_is_known_by_its_id_whatever_its_host() {
        let id = "upload_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        let url = asset_url("https://api.example.com", id);
        assert_eq!(asset_of(&url), Some(id));
        for same in [
            "http://127.0.0.1:49152/v1/sources/upload_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "https://proxy.example/render/v1/sources/upload_01ARZ3NDEKTSV4RRFFQ69G5FAV?x=1",
        ] {
            assert_eq!(asset_of(same), Some(id), "{same}");
        }
        for other in [
            "https://example.com/clip.mp4",
            "https://example.com/v1/sources/clip.mp4",
            "https://example.com/v1/sources/",
            "https://example.com/v1/sources/probe_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "ftp://example.com/v1/sources/upload_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "not a url",
        ] {
            assert_eq!(asset_of(other), None, "{other}");
        }
    }
}
