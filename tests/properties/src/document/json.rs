//! The same JSON by `serde_json`.

use consentry_contract::document::{Document, Unmetered};
use serde_json::Value;

use super::Question;

/// Pointers lead to the same values; what is read as JSON is JSON.
pub(super) fn agrees(document: &Document, question: &Question<'_>) {
    let source = document.source(&mut Unmetered).unwrap();
    // It is stricter about numbers (none is too large for us) and halves of surrogates (which are read as U+FFFD), and about depth.
    let Ok(value) = serde_json::from_str::<Value>(&source) else {
        let lenient =
            source.contains("\\u") || source.contains('\\') || source.contains(['e', 'E']) || source.len() > 128;
        assert!(lenient, "serde_json refuses {source:?}");
        return;
    };
    if question.at.contains('*') || (!question.at.is_empty() && !question.at.starts_with('/')) {
        return;
    }
    let Ok(found) = document.find(question.at, "json", &mut Unmetered) else { return };
    let expected = value.pointer(question.at).filter(|value| !value.is_null());
    let found = found.map(|text| serde_json::from_str::<Value>(&text).unwrap());
    assert_eq!(found.as_ref(), expected, "at {:?}", question.at);
    if let Some(Value::String(text)) = expected {
        assert_eq!(document.find(question.at, "raw", &mut Unmetered).unwrap().as_ref(), Some(text));
    }
}
