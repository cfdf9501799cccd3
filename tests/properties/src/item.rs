//! Items: what the table accepts fits the parcel's published schema, is in normal form already, and was accepted for what it is and not
//! for how it was put; what is refused is told by field and form, never by value.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consentry_contract::item::{CATEGORIES, Check, FieldError, Item, Kind, Media, RawValue, Value, category};
use jiff::Timestamp;
use jsonschema::Validator;
use serde_json::{Map, Value as Json, json};
use zeroize::Zeroizing;

use crate::bound::bounded;
use crate::text::{plain, straight};

const OBSERVED: &str = "2026-11-21T10:00:00Z";

/// The schema as it is published, which an Online Service checks parcels with, formats included.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let published: Json = serde_json::from_str(include_str!("../../../engine/schema/parcel-0.1.json")).unwrap();
    jsonschema::draft202012::options().should_validate_formats(true).build(&published).unwrap()
});

/// Takes lines: the category, then `field=value` in the form that the table wants, or `field:kind=value` in another. In a value `\n`
/// stands for a newline.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.lines();
    let name = lines.next().unwrap_or_default();
    let fields: Vec<(String, RawValue)> = lines.take(64).filter_map(|line| field(name, line)).collect();
    let observed: Timestamp = OBSERVED.parse().unwrap();
    match bounded("checking an item", text.len(), || Item::check(name, fields.clone(), observed)) {
        Ok(item) => accepted(&item, name, fields, observed),
        Err(errors) => refused(&errors, name, fields, observed),
    }
}

fn field(category_name: &str, line: &str) -> Option<(String, RawValue)> {
    let (name, value) = line.split_once('=')?;
    let (name, kind) = match name.split_once(':') {
        Some((name, kind)) => (name, Some(kind.to_owned())),
        None => (name, None),
    };
    let by_table = || category(category_name)?.field(name).map(|field| format!("{:?}", field.kind));
    let text = value.replace("\\n", "\n");
    let value = match kind.or_else(by_table).unwrap_or_default().to_ascii_lowercase().as_str() {
        "integer" => RawValue::Integer(value.parse().ok()?),
        "decimal" => RawValue::Decimal(text),
        "date" => RawValue::Date(text),
        "instant" => RawValue::Instant(text),
        "flag" => RawValue::Flag(value == "true"),
        "blob" => RawValue::Blob(blob(value)),
        _ => RawValue::Text(text),
    };
    Some((name.to_owned(), value))
}

fn blob(value: &str) -> Arc<Zeroizing<Vec<u8>>> {
    let magic: &[u8] = match value.get(..3) {
        Some("png") => b"\x89PNG\r\n\x1a\n",
        Some("jpg") => b"\xff\xd8\xff",
        Some("pdf") => b"%PDF-",
        _ => b"",
    };
    Arc::new(Zeroizing::new([magic, value.as_bytes()].concat()))
}

fn refused(errors: &[FieldError], name: &str, fields: Vec<(String, RawValue)>, observed: Timestamp) {
    assert!(!errors.is_empty());
    for error in errors {
        plain("an error", &error.to_string());
    }
    for (at, (_, value)) in fields.iter().enumerate() {
        let RawValue::Text(text) = value else { continue };
        if text.len() > 16 && quoted(text, errors) {
            // It is words of the error's own, if they are there for another value too.
            let mut other = fields.clone();
            other[at].1 = RawValue::Text("x".repeat(text.len()));
            let others = Item::check(name, other, observed).map(drop).err().unwrap_or_default();
            assert!(quoted(text, &others), "an error quotes a value");
        }
    }
    let again = Item::check(name, fields, observed).map(drop);
    assert_eq!(again.unwrap_err(), errors);
}

fn quoted(text: &str, errors: &[FieldError]) -> bool {
    errors.iter().any(|error| error.to_string().contains(text))
}

fn accepted(item: &Item, name: &str, mut fields: Vec<(String, RawValue)>, observed: Timestamp) {
    assert_eq!((item.category().name, item.observed()), (name, observed));
    assert_eq!(item.fields().len(), fields.len(), "nothing is dropped, nothing is added");
    for (field, value) in item.fields() {
        assert_eq!(field.kind, value.kind(), "{}", field.name);
        fits(field.check, value);
    }
    let written = written(item);
    let parcel = parcel(name, &written);
    let errors: Vec<String> =
        SCHEMA.iter_errors(&parcel).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?} in {written}");
    // In whatever order it comes, and once more in the form it was given: the same item.
    fields.reverse();
    let turned = Item::check(name, fields, observed).unwrap();
    assert_eq!(self::written(&turned), written);
    let normal = item.fields().map(|(field, value)| (field.name.to_owned(), raw(value))).collect();
    let again = Item::check(name, normal, observed).unwrap();
    assert_eq!(self::written(&again), written);
}

/// What a check says in words, read once more.
#[track_caller]
fn fits(check: Check, value: &Value) {
    match (check, value) {
        (Check::Line(max), Value::Text(text)) => {
            straight(text);
            assert!(!text.trim().is_empty() && text.chars().count() <= max);
        }
        (Check::Lines(max), Value::Text(text)) => {
            text.split('\n').for_each(straight);
            assert!(!text.trim().is_empty() && text.chars().count() <= max);
        }
        (Check::Ref | Check::RefOf(_), Value::Text(text)) => straight(text),
        (Check::Iban, Value::Text(iban)) => assert_eq!(remainder(iban), 1, "{iban}"),
        (Check::OneOf(words), Value::Text(word)) => assert!(words.contains(&word.as_str())),
        (Check::Range(low, high), Value::Integer(number)) => assert!((low..=high).contains(number)),
        (Check::Document | Check::Image, Value::Blob { media, bytes }) => {
            assert!(check == Check::Document || *media != Media::Pdf);
            assert!(bytes.len() <= Check::MAX_DOCUMENT);
        }
        (Check::Email, Value::Text(mail)) => straight(mail),
        _ => {}
    }
}

/// ISO 7064 over the digits of an IBAN whose first four characters stand last.
fn remainder(iban: &str) -> u32 {
    let turned = iban[4..].chars().chain(iban[..4].chars());
    turned.fold(0, |rest, c| {
        let value = c.to_digit(36).unwrap_or_default();
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    })
}

/// The item's fields as a receiver reads them.
fn written(item: &Item) -> Json {
    let value = |value: &Value| match value {
        Value::Text(text) | Value::Decimal(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Date(date) => json!(date.to_string()),
        Value::Instant(instant) => json!(instant.to_string()),
        Value::Flag(flag) => json!(flag),
        Value::Blob { media, bytes } => json!({ "media": media.name(), "bytes": STANDARD.encode(bytes.as_slice()) }),
    };
    Json::Object(item.fields().map(|(field, of)| (field.name.to_owned(), value(of))).collect::<Map<_, _>>())
}

fn raw(value: &Value) -> RawValue {
    match value {
        Value::Text(text) => RawValue::Text(text.clone()),
        Value::Decimal(text) => RawValue::Decimal(text.clone()),
        Value::Integer(number) => RawValue::Integer(*number),
        Value::Date(date) => RawValue::Date(date.to_string()),
        Value::Instant(instant) => RawValue::Instant(instant.to_string()),
        Value::Flag(flag) => RawValue::Flag(*flag),
        Value::Blob { bytes, .. } => RawValue::Blob(bytes.clone()),
    }
}

fn parcel(category: &str, fields: &Json) -> Json {
    json!({
        "schema": "urn:consentry:schema:parcel:0.1", "parcel": "p", "consent": "c", "online_service": "o", "released_at": OBSERVED,
        "provenance": {
            "run": "r", "source": "s", "connector": "c", "version": "1.0.0", "observed_at": OBSERVED,
            "digest": format!("sha256:{}", "0".repeat(64)),
        },
        "datasets": [{ "category": category, "result": "complete", "count": 1 }],
        "items": [{ "category": category, "observed_at": OBSERVED, "fields": fields }],
    })
}

/// A line for each field of each category, for those who make up items.
pub fn fields() -> impl Iterator<Item = (&'static str, &'static str, Kind)> {
    CATEGORIES.iter().flat_map(|of| of.fields.iter().map(|field| (of.name, field.name, field.kind)))
}
