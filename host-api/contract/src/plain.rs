//! Text that shows all of itself. What a manifest or a component says of itself is read by people who decide by it, on a terminal, so no
//! character may move the cursor, turn the line around or have no width. Such characters are written as escapes; nothing is left out.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a reader would not see the character, or not where it stands: controls, line separators, format characters.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with what would not be seen written out, such as `\n` and `\u{202e}`.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unseen(c) => {
                // Writing into a `String` does not fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_is_not_seen_is_written_out_and_the_rest_is_left_alone() {
        assert_eq!(plain("Crédit Ω 漢字 'a'"), "Crédit Ω 漢字 'a'");
        assert_eq!(plain("a\r\n\u{1b}[2Kb\u{202e}c\u{200b}"), "a\\r\\n\\u{1b}[2Kb\\u{202e}c\\u{200b}");
        assert_eq!(plain("1\u{a0}234\u{9b}\u{2028}\u{61c}"), "1\u{a0}234\\u{9b}\\u{2028}\\u{61c}");
    }
}
