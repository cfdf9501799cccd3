use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[test]
fn pointers_are_rfc_6901() {
    let document = json(
        r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, "é\n": 9, "n": null, "t": true, "o": {"p": -0.0e+1}, "01": 5}"#,
    );
    for (at, take, expected) in [
        ("/foo/0", "text", "bar"),
        ("/foo/1", "json", "\"baz\""),
        ("/foo/2", "text", "-"),
        ("/foo/01", "text", "-"),
        ("/foo/-", "text", "-"),
        ("/foo", "json", r#"["bar", "baz"]"#),
        ("/foo", "text", "-"),
        ("/", "text", "0"),
        ("/a~1b", "text", "1"),
        ("/c%d", "text", "2"),
        ("/m~0n", "text", "8"),
        ("/é\n", "text", "9"),
        ("/n", "json", "-"),
        ("/t", "text", "true"),
        ("/o/p", "json", "-0.0e+1"),
        ("/o/*", "text", "-0.0e+1"),
        ("/01", "text", "5"),
        ("/foo/0/x", "text", "-"),
        ("/*/1", "text", "baz"),
    ] {
        check(&document, at, take, expected);
    }
    assert_eq!(document.text_of("/foo/*", &mut Unmetered).unwrap(), ["bar", "baz"]);
}

#[test]
fn values_are_what_the_source_says() {
    for (source, take, expected) in [
        ("12345678901234567890.123456789012345678900", "text", "12345678901234567890.123456789012345678900"),
        (r#"" a \u00e9\ud83d\ude00\n\/ ""#, "raw", " a é😀\n/ "),
        (r#"" a \n b ""#, "text", "a b"),
        (r#""cut \ud83d""#, "raw", "cut \u{fffd}"),
        (r#""\ud83d\ud83d\ude00\udc00x""#, "raw", "\u{fffd}😀\u{fffd}x"),
        ("\n [ ] ", "json", "[ ]"),
    ] {
        check(&json(source), "", take, expected);
    }
    check(&json(r#"{"a": 1, "a": 2, "\u0061": 3}"#), "/a", "text", "3");
}

#[test]
fn what_is_not_json_is_refused_at_its_place() {
    for (source, line, column) in [
        ("", 1, 1),
        ("<html>", 1, 1),
        ("{\"a\":\n  tru}", 2, 6),
        ("[1,]", 1, 4),
        ("[1] 2", 1, 5),
        ("01", 1, 2),
        ("1.", 1, 3),
        ("-", 1, 2),
        ("\"a\nb\"", 1, 3),
        ("\"\\x\"", 1, 3),
        ("\"\\u12g4\"", 1, 6),
        ("{\"a\" 1}", 1, 6),
        ("{a: 1}", 1, 2),
        ("[1", 1, 3),
    ] {
        let refused = Document::parse(Format::Json, source.as_bytes(), None, None, &Limits::default(), &mut Unmetered)
            .unwrap_err();
        assert_eq!(refused, DocumentError::Malformed { line, column }, "{source:?}");
    }
}

#[test]
fn spans_point_into_the_source() {
    let source = r#"{"é": [1, {"token": "ab\"c"}]}"#;
    let span = json(source).json_span("/é/1/token", &mut Unmetered).unwrap().unwrap();
    assert_eq!(&source[span], r#""ab\"c""#);
    assert!(json(source).json_span("/x", &mut Unmetered).unwrap().is_none());
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|members| members.into_iter().collect())
        ]
    })
}

/// Every scalar with its pointer.
fn scalars(value: &Value, at: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| scalars(value, &format!("{at}/{index}"), found))
        }
        Value::Object(members) => members.iter().filter(|(name, _)| *name != "*").for_each(|(name, value)| {
            scalars(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found)
        }),
        scalar => found.push((at.to_owned(), scalar.clone())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_value_is_read_as_serde_json_reads_it(value in any_value(), pretty: bool) {
        let source = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let document = json(&source);
        let mut all = Vec::new();
        scalars(&value, "", &mut all);
        for (at, value) in all.iter().filter(|(at, _)| at.len() <= 512) {
            let raw = document.find(at, "raw", &mut Unmetered).unwrap();
            let source = document.find(at, "json", &mut Unmetered).unwrap();
            match value {
                Value::Null => prop_assert_eq!(raw, None),
                Value::String(text) => prop_assert_eq!(raw.as_ref(), Some(text)),
                other => prop_assert_eq!(raw, Some(other.to_string())),
            }
            let source = source.unwrap_or("null".into());
            prop_assert_eq!(&serde_json::from_str::<Value>(&source).unwrap(), value);
        }
    }

    #[test]
    fn the_grammar_is_serde_jsons(source in r#"([\[\]{},: ]|"(a|\\n|\\u00e9|\\q)*"|-|0|1|2\.5|e3|true|null|nul){0,12}"#) {
        let ours = Document::parse(Format::Json, source.as_bytes(), None, None, &Limits::default(), &mut Unmetered);
        let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&source);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", source);
    }
}
