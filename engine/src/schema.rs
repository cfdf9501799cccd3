//! JSON Schemas of what has no derive: words of the contract, which stays free of this, and types with one text form.

use std::borrow::Cow;

use consentry_contract::failure::Code;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::data::{Category, Digest};
use crate::id::{Id, Kind};

/// The form of an id of this kind, as a regular expression.
pub fn id_pattern(prefix: &str) -> String {
    // 128 bits in 26 signs of five bits each: the first one has no more than three.
    format!("^{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$")
}

impl<K: Kind> JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Id_{}", K::PREFIX).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": id_pattern(K::PREFIX) })
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^sha256:[0-9a-f]{64}$" })
    }
}

impl JsonSchema for Category {
    fn schema_name() -> Cow<'static, str> {
        "Category".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A category of Shareable Data, of the item table.",
            "enum": Category::all().map(Category::name).collect::<Vec<_>>(),
        })
    }
}

/// The schema of a failure code.
pub fn code(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Code::ALL.iter().map(|code| code.name()).collect::<Vec<_>>() })
}

/// Stands for [`consentry_contract::failure::Failure`].
pub struct Failure;

impl JsonSchema for Failure {
    fn schema_name() -> Cow<'static, str> {
        "Failure".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Why a collection ended without what was asked for: codes, declared names and numbers.",
            "properties": {
                "code": code(generator),
                "blame": { "enum": ["person", "source", "connector", "platform", "recipient"] },
                "retry": { "enum": ["never", "after", "with-person", "next-version"] },
                "stage": { "type": "string" },
                "page": { "type": "string" },
                "missing": { "description": "What was missing on that page, or which field was wrong." },
                "retry_after_ms": { "type": "integer", "minimum": 0 },
                "limit": { "type": "string" },
                "claimed": code(generator),
            },
            "required": ["code", "blame", "retry", "stage"],
        })
    }
}
