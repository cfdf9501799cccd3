//! Texts that people read: on a terminal, in a log, before they say yes.

/// Whether a text is one line in which everything is seen: nothing that moves a cursor, turns a line around or has no width.
pub(crate) fn is_plain(text: &str) -> bool {
    let unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    !text.contains(unseen)
}

#[track_caller]
pub(crate) fn plain(what: &str, text: &str) {
    assert!(is_plain(text), "{what} holds what is not seen: {text:?}");
}

/// A line of somebody's data: marks and joiners belong to some scripts, but nothing breaks it or turns it around.
#[track_caller]
pub(crate) fn straight(text: &str) {
    let bent = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(bent), "{text:?}");
}
