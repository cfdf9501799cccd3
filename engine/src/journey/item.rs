//! A document that was found, for the person to look at before they share it.

use axum::extract::{Path, Query};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::visitor::{MISSING, Visitor};

#[derive(Deserialize)]
pub(super) struct Asked {
    field: String,
}

/// The file in a field of an item, as a download: nothing of a Data Source is opened as a page of ours.
pub(super) async fn file(
    visitor: Visitor,
    Path((_, at)): Path<(String, usize)>,
    Query(asked): Query<Asked>,
) -> Response {
    let Ok(found) = visitor.engine.preview(&visitor.session) else { return MISSING.into_response() };
    let value = &found["items"][at]["fields"][asked.field.as_str()];
    let (media, bytes) = (value["media"].as_str(), value["bytes"].as_str().and_then(|text| STANDARD.decode(text).ok()));
    let Some((media, bytes)) = media.zip(bytes) else { return MISSING.into_response() };
    let ending = media.rsplit('/').next().unwrap_or("bin");
    let name = format!("attachment; filename=\"document-{}.{ending}\"", at + 1);
    ([(CONTENT_TYPE, media.to_owned()), (CONTENT_DISPOSITION, name)], bytes).into_response()
}
