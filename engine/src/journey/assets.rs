//! The one script, the one style sheet, the icon. Their names hold a digest of what they are, so browsers keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::data::Digest;

const STYLE: &str = include_str!("journey.css");
const SCRIPT: &str = include_str!("journey.js");

const ICON: &str = include_str!("icon.svg");

/// The name of the icon.
pub(super) static ICON_NAME: LazyLock<String> = LazyLock::new(|| named(ICON, "svg"));
/// The name of the style sheet.
pub(super) static STYLE_NAME: LazyLock<String> = LazyLock::new(|| named(STYLE, "css"));
/// The name of the script.
pub(super) static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| named(SCRIPT, "js"));

fn named(text: &str, kind: &str) -> String {
    let digest = Digest::of(text.as_bytes()).to_string();
    let short: String = digest.trim_start_matches("sha256:").chars().take(16).collect();
    format!("journey-{short}.{kind}")
}

/// One of them.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let (media, text) = match name {
        name if name == *STYLE_NAME => ("text/css; charset=utf-8", STYLE),
        name if name == *SCRIPT_NAME => ("text/javascript; charset=utf-8", SCRIPT),
        name if name == *ICON_NAME => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(CONTENT_TYPE, media), (CACHE_CONTROL, "public, max-age=31536000, immutable")], text).into_response()
}
