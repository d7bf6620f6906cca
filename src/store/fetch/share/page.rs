//! The pages that services of shared files show in place of a file: one asks for a click,
//! the others are refused.

use url::Url;

use super::ShareService;
use crate::store::fetch::error::FetchError;

/// Where the "download anyway" button of a page leads, if that is where the page itself came
/// from. Google shows it for files too large to be scanned for viruses.
pub(in crate::store::fetch) fn confirm(html: &str, page: &Url) -> Option<Url> {
    let form = tags(html, "form").find(|form| {
        form.value("id").as_deref() == Some("download-form")
            || form
                .value("action")
                .is_some_and(|to| to.contains("confirm="))
    })?;
    let mut target = page.join(&form.value("action")?).ok()?;
    if target.origin() != page.origin() {
        return None;
    }
    let fields = form.rest.split("</form").next().unwrap_or_default();
    for input in tags(fields, "input") {
        if input.value("type").as_deref() != Some("hidden") {
            continue;
        }
        let (Some(name), Some(value)) = (input.value("name"), input.value("value")) else {
            continue;
        };
        if !target.query_pairs().any(|(known, _)| known == name) {
            target.query_pairs_mut().append_pair(&name, &value);
        }
    }
    Some(target)
}

/// What a page in place of a shared file means.
pub(in crate::store::fetch) fn refusal(
    service: ShareService,
    html: &str,
    page: &Url,
) -> FetchError {
    let name = service.name();
    let path = page.path().to_ascii_lowercase();
    let host = page.host_str().unwrap_or_default();
    let asks_who = [
        "/servicelogin",
        "/signin",
        "/v3/signin",
        "/login",
        "/accounts",
    ];
    if host == "accounts.google.com" || asks_who.iter().any(|start| path.starts_with(start)) {
        return FetchError::NotShared(name);
    }
    let title = tags(html, "title").next().map(|title| title.rest);
    let title = title
        .and_then(|rest| rest.split('<').next())
        .unwrap_or_default();
    if title.to_ascii_lowercase().contains("quota exceeded") {
        return FetchError::Withheld(name);
    }
    FetchError::PageInstead(name)
}

/// One tag: its attributes, and what comes after it.
struct Tag<'a> {
    attributes: &'a str,
    rest: &'a str,
}

impl Tag<'_> {
    /// An attribute's value, unescaped.
    fn value(&self, wanted: &str) -> Option<String> {
        let mut left = self.attributes.trim_start();
        while !left.is_empty() {
            let end = left.find(|c: char| c == '=' || c.is_whitespace());
            let (name, after) = left.split_at(end.unwrap_or(left.len()));
            left = after.trim_start();
            let mut value = "";
            if let Some(given) = left.strip_prefix('=') {
                let given = given.trim_start();
                (value, left) = match given.chars().next() {
                    Some(quote @ ('"' | '\'')) => given[1..].split_once(quote)?,
                    _ => given.split_at(given.find(char::is_whitespace).unwrap_or(given.len())),
                };
            }
            if name.eq_ignore_ascii_case(wanted) {
                return Some(unescaped(value));
            }
            left = left.trim_start();
        }
        None
    }
}

/// Every tag of a name, in order. Enough for pages that a machine made.
fn tags<'a>(html: &'a str, name: &'static str) -> impl Iterator<Item = Tag<'a>> {
    let mut left = html;
    std::iter::from_fn(move || {
        loop {
            let (_, tag) = left.split_once('<')?;
            left = tag;
            let Some(start) = tag.get(..name.len()) else {
                continue;
            };
            let after = &tag[name.len()..];
            let ends = after.starts_with(|c: char| c.is_whitespace() || c == '>' || c == '/');
            if !start.eq_ignore_ascii_case(name) || !ends {
                continue;
            }
            let end = closing(after)?;
            left = &after[end + 1..];
            return Some(Tag {
                attributes: after[..end].trim_end_matches('/'),
                rest: left,
            });
        }
    })
}

/// The `>` that is not within quotes.
fn closing(tag: &str) -> Option<usize> {
    let mut within = None;
    tag.char_indices().find_map(|(at, character)| {
        match (within, character) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => within = Some(character),
            (Some(quote), _) if quote == character => within = None,
            _ => {}
        }
        None
    })
}

fn unescaped(value: &str) -> String {
    value
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>
        <body><p class="uc-warning-caption">can't scan this file for viruses</p>
        <form action="/search"><input type="hidden" name="wrong" value="1"></form>
        <form id="download-form" action="https://d.example/download" method="get">
        <input type="submit" id="uc-download-link" value="Download anyway"/>
        <input type="hidden" name="id" value="1abc"><input type='hidden' name='export' value='download'/>
        <input type="hidden" name="confirm" value="t"><input type=hidden name=uuid value=a&amp;b></form>
        <input type="hidden" name="outside" value="1"></body></html>"#;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_button_leads_where_the_form_says() {
        let page = url("https://d.example/download?id=1abc");
        assert_eq!(
            confirm(PAGE, &page).unwrap().as_str(),
            "https://d.example/download?id=1abc&export=download&confirm=t&uuid=a%26b"
        );
        let posted = r#"<form action="/uc?id=1&amp;confirm=t&amp;uuid=u" method="post"></form>"#;
        assert_eq!(
            confirm(posted, &page).unwrap().as_str(),
            "https://d.example/uc?id=1&confirm=t&uuid=u"
        );
    }

    #[test]
    fn a_button_that_leads_elsewhere_is_not_pressed() {
        assert_eq!(confirm(PAGE, &url("https://other.example/download")), None);
        assert_eq!(confirm("<html><form", &url("https://d.example/")), None);
        assert_eq!(
            confirm(
                "<form id='download-form' action='x",
                &url("https://d.example/")
            ),
            None
        );
    }

    #[test]
    fn a_page_in_place_of_a_file_says_why() {
        let quota = "<html><head><title>Google Drive - Quota exceeded</title>";
        for (html, page, code) in [
            (
                "",
                "https://accounts.google.com/v3/signin/identifier",
                "source_forbidden",
            ),
            (
                "",
                "https://www.dropbox.com/login?cont=x",
                "source_forbidden",
            ),
            (
                quota,
                "https://drive.usercontent.google.com/download",
                "source_unreachable",
            ),
            (
                "",
                "https://drive.usercontent.google.com/download",
                "source_not_found",
            ),
        ] {
            let error = refusal(ShareService::GoogleDrive, html, &url(page));
            assert_eq!(error.code(), code, "{page}: {error}");
        }
    }
}
