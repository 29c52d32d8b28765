//! The few pages that the server writes itself, for a browser that no app of ours has reached yet.

use base64::{Engine, engine::general_purpose::STANDARD};
use poem::{
    Response,
    http::{StatusCode, header},
};
use sha2::{Digest, Sha256};

const STYLE: &str = "body{font:18px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1.5rem;color:#1b1f24;\
    background:#fff}a{display:inline-block;margin-top:1rem;padding:.6rem 1.2rem;border-radius:6px;background:#0b57d0;\
    color:#fff;text-decoration:none}a:focus-visible{outline:3px solid #f29900;outline-offset:2px}\
    @media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}a{background:#a8c7fa;color:#062e6f}}";

/// What a page of ours may do whose only style is this: show itself, and nothing else.
pub fn policy(style: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(style));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
}

/// A login that came to nothing: why, and one button to begin anew.
pub fn failure(status: StatusCode, title: &str, message: &str, again: &str) -> Response {
    let again = format!("<a href=\"{}\">Sign in</a>", escaped(again));
    answer(status, title, &sentence(message), &again)
}

/// That there is no page, why, and what to do about it, in whole sentences.
pub fn notice(status: StatusCode, title: &str, message: &str) -> Response {
    answer(status, title, message, "")
}

/// `after` is HTML, the others are text.
fn answer(status: StatusCode, title: &str, message: &str, after: &str) -> Response {
    let (title, message) = (escaped(title), escaped(message));
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title} – Sidereal</title><style>{STYLE}</style></head><body><main>\
         <h1>{title}</h1><p>{message}</p>{after}</main></body></html>"
    );
    Response::builder()
        .status(status)
        .content_type("text/html; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(header::CONTENT_SECURITY_POLICY, policy(STYLE))
        .body(body)
}

/// Text that stands in a page or an attribute of it.
pub fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// A message as people write it.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(char::to_uppercase);
    first
        .into_iter()
        .flatten()
        .chain(characters)
        .chain(['.'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_others_say_is_only_text() {
        let page = failure(
            StatusCode::BAD_REQUEST,
            "No",
            "<img src=x onerror=alert(1)>",
            "https://x/?a=\"><b>",
        );
        let body = page.into_body().into_string().await.unwrap();
        assert!(!body.contains("<img") && !body.contains("\"><b>"), "{body}");
    }
}
