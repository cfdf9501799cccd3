//! Names, and which parts of them may stay. A name is what a site calls a thing, not what it says of a person: but sites do put account
//! numbers into ids and people into members of objects. So a name stays only as far as it is made of words in `words.txt`, which is the
//! same for every connector, or is named by the manifest.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("words.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
});

/// Whether this is one of the words, in any case.
pub(crate) fn knows(word: &str) -> bool {
    WORDS.contains(word) || WORDS.contains(word.to_lowercase().as_str())
}

/// The runs of letters, of digits and of neither; capitals begin a new word: `bankAccount2` is `bank`, `Account`, `2`.
pub(crate) fn pieces(name: &str) -> Vec<Range<usize>> {
    let kind = |c: char| {
        if c.is_numeric() {
            'n'
        } else if c.is_alphanumeric() {
            'l'
        } else {
            '-'
        }
    };
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut previous = None;
    for (at, c) in name.char_indices() {
        let hump = |before: char| before.is_lowercase() && c.is_uppercase();
        let joins = previous.is_some_and(|before| kind(before) == kind(c) && !hump(before));
        match pieces.last_mut().filter(|_| joins) {
            Some(piece) => piece.end = at + c.len_utf8(),
            None => pieces.push(at..at + c.len_utf8()),
        }
        previous = Some(c);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_falls_into_its_words() {
        for (name, wanted) in [
            ("bankAccount2", vec!["bank", "Account", "2"]),
            ("message-erreur", vec!["message", "-", "erreur"]),
            ("IBAN", vec!["IBAN"]),
            ("h1", vec!["h", "1"]),
            ("", vec![]),
        ] {
            let found: Vec<&str> = pieces(name).into_iter().map(|piece| &name[piece]).collect();
            assert_eq!(found, wanted);
        }
        assert!(knows("IBAN") && knows("montant") && knows("libellé") && !knows("dupont"));
    }
}
