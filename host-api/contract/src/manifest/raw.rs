//! The manifest as it is written: shapes only, nothing checked. Unknown keys are refused here.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub(super) type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub contract: Text,
    pub id: Text,
    pub version: Text,
    pub owner: Owner,
    #[serde(default)]
    pub capabilities: Vec<Text>,
    pub categories: Spanned<Vec<Text>>,
    #[serde(default)]
    pub steps: Vec<Text>,
    #[serde(default)]
    pub literals: Vec<Text>,
    pub source: Spanned<Vec<Spanned<Source>>>,
    #[serde(default)]
    pub limits: BTreeMap<String, Spanned<u64>>,
    #[serde(default)]
    pub field: Vec<Spanned<Field>>,
    #[serde(default)]
    pub answer: Vec<Spanned<Answer>>,
    #[serde(default)]
    pub operator: Vec<Spanned<Named>>,
    #[serde(default)]
    pub cookie: Vec<Spanned<Named>>,
    #[serde(default)]
    pub capture: Vec<Spanned<Capture>>,
    #[serde(default)]
    pub page: Vec<Spanned<Page>>,
    pub logout: Option<Logout>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Owner {
    pub name: Text,
    pub contact: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub id: Text,
    pub name: Text,
    pub country: Text,
    pub kind: Text,
    pub base: Option<Text>,
    pub origins: Spanned<Vec<Text>>,
    pub categories: Option<Spanned<Vec<Text>>>,
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    #[serde(default)]
    pub tpp: Option<Spanned<bool>>,
    #[serde(rename = "tpp-exempt")]
    pub tpp_exempt: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    pub name: Text,
    pub kind: Text,
    #[serde(default)]
    pub login: Option<Spanned<bool>>,
    #[serde(default)]
    pub optional: bool,
    pub label: Spanned<BTreeMap<String, Text>>,
    pub pattern: Option<Text>,
    #[serde(default)]
    pub sink: Vec<Spanned<Sink>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub prompt: Text,
    pub name: Text,
    pub kind: Text,
    pub label: Spanned<BTreeMap<String, Text>>,
    #[serde(default)]
    pub sink: Vec<Spanned<Sink>>,
}

/// An operator's secret, or a cookie.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub name: Text,
    #[serde(default)]
    pub sink: Vec<Spanned<Sink>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Capture {
    pub name: Text,
    pub from: Text,
    pub at: Text,
    #[serde(default)]
    pub sink: Vec<Spanned<Sink>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sink {
    pub request: Option<Text>,
    pub page: Option<Text>,
    pub slot: Text,
    pub recipe: Text,
    pub max: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub id: Text,
    pub url: Text,
    #[serde(default)]
    pub status: Vec<Spanned<u16>>,
    #[serde(default)]
    pub requires: Vec<Text>,
    #[serde(default)]
    pub lacks: Vec<Text>,
    pub failure: Option<Text>,
    #[serde(default)]
    pub errors: Vec<ErrorText>,
    pub empty: Option<Text>,
    #[serde(default)]
    pub feeds: Vec<Text>,
    #[serde(default)]
    pub login: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorText {
    pub at: Text,
    pub text: Text,
    pub code: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logout {
    pub request: Text,
}
