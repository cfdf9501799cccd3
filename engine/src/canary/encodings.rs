//! The encodings in which a value could stand somewhere by accident: what programs do to a text on its way into a URL, a form, a page, a
//! log, a file. Each is a list of patterns, so that one pass finds all of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The value as it is and in all its encodings: percent-encoding and forms, twice also; JSON, JavaScript and the debug form of Rust; HTML;
/// Latin-1 and UTF-16 of both orders; hexadecimal; base64 of both alphabets at each of the three places where it can begin.
pub fn encodings(value: &str) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes();
    let mut all: BTreeSet<Vec<u8>> = BTreeSet::new();
    let texts = [vec![value.to_owned()], percent(value), escaped(value), entities(value)].concat();
    all.extend(texts.into_iter().map(String::into_bytes));
    all.extend([u16::to_le_bytes, u16::to_be_bytes].map(|order| value.encode_utf16().flat_map(order).collect()));
    all.extend(value.chars().map(|char| u8::try_from(char).ok()).collect::<Option<Vec<u8>>>());
    let hex = hex::encode(bytes);
    all.extend([hex.to_uppercase().into_bytes(), hex.into_bytes()]);
    for text in (0..3).filter_map(|start| base64_inside(bytes, start)) {
        let other = |byte: &u8| match byte {
            b'-' => b'+',
            b'_' => b'/',
            same => *same,
        };
        all.insert(text.iter().map(other).collect());
        all.insert(text);
    }
    all.into_iter().collect()
}

/// In URLs and forms: what is left as it is differs from encoder to encoder. Some encode what was encoded.
fn percent(value: &str) -> Vec<String> {
    // RFC 3986; forms; JavaScript's for a component, and for a whole address; paths.
    const LEFT: [&str; 5] = ["-._~", "-._*", "-._~!'()*", "-._~!'()*;,/?:@&=+$#", "-._~!$&'()*+,;=:@"];
    let encode = |text: &str, left: &str| {
        text.bytes().fold(String::new(), |mut all, byte| {
            if byte.is_ascii_alphanumeric() || left.as_bytes().contains(&byte) {
                all.push(char::from(byte));
            } else {
                let _ = write!(all, "%{byte:02X}");
            }
            all
        })
    };
    let mut all = vec![];
    for left in LEFT {
        let once = encode(value, left);
        let form = once.replace("%20", "+");
        all.extend(
            [(&once, LEFT[0]), (&once, LEFT[1]), (&form, LEFT[0]), (&form, LEFT[1])]
                .map(|(once, left)| encode(once, left)),
        );
        all.extend([lower_escapes(&once, '%', 2), lower_escapes(&form, '%', 2), form, once]);
    }
    all
}

/// In JSON and JavaScript, by several writers, and as Rust writes a text for developers.
fn escaped(value: &str) -> Vec<String> {
    let json = serde_json::Value::from(value).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let unicode = |text: &str, is_escaped: &dyn Fn(char) -> bool| {
        text.chars().fold(String::new(), |mut all, char| {
            if is_escaped(char) {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    let _ = write!(all, "\\u{unit:04X}");
                }
            } else {
                all.push(char);
            }
            all
        })
    };
    let ascii = unicode(&json, &|char| !char.is_ascii());
    // For a page: nothing in it may end a script or begin an element.
    let for_page = |text: &str| unicode(text, &|char| "<>&'+".contains(char));
    let pages = [for_page(&json), for_page(&ascii), unicode(&json, &|char| "<>&".contains(char))];
    let mut all = vec![value.escape_debug().to_string(), value.escape_default().to_string()];
    all.push(value.escape_debug().to_string().replace("\\'", "'"));
    for text in [vec![json, ascii], pages.into()].concat() {
        all.extend([lower_escapes(&text, 'u', 4), text.replace('/', "\\/"), text]);
    }
    all
}

/// In HTML and XML.
fn entities(value: &str) -> Vec<String> {
    let minimal = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let quoted = minimal.replace('"', "&quot;");
    let mut all = vec![quoted.replace('\'', "&#39;"), quoted.replace('\'', "&#x27;"), quoted.replace('\'', "&apos;")];
    all.push(minimal.replace('"', "&#34;").replace('\'', "&#39;"));
    all.extend([minimal, quoted]);
    let numbers = |text: &String| {
        let number = |char: char| if char.is_ascii() { char.to_string() } else { format!("&#{};", u32::from(char)) };
        text.chars().map(number).collect::<String>()
    };
    let hex = |text: &String| {
        let number = |char: char| if char.is_ascii() { char.to_string() } else { format!("&#x{:X};", u32::from(char)) };
        text.chars().map(number).collect::<String>()
    };
    let more: Vec<String> = all.iter().flat_map(|text| [numbers(text), hex(text)]).collect();
    all.extend(more);
    all
}

/// The same with lower-case digits after each mark.
fn lower_escapes(text: &str, mark: char, digits: usize) -> String {
    let mut lower = 0;
    text.chars()
        .map(|char| {
            lower = if char == mark { digits + 1 } else { lower.saturating_sub(1) };
            if lower > 0 && char != mark { char.to_ascii_lowercase() } else { char }
        })
        .collect()
}

/// The characters that every base64 text has which holds these bytes at this offset from a multiple of three.
fn base64_inside(bytes: &[u8], offset: usize) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let whole = bytes.get((3 - offset) % 3..)?;
    let text = whole.chunks_exact(3).flat_map(|three| {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift & 63) as usize])
    });
    let text: Vec<u8> = text.collect();
    (text.len() >= 8).then_some(text)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    /// Encoders of others.
    type Encoder = (&'static str, fn(&str) -> Vec<u8>);
    const ENCODERS: [Encoder; 15] = [
        ("form", |text| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().into()),
        ("query", |text| {
            let mut url = url::Url::parse("https://bank.example").unwrap();
            url.query_pairs_mut().append_pair("p", text);
            url.to_string().into()
        }),
        ("form in a form", |text| {
            let once: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            url::form_urlencoded::byte_serialize(once.replace('+', "%20").as_bytes()).collect::<String>().into()
        }),
        ("json", |text| serde_json::json!({ "p": text }).to_string().into()),
        ("debug", |text| format!("Login({text:?})").into()),
        ("html", |text| {
            let entity = |char| match char {
                '&' => "&amp;".to_owned(),
                '<' => "&lt;".to_owned(),
                '>' => "&gt;".to_owned(),
                '"' => "&quot;".to_owned(),
                other => other.to_string(),
            };
            format!("<p title=\"{}\">", text.chars().map(entity).collect::<String>()).into()
        }),
        ("rust", |text| text.escape_default().to_string().into()),
        ("utf-16 little", |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("utf-16 big", |text| text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("latin-1", |text| text.chars().map(|char| u8::try_from(char).unwrap()).collect()),
        ("hex", |text| hex::encode(text).into()),
        ("HEX", |text| hex::encode_upper(text).into()),
        ("base64", |text| STANDARD.encode(text).into()),
        ("base64, one in", |text| STANDARD.encode(format!("x{text}")).into()),
        ("base64url, two in", |text| URL_SAFE_NO_PAD.encode(format!("xy{text}")).into()),
    ];

    fn holds(place: &[u8], pattern: &[u8]) -> bool {
        place.windows(pattern.len()).any(|window| window == pattern)
    }

    proptest! {
        #[test]
        fn each_encoding_of_a_mark_is_found_and_only_by_its_pattern(
            name in "[a-z0-9]{4,20}",
            tail in proptest::sample::subsequence("éü /+?&=%<>\"'\\~!*()".chars().collect::<Vec<_>>(), 4..12),
        ) {
            // One that each of them changes.
            let mark = format!("{name}é \"<&/+{}", tail.into_iter().collect::<String>());
            for (encoder, encode) in ENCODERS {
                let place = encode(&mark);
                prop_assert!(!holds(&place, mark.as_bytes()), "{encoder} leaves {mark:?} as it is");
                prop_assert!(encodings(&mark).iter().any(|pattern| holds(&place, pattern)), "{encoder} of {mark:?}");
                let other = encode(&mark.replace('é', "ê"));
                prop_assert!(!encodings(&mark).iter().any(|pattern| holds(&other, pattern)), "{encoder}: another is found");
            }
        }
    }

    #[test]
    fn a_value_is_found_as_other_writers_encode_it() {
        let value = "né/o'<\"&>+ 7";
        for text in [
            "n%C3%A9%2Fo'%3C%22%26%3E%2B%207", // encodeURIComponent
            "n%c3%a9%2fo%27%3c%22%26%3e%2b%207",
            "n\\u00e9/o'<\\\"&>+ 7", // Python's json
            "n\\u00E9\\/o'<\\\"&>+ 7",
            "né/o'\\u003c\\\"\\u0026\\u003e+ 7", // Go's json
            "né/o&#39;&lt;&#34;&amp;&gt;+ 7",    // Go's html
            "né/o&#x27;&lt;&quot;&amp;&gt;+ 7",  // Python's html
            "n&#233;/o'&lt;\"&amp;&gt;+ 7",
        ] {
            assert!(encodings(value).iter().any(|pattern| holds(text.as_bytes(), pattern)), "{text}");
        }
    }
}
