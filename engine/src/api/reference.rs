//! The description of the interface: as OpenAPI, and as a page that is made from it here. The page has no script and asks nobody for
//! anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::Extension;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::describe::{Page, Shaped};
use super::problem::KINDS;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}\
    h2{margin-top:2.5rem;border-bottom:1px solid}h3{margin-bottom:.25rem}code,pre{font:14px/1.4 ui-monospace,monospace}\
    pre{overflow:auto;padding:.75rem;border:1px solid #8888}table{border-collapse:collapse}td,th{text-align:left;\
    padding:.25rem .75rem .25rem 0;vertical-align:top}:root{color-scheme:light dark}";

/// The document in both forms, made once.
#[derive(Clone)]
pub(super) struct Reference {
    document: Arc<Value>,
    page: Arc<str>,
    policy: Arc<str>,
}

/// An OpenAPI document.
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "the form of a document")]
pub(super) struct Document {
    openapi: String,
    info: Map<String, Value>,
    paths: Map<String, Value>,
    components: Map<String, Value>,
}

impl Reference {
    pub(super) fn of(document: Value) -> Self {
        let page = page_of(&document).into_string().into();
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Self { document: Arc::new(document), page, policy: policy.into() }
    }
}

/// The document.
pub(super) async fn document(Extension(reference): Extension<Reference>) -> Shaped<Document> {
    Shaped::new((*reference.document).clone())
}

/// The page.
pub(super) async fn page(Extension(reference): Extension<Reference>) -> Page {
    let policy = [(CONTENT_SECURITY_POLICY, reference.policy.to_string())];
    Page((policy, Html(reference.page.to_string())).into_response())
}

fn page_of(document: &Value) -> Markup {
    let mut groups: BTreeMap<&str, Vec<(&str, &str, &Value)>> = BTreeMap::new();
    for (path, operations) in members(&document["paths"]) {
        for (method, operation) in members(operations) {
            groups.entry(text(&operation["tags"][0])).or_default().push((method, path, operation));
        }
    }
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Consentry: the HTTP interface" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Consentry: the HTTP interface" }
                p { "Version " (text(&document["info"]["version"])) ". The same for machines: " a href="/v1/openapi.json" { "/v1/openapi.json" } "." }
                ul { @for group in groups.keys() { li { a href={ "#" (group) } { (group) } } } li { a href="#problems" { "problems" } } }
                @for (group, operations) in &groups {
                    h2 id=(group) { (group) }
                    @for (method, path, told) in operations { (operation(method, path, told)) }
                }
                h2 id="problems" { "problems" }
                p { "Refusals are " code { "application/problem+json" } " (RFC 9457) with what to do in " code { "next" } "." }
                table { @for kind in KINDS { tr { td { code { (kind.name) } } td { (kind.title) } td { (kind.next) } } } }
                h2 { "forms" }
                @for (name, schema) in members(&document["components"]["schemas"]) {
                    h3 id=(name) { (name) }
                    (form(schema))
                }
            }
        }
    }
}

fn operation(method: &str, path: &str, told: &Value) -> Markup {
    let schemes: Vec<&str> = list(&told["security"]).flat_map(|each| members(each).map(|(name, _)| name)).collect();
    html! {
        h3 { code { (method.to_uppercase()) " " (path) } }
        p {
            (text(&told["summary"])) ". For "
            @if schemes.is_empty() { "anyone" } @else { (schemes.join(" or ")) } "."
        }
        @for parameter in list(&told["parameters"]).filter(|parameter| parameter["in"] != "path") {
            p { (text(&parameter["in"])) " " code { (text(&parameter["name"])) } " " (text(&parameter["description"])) (text(&parameter["schema"]["description"])) }
        }
        @for (media, content) in members(&told["requestBody"]["content"]) {
            details { summary { "takes " code { (media) } } (form(&content["schema"])) }
        }
        @for (status, answer) in members(&told["responses"]).filter(|(status, _)| *status != "default") {
            p { (status) " " (text(&answer["description"])) }
            @for (media, content) in members(&answer["content"]) {
                @match content["schema"]["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
                    Some(name) => p { "gives " code { (media) } ": " a href={ "#" (name) } { (name) } },
                    None => details { summary { "gives " code { (media) } } (form(&content["schema"])) },
                }
            }
        }
    }
}

fn form(schema: &Value) -> Markup {
    html! { pre { (serde_json::to_string_pretty(schema).unwrap_or_default()) } }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}
