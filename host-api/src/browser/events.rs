//! What the browser tells, as far as it is looked at: of each event the fields that are used, and nothing else of a very large protocol.

use serde::Deserialize;

macro_rules! events {
    ($($name:ident { $($field:ident: $kind:ty,)* })*) => {$(
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name { $(pub(super) $field: $kind,)* }
    )*};
}

events! {
    AnAttached { session_id: String, target_info: ATarget, }
    ADetached { session_id: String, }
    AFrame { frame_id: String, parent_frame_id: Option<String>, reason: Option<String>, }
    ANavigated { frame: ANavigatedFrame, }
    ANavigatedFrame { id: String, parent_id: Option<String>, loader_id: String, url: String, url_fragment: Option<String>, unreachable_url: Option<String>, }
    AMoved { frame_id: String, url: String, }
    AResponse { url: String, status: u16, mime_type: String, headers: std::collections::BTreeMap<String, String>, }
    AnAnswered { request_id: String, response: AResponse, }
    AFinished { request_id: String, error_text: Option<String>, }
    ARequest { url: String, method: String, }
    APaused { request_id: String, }
    AChallenged { request_id: String, request: ARequestUrl, auth_challenge: AnAuthChallenge, }
    ARequestUrl { url: String, }
    AnAuthChallenge { source: Option<String>, origin: String, }
    ADownload { frame_id: String, guid: String, }
    AProgress { guid: String, total_bytes: f64, received_bytes: f64, state: String, }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ATarget {
    pub(super) target_id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) opener_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct AnOpened {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ASent {
    pub(super) request_id: String,
    #[serde(default)]
    pub(super) loader_id: String,
    pub(super) request: ARequest,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) frame_id: Option<String>,
}
