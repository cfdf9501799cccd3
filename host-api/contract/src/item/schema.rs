//! The parcel's JSON Schema, draft 2020-12, for all families: what an Online Service finds when it has opened a parcel. Written from
//! the table. Strict about what it knows: an unknown member is an error, so a new field means a new version of the schema.

use serde_json::{Map, Value as Json, json};

use super::table::{CATEGORIES, Category, Check, Field, Kind};
use super::value::Media;

/// Version of the parcel's form.
pub const SCHEMA_VERSION: &str = "0.1";
/// Id of the schema; every parcel names it in `schema`.
pub const SCHEMA_ID: &str = "urn:consentry:schema:parcel:0.1";

/// The schema of a parcel's content.
#[must_use]
pub fn json_schema() -> Json {
    let names: Vec<&str> = CATEGORIES.iter().map(|category| category.name).collect();
    let items: Vec<Json> = names.iter().map(|name| json!({ "$ref": format!("#/$defs/{name}") })).collect();
    let mut defs: Map<String, Json> =
        CATEGORIES.iter().map(|category| (category.name.to_owned(), item(category))).collect();
    defs.insert("blob".to_owned(), blob(&[Media::Pdf, Media::Png, Media::Jpeg]));
    defs.insert("image".to_owned(), blob(&[Media::Png, Media::Jpeg]));
    defs.insert("dataset".to_owned(), dataset(&names));
    defs.insert("provenance".to_owned(), provenance());
    defs.insert("predicate".to_owned(), predicate());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": format!("Consentry parcel {SCHEMA_VERSION}"),
        "description": "Shareable Data of one person, released under one consent to one Online Service. \
            Amounts are integers in minor units of the currency beside them.",
        "type": "object",
        "properties": {
            "schema": { "const": SCHEMA_ID },
            "parcel": { "type": "string" },
            "consent": { "type": "string" },
            "online_service": { "type": "string" },
            "released_at": { "type": "string", "format": "date-time" },
            "provenance": { "$ref": "#/$defs/provenance" },
            "datasets": { "type": "array", "items": { "$ref": "#/$defs/dataset" } },
            "items": { "type": "array", "items": { "oneOf": items } },
            "predicates": { "type": "array", "items": { "$ref": "#/$defs/predicate" } },
        },
        "required": ["schema", "parcel", "consent", "online_service", "released_at", "provenance", "datasets", "items"],
        "additionalProperties": false,
        "$defs": defs,
    })
}

/// A question that was answered without its value: yes, no, or (null) not known.
fn predicate() -> Json {
    json!({
        "type": "object",
        "properties": { "predicate": { "type": "string" }, "holds": { "type": ["boolean", "null"] } },
        "required": ["predicate", "holds"],
        "additionalProperties": false,
    })
}

fn item(category: &Category) -> Json {
    let names = |fields: &mut dyn Iterator<Item = &Field>| fields.map(|field| field.name).collect::<Vec<_>>();
    let required = names(&mut category.fields.iter().filter(|field| field.required));
    let properties: Map<String, Json> =
        category.fields.iter().map(|field| (field.name.to_owned(), titled(field))).collect();
    let currencies: Map<String, Json> =
        category.fields.iter().filter_map(|field| Some((field.name.to_owned(), json!([field.currency()?])))).collect();
    let mut fields = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if !currencies.is_empty() {
        fields["dependentRequired"] = Json::Object(currencies);
    }
    if !category.any_of.is_empty() {
        fields["anyOf"] = category.any_of.iter().map(|name| json!({ "required": [name] })).collect();
    }
    json!({
        "title": category.label.en,
        "type": "object",
        "properties": {
            "category": { "const": category.name },
            "observed_at": { "type": "string", "format": "date-time" },
            "fields": fields,
        },
        "required": ["category", "observed_at", "fields"],
        "additionalProperties": false,
    })
}

fn titled(field: &Field) -> Json {
    let mut schema = form(field);
    schema["title"] = json!(field.label.en);
    schema
}

fn form(field: &Field) -> Json {
    let pattern = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    match (field.kind, field.check) {
        (Kind::Text, Check::Line(max) | Check::Lines(max)) => {
            json!({ "type": "string", "minLength": 1, "maxLength": max })
        }
        (Kind::Text, Check::Ref | Check::RefOf(_)) => json!({ "type": "string", "minLength": 1, "maxLength": 128 }),
        (Kind::Text, Check::OneOf(words)) => json!({ "enum": words }),
        (Kind::Text, Check::Iban) => pattern("^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$"),
        (Kind::Text, Check::Bic) => pattern("^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$"),
        (Kind::Text, Check::Country) => pattern("^[A-Z]{2}$"),
        (Kind::Text, Check::Currency) => pattern("^[A-Z]{3}$"),
        (Kind::Text, Check::Phone) => pattern("^\\+[1-9][0-9]{6,14}$"),
        (Kind::Text, Check::Email) => json!({ "type": "string", "format": "idn-email" }),
        (Kind::Text, _) => json!({ "type": "string" }),
        (Kind::Integer, Check::Range(low, high)) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        (Kind::Integer, _) => json!({ "type": "integer" }),
        (Kind::Decimal, _) => pattern("^[+-]?[0-9]+(\\.[0-9]+)?$"),
        (Kind::Date, _) => json!({ "type": "string", "format": "date" }),
        (Kind::Instant, _) => json!({ "type": "string", "format": "date-time" }),
        (Kind::Flag, _) => json!({ "type": "boolean" }),
        (Kind::Blob, Check::Image) => json!({ "$ref": "#/$defs/image" }),
        (Kind::Blob, _) => json!({ "$ref": "#/$defs/blob" }),
    }
}

fn blob(media: &[Media]) -> Json {
    json!({
        "type": "object",
        "properties": {
            "media": { "enum": media.iter().map(|media| media.name()).collect::<Vec<_>>() },
            "bytes": { "type": "string", "contentEncoding": "base64" },
        },
        "required": ["media", "bytes"],
        "additionalProperties": false,
    })
}

fn dataset(categories: &[&str]) -> Json {
    json!({
        "type": "object",
        "properties": {
            "category": { "enum": categories },
            "result": { "enum": ["complete", "partial", "empty-confirmed"] },
            "code": { "type": "string", "description": "Why something is missing; a name of the list of failure codes." },
            "count": { "type": "integer", "minimum": 0 },
            "withheld": { "type": "integer", "minimum": 1, "description": "Items that the person left out." },
        },
        "required": ["category", "result", "count"],
        "if": { "properties": { "result": { "const": "partial" } } },
        "then": { "required": ["code"] },
        "else": { "properties": { "code": false } },
        "additionalProperties": false,
    })
}

fn provenance() -> Json {
    let digest = json!({ "type": "string", "pattern": "^sha256:[0-9a-f]{64}$" });
    json!({
        "type": "object",
        "properties": {
            "run": { "type": "string" },
            "source": { "type": "string", "description": "The Data Source, by its id in the connector's manifest." },
            "connector": { "type": "string" },
            "version": { "type": "string" },
            "digest": digest,
            "observed_at": { "type": "string", "format": "date-time" },
            "subject": {
                "type": "string",
                "description": "The person as this Online Service knows them: the same in each of its parcels, another one elsewhere. Only of account holders.",
            },
        },
        "required": ["run", "source", "connector", "version", "digest", "observed_at"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests;
