//! Selectors that act on a live page of a browser. A page holds what was typed into it, and a selector that asks for values would spell a
//! secret out by yes and no: so they name things by tag, id, class, name and type, and by place, and by nothing else.

/// Longest selector, in bytes.
const BYTES_MAX: usize = 512;
/// Attributes that may be asked for.
const ATTRIBUTES: [&str; 4] = ["id", "class", "name", "type"];
/// Pseudo-classes of an element's place.
const PLACES: [&str; 6] = ["first-child", "last-child", "only-child", "first-of-type", "last-of-type", "only-of-type"];
/// The same, with a number.
const COUNTED: [&str; 4] = ["nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type"];

/// What a live selector may be, for messages.
pub const LIVE_SELECTORS: &str = "a live selector has at most 512 bytes and names elements by tag, #id, .class, [id], [class], \
     [name], [type] and their place (:first-child, :nth-child(2), ...), joined by blanks, `>`, `+`, `~` and `,`";

/// Whether a text is such a selector. Whether CSS reads it is for the browser to say.
#[must_use]
pub fn is_live_selector(text: &str) -> bool {
    if text.trim().is_empty() || text.len() > BYTES_MAX {
        return false;
    }
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let after = &rest[next.len_utf8()..];
        rest = match next {
            '[' => match attribute(after) {
                Some(rest) => rest,
                None => return false,
            },
            ':' => match place(after) {
                Some(rest) => rest,
                None => return false,
            },
            ' ' | '>' | '+' | '~' | ',' | '*' | '#' | '.' | '-' | '_' => after,
            c if c.is_alphanumeric() => after,
            _ => return false,
        };
    }
    true
}

/// `name=value]`, quoted or not, whole or by `~=`, `^=`, `$=`, `*=`, `|=`.
fn attribute(text: &str) -> Option<&str> {
    let name = text.find(|c: char| !c.is_ascii_alphabetic()).map(|end| &text[..end])?;
    if !ATTRIBUTES.contains(&name) {
        return None;
    }
    let rest = &text[name.len()..];
    if let Some(rest) = rest.strip_prefix(']') {
        return Some(rest);
    }
    let rest = rest.strip_prefix(['~', '^', '$', '*', '|']).unwrap_or(rest).strip_prefix('=')?;
    match rest.chars().next()? {
        quote @ ('"' | '\'') => {
            let (value, rest) = rest[1..].split_once(quote)?;
            (!value.contains('\\')).then(|| rest.strip_prefix(']'))?
        }
        _ => {
            let (value, rest) = rest.split_once(']')?;
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
            (!value.is_empty() && value.chars().all(plain)).then_some(rest)
        }
    }
}

fn place(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_alphabetic() && c != '-').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if PLACES.contains(&name) {
        return Some(rest);
    }
    let (number, rest) = rest.strip_prefix('(').filter(|_| COUNTED.contains(&name))?.split_once(')')?;
    let counts = |c: char| c.is_ascii_digit() || matches!(c, 'n' | '+' | '-' | ' ');
    (!number.is_empty() && (number.chars().all(counts) || number == "odd" || number == "even")).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::is_live_selector;

    #[test]
    fn a_live_selector_asks_for_no_value() {
        for selector in [
            "#password",
            "form.login input[name=password]",
            "input[name='user[login]'], button[type=submit]",
            "#pad > button:nth-child(2n + 1)",
            "ul li:last-of-type + li ~ *",
            "[class~=\"key\"]",
            "main.été",
        ] {
            assert!(is_live_selector(selector), "{selector}");
        }
        for selector in [
            "",
            " ",
            "input[value^=s3]",
            "input[VALUE]",
            "input[ value]",
            "input[data-key='3']",
            "input:invalid",
            "input:placeholder-shown",
            "form:has(input)",
            ":is(input[value])",
            "input[name=a i][value=b]",
            "input[name='a\\'][value=b]']",
            "a:not([value])",
            "div::before",
            "input\\[value\\]",
            "b|input",
            "{}",
            "[name",
            "li:nth-child(2 of [value])",
        ] {
            assert!(!is_live_selector(selector), "{selector}");
        }
        assert!(!is_live_selector(&"a".repeat(513)));
    }
}
