//! The routes, and the document that describes them (OpenAPI 3.1): one is made from the other. An operation can't be served without
//! being described, since [`Routes`] takes nothing else; and what it takes and answers is read off the types of its handler.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::problem::{self, Problem};
use super::{Shared, idempotency, no_head};
use crate::forward::Event;
use crate::id::kind;
use crate::id::kind::Kind as _;
use crate::maintenance::announce::{self, Happened};
use crate::schema::id_pattern;

mod types;

pub(super) use types::{Accepted, Created, Jose, Lines, NoContent, Note, Octets, Page, Shaped, Words};

/// The version of the described interface.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What the parts of a path look like.
const PATH_PARTS: [(&str, &str); 6] = [
    ("receipt", kind::Receipt::PREFIX),
    ("consent", kind::Consent::PREFIX),
    ("session", kind::Session::PREFIX),
    ("parcel", kind::Parcel::PREFIX),
    ("request", kind::RightsRequest::PREFIX),
    ("question", kind::Question::PREFIX),
];

/// Routes that are described.
pub(super) struct Routes {
    router: Router<Shared>,
    schemas: Schemas,
    paths: Map<String, Value>,
    once: Vec<String>,
}

struct Schemas {
    answers: SchemaGenerator,
    bodies: SchemaGenerator,
}

/// A handler, and what its types say about it.
pub(super) struct Operation {
    method: &'static str,
    routed: MethodRouter<Shared>,
    group: &'static str,
    summary: &'static str,
    once: bool,
    tell: fn(&mut Draft<'_>),
}

/// The description of one operation, as far as it has come.
pub(super) struct Draft<'s> {
    schemas: &'s mut Schemas,
    body: Option<Value>,
    parameters: Vec<Value>,
    answers: Map<String, Value>,
    security: Vec<Value>,
}

/// An argument of a handler says what it wants of a request.
pub(super) trait Input {
    fn tell(_: &mut Draft<'_>) {}
}

/// What a handler ends with says what the answers are.
pub(super) trait Output {
    fn tell(draft: &mut Draft<'_>);
}

/// A handler whose types say everything.
pub(super) trait Described<A> {
    fn tell(draft: &mut Draft<'_>);
}

macro_rules! described {
    ($($argument:ident)*) => {
        impl<F, Fut, R, $($argument),*> Described<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut,
            Fut: Future<Output = R>,
            R: Output,
            $($argument: Input),*
        {
            fn tell(draft: &mut Draft<'_>) {
                $($argument::tell(draft);)*
                R::tell(draft);
            }
        }
    };
}
described! {}
described! { A }
described! { A B }
described! { A B C }
described! { A B C D }
described! { A B C D E }

macro_rules! methods {
    ($($method:ident)*) => {$(
        /// Serves this method.
        pub(super) fn $method<H, T, D>(group: &'static str, summary: &'static str, handler: H) -> Operation
        where
            H: Handler<T, Shared> + Described<D>,
            T: 'static,
        {
            let tell = <H as Described<D>>::tell;
            Operation { method: stringify!($method), routed: routing::$method(handler), group, summary, once: false, tell }
        }
    )*};
}
methods! { get post put delete }

impl Operation {
    /// Takes an idempotency key.
    pub(super) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// To ask is to use something up: a `HEAD` is not served.
    pub(super) fn no_head(self) -> Self {
        Self { routed: self.routed.head(no_head), ..self }
    }
}

impl Draft<'_> {
    /// Wants a body of this form.
    pub(super) fn body<T: JsonSchema>(&mut self, media: &str) {
        let schema = self.schemas.bodies.subschema_for::<T>().to_value();
        self.body = Some(json!({ "required": true, "content": { media: { "schema": schema } } }));
    }

    /// Wants a body that is a text.
    pub(super) fn text(&mut self, media: &str) {
        self.body = Some(json!({ "required": true, "content": { media: { "schema": { "type": "string" } } } }));
    }

    /// Answers with this form.
    pub(super) fn answer<T: JsonSchema>(&mut self, status: u16, media: &str) {
        let schema = self.schemas.answers.subschema_for::<T>().to_value();
        self.answers(status, json!({ media: { "schema": schema } }));
    }

    /// Answers without a form.
    pub(super) fn answers(&mut self, status: u16, content: Value) {
        let said = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let mut answer = json!({ "description": said.unwrap_or("Answer") });
        if content.as_object().is_some_and(|content| !content.is_empty()) {
            answer["content"] = content;
        }
        self.answers.insert(status.to_string(), answer);
    }

    /// Is for whoever shows this.
    pub(super) fn by(&mut self, scheme: &str) {
        self.security.push(json!({ scheme: [] }));
    }

    /// Takes a header.
    fn header(&mut self, name: &str, about: &str) {
        let schema = json!({ "type": "string" });
        self.parameters.push(json!({ "name": name, "in": "header", "description": about, "schema": schema }));
    }

    /// Takes what stands in the query, a member each.
    pub(super) fn query<T: JsonSchema>(&mut self) {
        let schema = self.schemas.bodies.root_schema_for::<T>().to_value();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            self.parameters.push(json!({ "name": name, "in": "query", "schema": schema }));
        }
    }
}

impl Routes {
    pub(super) fn new() -> Self {
        let settings = |contract: Contract| {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.meta_schema = None;
                settings.definitions_path = "/components/schemas".into();
                // What is read and what is written may differ in form, and the names are those of what is written.
                settings.inline_subschemas = contract.is_deserialize();
            });
            if contract.is_deserialize() { settings.for_deserialize() } else { settings.for_serialize() }
                .into_generator()
        };
        let schemas = Schemas { answers: settings(Contract::Serialize), bodies: settings(Contract::Deserialize) };
        Self { router: Router::new(), schemas, paths: Map::new(), once: vec![] }
    }

    /// Serves these operations at a path.
    pub(super) fn at(mut self, path: &str, operations: impl IntoIterator<Item = Operation>) -> Self {
        let mut methods = MethodRouter::new();
        let shown = path.replace("{*", "{");
        let mut told = Map::new();
        for operation in operations {
            let mut draft = Draft {
                schemas: &mut self.schemas,
                body: None,
                parameters: path_parameters(&shown),
                answers: Map::new(),
                security: vec![],
            };
            (operation.tell)(&mut draft);
            if operation.once {
                draft.header(
                    idempotency::KEY,
                    "Asked again with the same key and body within the hour, the first answer comes again",
                );
                self.once.push(path.to_owned());
            }
            Problem::tell(&mut draft);
            told.insert(operation.method.to_owned(), draft.finish(&operation));
            methods = methods.merge(operation.routed);
        }
        self.paths.insert(shown, told.into());
        Self { router: self.router.route(path, methods), ..self }
    }

    /// The router, the document, and the paths where an idempotency key counts.
    pub(super) fn finish(self) -> (Router<Shared>, Value, Vec<String>) {
        let Self { router, mut schemas, paths, once } = self;
        let bearer = |about: &str| json!({ "type": "http", "scheme": "bearer", "description": about });
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Consentry",
                "version": VERSION,
                "description": problem::description(),
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "paths": paths,
            "webhooks": webhooks(&mut schemas.answers),
            "components": {
                "schemas": schemas.answers.take_definitions(true),
                "securitySchemes": {
                    "account": bearer("Whoever has an account, by the token that signing in gave."),
                    "online-service": bearer("An Online Service, by the access token that `POST /v1/token` gave it."),
                    "operator": bearer("An operator, by a key of their own, as far as their roles go."),
                    "person": bearer("The person of a session, by the token that the session began with."),
                },
            },
        });
        (router, document, once)
    }
}

/// What Online Services and the operator are told, each at its own address.
fn webhooks(schemas: &mut SchemaGenerator) -> Value {
    let service = "Sent to the address that the Online Service registered";
    let operator = "Sent to the operator's address for the maintenance programme";
    let parcel = ("parcel.ready", "A parcel waits", service, schemas.subschema_for::<Event>());
    let breaks = schemas.subschema_for::<announce::Event<announce::OfBreak>>();
    let breaks = Happened::BREAKS.map(|(kind, when)| (kind, when, operator, breaks.clone()));
    let (kind, when) = Happened::SUSPENDED;
    let source = (kind, when, operator, schemas.subschema_for::<announce::Event<announce::OfSource>>());
    let signed = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(|name| json!({ "name": name, "in": "header", "required": true, "schema": { "type": "string" } }));
    let all = [parcel].into_iter().chain(breaks).chain([source]);
    let told = all.map(|(kind, when, where_to, schema)| {
        let post = json!({
            "tags": ["events"],
            "summary": format!("{when}. {where_to}, signed by Standard Webhooks (v1a) with a key of /v1/webhooks/keys"),
            "parameters": signed,
            "requestBody": { "required": true, "content": { "application/json": { "schema": schema.to_value() } } },
            "responses": { "2XX": { "description": "It is not told again" }, "default": { "description": "It is told again, later and later" } },
        });
        (kind.to_owned(), json!({ "post": post }))
    });
    told.collect::<Map<_, _>>().into()
}

impl Draft<'_> {
    fn finish(self, operation: &Operation) -> Value {
        let mut told = json!({
            "tags": [operation.group], "summary": operation.summary, "responses": self.answers, "security": self.security,
        });
        if !self.parameters.is_empty() {
            told["parameters"] = self.parameters.into();
        }
        if let Some(body) = self.body {
            told["requestBody"] = body;
        }
        told
    }
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let id = PATH_PARTS.iter().find(|(part, _)| *part == name);
            let mut schema = json!({ "type": "string" });
            if let Some((_, prefix)) = id {
                schema["pattern"] = id_pattern(prefix).into();
            }
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect()
}
