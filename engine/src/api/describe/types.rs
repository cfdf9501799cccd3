//! What the types of handlers say about requests and answers.

use std::borrow::Cow;
use std::marker::PhantomData;

use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Sse;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Draft, Input, Output};
use crate::api::account::Holder;
use crate::api::body::{Asked, Body, FORM, Form, JOSE, Text, Unread};
use crate::api::problem::Problem;
use crate::api::{Caller, Either, Operator, Person, Shared};
use crate::engine::Visit;

const JSON: &str = "application/json";

/// 201: made, and where it is, if it has an address.
pub(in crate::api) struct Created<T>(pub(in crate::api) Option<String>, pub(in crate::api) T);
/// 202: begun; events tell how it goes.
pub(in crate::api) struct Accepted;
/// 204: done.
pub(in crate::api) struct NoContent;
/// A token in compact form.
pub(in crate::api) struct Jose(pub(in crate::api) Vec<u8>);
/// Bytes.
pub(in crate::api) struct Octets(pub(in crate::api) Vec<u8>);
/// Plain text, with its media type.
pub(in crate::api) struct Note(pub(in crate::api) &'static str, pub(in crate::api) String);
/// JSON, one object for each line.
pub(in crate::api) struct Lines(pub(in crate::api) String);
/// A page for people.
pub(in crate::api) struct Page(pub(in crate::api) Response);
/// A sentence for people: what they came for was there, or was not.
pub(in crate::api) struct Words(pub(in crate::api) Response);
/// JSON whose form another type has.
pub(in crate::api) struct Shaped<T>(pub(in crate::api) Value, PhantomData<fn() -> T>);

impl<T> Shaped<T> {
    pub(in crate::api) fn new(value: Value) -> Self {
        Self(value, PhantomData)
    }
}

impl Input for State<Shared> {}
impl Input for HeaderMap {}
impl Input for Visit {}
impl Input for RawQuery {}
impl<T> Input for Path<T> {}
impl<T> Input for Extension<T> {}
impl<T> Input for Option<Extension<T>> {}

impl<T: JsonSchema> Input for Asked<T> {
    fn tell(draft: &mut Draft<'_>) {
        draft.query::<T>();
    }
}

impl<T: JsonSchema> Input for Body<T> {
    fn tell(draft: &mut Draft<'_>) {
        draft.body::<T>(JSON);
    }
}

impl<T: JsonSchema> Input for Form<T> {
    fn tell(draft: &mut Draft<'_>) {
        draft.body::<T>(FORM);
    }
}

impl<T: JsonSchema> Input for Unread<T> {
    fn tell(draft: &mut Draft<'_>) {
        draft.body::<T>(JSON);
    }
}

impl Input for Text {
    fn tell(draft: &mut Draft<'_>) {
        draft.text(JOSE);
    }
}

impl Input for Caller {
    fn tell(draft: &mut Draft<'_>) {
        draft.by("online-service");
    }
}

impl Input for Holder {
    fn tell(draft: &mut Draft<'_>) {
        draft.by("account");
    }
}

impl Input for Operator {
    fn tell(draft: &mut Draft<'_>) {
        draft.by("operator");
    }
}

impl Input for Person {
    fn tell(draft: &mut Draft<'_>) {
        draft.by("person");
    }
}

impl Input for Either {
    fn tell(draft: &mut Draft<'_>) {
        draft.by("person");
        draft.by("online-service");
    }
}

impl<T: Output> Output for Result<T, Problem> {
    fn tell(draft: &mut Draft<'_>) {
        T::tell(draft);
    }
}

impl Output for Problem {
    fn tell(draft: &mut Draft<'_>) {
        let schema = draft.schemas.answers.subschema_for::<Problem>().to_value();
        let content = json!({ "application/problem+json": { "schema": schema } });
        draft.answers.insert("default".into(), json!({ "description": "A problem (RFC 9457)", "content": content }));
    }
}

impl<T: JsonSchema> Output for Json<T> {
    fn tell(draft: &mut Draft<'_>) {
        draft.answer::<T>(200, JSON);
    }
}

impl<T: JsonSchema> Output for Shaped<T> {
    fn tell(draft: &mut Draft<'_>) {
        draft.answer::<T>(200, JSON);
    }
}

impl<T> IntoResponse for Shaped<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// A [`Shaped`] inside of something else.
impl<T> Serialize for Shaped<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Shaped<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> Output for Created<T> {
    fn tell(draft: &mut Draft<'_>) {
        draft.answer::<T>(201, JSON);
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let location = self.0.map(|address| [(LOCATION, address)]);
        match location {
            Some(location) => (StatusCode::CREATED, location, Json(self.1)).into_response(),
            None => (StatusCode::CREATED, Json(self.1)).into_response(),
        }
    }
}

impl Output for Accepted {
    fn tell(draft: &mut Draft<'_>) {
        draft.answers(202, json!({}));
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

impl Output for NoContent {
    fn tell(draft: &mut Draft<'_>) {
        draft.answers(204, json!({}));
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Output for Jose {
    fn tell(draft: &mut Draft<'_>) {
        draft.answers(200, json!({ JOSE: { "schema": { "type": "string" } } }));
    }
}

impl IntoResponse for Jose {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, JOSE)], self.0).into_response()
    }
}

impl Output for Octets {
    fn tell(draft: &mut Draft<'_>) {
        draft.answers(200, json!({ "application/octet-stream": {} }));
    }
}

impl IntoResponse for Octets {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/octet-stream")], self.0).into_response()
    }
}

impl Output for Note {
    fn tell(draft: &mut Draft<'_>) {
        draft.answers(200, json!({ "text/plain": { "schema": { "type": "string" } } }));
    }
}

impl IntoResponse for Note {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, self.0)], self.1).into_response()
    }
}

impl Output for Lines {
    fn tell(draft: &mut Draft<'_>) {
        draft.answers(200, json!({ "application/jsonl": { "schema": { "type": "string" } } }));
    }
}

impl IntoResponse for Lines {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/jsonl")], self.0).into_response()
    }
}

impl Output for Page {
    fn tell(draft: &mut Draft<'_>) {
        draft.answers(200, json!({ "text/html": { "schema": { "type": "string" } } }));
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Output for Words {
    fn tell(draft: &mut Draft<'_>) {
        for status in [200, 404] {
            draft.answers(status, json!({ "text/plain": { "schema": { "type": "string" } } }));
        }
    }
}

impl IntoResponse for Words {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<S> Output for Sse<S> {
    fn tell(draft: &mut Draft<'_>) {
        draft.answers(200, json!({ "text/event-stream": { "schema": { "type": "string" } } }));
    }
}
