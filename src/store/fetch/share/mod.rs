//! Links that people share, which show a page, as the links behind them that give the file.

mod page;

use url::Url;

pub(super) use page::{confirm, refusal};

/// Who keeps a shared file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareService {
    /// dropbox.com
    Dropbox,
    /// drive.google.com
    GoogleDrive,
}

impl ShareService {
    /// Its name, for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dropbox => "Dropbox",
            Self::GoogleDrive => "Google Drive",
        }
    }
}

/// Where a share link's file itself is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// To be fetched in place of the link.
    pub url: Url,
    /// Whose it is.
    pub service: ShareService,
}

/// The direct form of a share link; `None` for any other URL.
pub fn direct(link: &Url) -> Option<Direct> {
    if !matches!(link.scheme(), "http" | "https") || link.port().is_some() {
        return None;
    }
    let host = link.host_str()?.trim_end_matches('.');
    let steps: Vec<&str> = link
        .path_segments()?
        .filter(|step| !step.is_empty())
        .collect();
    match host {
        "dropbox.com" | "www.dropbox.com" | "m.dropbox.com" => dropbox(link, &steps),
        "drive.google.com" | "docs.google.com" | "drive.usercontent.google.com" => {
            drive(link, &steps)
        }
        _ => None,
    }
}

fn dropbox(link: &Url, steps: &[&str]) -> Option<Direct> {
    // A file. Folders (`sh`, `scl/fo`) come as an archive, which is no source.
    if !matches!(steps, ["s", _, ..] | ["scl", "fi", _, ..]) {
        return None;
    }
    let mut url = link.clone();
    let form = |name: &str| matches!(name, "dl" | "raw");
    let asked = link.query_pairs().into_owned();
    let kept: Vec<_> = asked.filter(|(name, _)| !form(name)).collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .append_pair("dl", "1");
    url.set_fragment(None);
    // Plain http only redirects here.
    url.set_scheme("https").ok()?;
    url.set_host(Some("www.dropbox.com")).ok()?;
    Some(Direct {
        url,
        service: ShareService::Dropbox,
    })
}

fn drive(link: &Url, steps: &[&str]) -> Option<Direct> {
    let asked = |name: &str| {
        let mut pairs = link.query_pairs();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    };
    let id = match steps {
        ["file", "d", id, ..] | ["file", "u", _, "d", id, ..] => (*id).to_owned(),
        ["open" | "uc" | "download"] | ["u", _, "open" | "uc"] => asked("id")?.into_owned(),
        _ => return None,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if id.is_empty() || !id.chars().all(plain) {
        return None;
    }
    let mut url = Url::parse("https://drive.usercontent.google.com/download").ok()?;
    url.query_pairs_mut()
        .append_pair("id", &id)
        .append_pair("export", "download");
    // Links to files shared before 2021 carry a second secret.
    if let Some(key) = asked("resourcekey") {
        url.query_pairs_mut().append_pair("resourcekey", &key);
    }
    Some(Direct {
        url,
        service: ShareService::GoogleDrive,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVE: &str = "https://drive.usercontent.google.com/download";

    #[test]
    fn share_links_become_links_to_the_file() {
        let id = "1AbC_d-EfGhIjKlMnOpQrStUvWxYz01234";
        let drive = format!("{DRIVE}?id={id}&export=download");
        let cases = [
            (
                "https://www.dropbox.com/s/abc123/clip.mp4?dl=0".to_owned(),
                "https://www.dropbox.com/s/abc123/clip.mp4?dl=1".to_owned(),
            ),
            (
                "http://dropbox.com/s/abc123/my%20clip.mp4".to_owned(),
                "https://www.dropbox.com/s/abc123/my%20clip.mp4?dl=1".to_owned(),
            ),
            (
                "https://www.dropbox.com/scl/fi/k3y/clip.mov?rlkey=s3cret&st=x1&dl=0#t".to_owned(),
                "https://www.dropbox.com/scl/fi/k3y/clip.mov?rlkey=s3cret&st=x1&dl=1".to_owned(),
            ),
            (
                "https://www.dropbox.com/scl/fi/k3y/clip.mov?rlkey=s3cret&raw=1".to_owned(),
                "https://www.dropbox.com/scl/fi/k3y/clip.mov?rlkey=s3cret&dl=1".to_owned(),
            ),
            (
                format!("https://drive.google.com/file/d/{id}/view?usp=sharing"),
                drive.clone(),
            ),
            (
                format!("https://drive.google.com/file/d/{id}"),
                drive.clone(),
            ),
            (
                format!("https://drive.google.com/file/u/1/d/{id}/preview"),
                drive.clone(),
            ),
            (
                format!("https://drive.google.com/open?id={id}"),
                drive.clone(),
            ),
            (
                format!("https://drive.google.com/uc?id={id}&export=download"),
                drive.clone(),
            ),
            (
                format!("https://docs.google.com/uc?export=open&id={id}"),
                drive.clone(),
            ),
            (format!("{DRIVE}?id={id}&confirm=t"), drive.clone()),
            (
                format!("https://drive.google.com/file/d/{id}/view?resourcekey=0-k"),
                format!("{drive}&resourcekey=0-k"),
            ),
        ];
        for (link, expected) in cases {
            let found = direct(&Url::parse(&link).unwrap()).map(|d| d.url.to_string());
            assert_eq!(found, Some(expected), "{link}");
        }
    }

    #[test]
    fn other_links_stay_what_they_are() {
        for link in [
            "https://example.com/s/abc/clip.mp4?dl=0",
            "https://www.dropbox.com.example.com/s/abc/clip.mp4",
            "https://www.dropbox.com:8443/s/abc/clip.mp4",
            "https://www.dropbox.com/sh/folder/key",
            "https://www.dropbox.com/scl/fo/folder?rlkey=x",
            "https://www.dropbox.com/login",
            "https://dl.dropboxusercontent.com/s/abc/clip.mp4",
            "https://drive.google.com/drive/folders/abc",
            "https://drive.google.com/file/d/a%2Fb/view",
            "https://drive.google.com/uc?export=download",
            "https://docs.google.com/document/d/abc/edit",
            "ftp://drive.google.com/uc?id=abc",
        ] {
            assert_eq!(direct(&Url::parse(link).unwrap()), None, "{link}");
        }
    }
}
