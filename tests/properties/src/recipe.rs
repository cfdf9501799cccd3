//! Structures of secret values as manifests write them: what is printed reads back as the same, so an operator approves what is enforced.

use consentry_contract::recipe::{LeafKind, Pattern, Slot};

use crate::bound::bounded;
use crate::text::plain;

/// Takes the text of a recipe, and of a slot behind its last newline.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (recipe, slot) = text.rsplit_once('\n').unwrap_or((text, ""));
    if let Some(slot) = Slot::parse(slot) {
        let printed = slot.to_string();
        assert_eq!(Slot::parse(&printed).as_ref(), Some(&slot), "{printed:?}");
    }
    match bounded("reading a recipe", recipe.len(), || Pattern::parse(recipe)) {
        Err(error) => plain("what is wrong with a recipe", &error.to_string()),
        Ok(pattern) => {
            let printed = pattern.to_string();
            plain("a recipe", &printed);
            let again = Pattern::parse(&printed).unwrap_or_else(|error| panic!("{printed:?} does not read: {error}"));
            assert_eq!(again, pattern, "{printed:?}");
            assert_eq!(again.to_string(), printed);
            for leaf in pattern.named() {
                assert!(LeafKind::ALL.contains(&leaf.kind) && printed.contains(&leaf.to_string()), "{leaf}");
                assert!(pattern.holds(leaf), "{leaf}");
            }
        }
    }
}
