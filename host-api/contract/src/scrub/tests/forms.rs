//! Every form of a secret, alone and in places where answers have them.

use proptest::prelude::*;

use super::*;

/// Secrets as people and sites make them.
fn secrets() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{5,20}", "[a-zA-Z]{5,12}", "[0-9]{5,9}", "[a-zA-Z0-9!é€ñ&<>\"'%+/=\\\\ ]{6,24}", "\\PC{5,12}",]
}

fn encoders() -> impl Strategy<Value = Encoder> {
    prop::sample::select(Encoder::ALL.to_vec())
}

/// The secret between other characters, in two encodings, one inside the other.
fn written() -> impl Strategy<Value = (String, Encoder, Encoder, Marked)> {
    (secrets(), encoders(), encoders(), 0..3_usize).prop_filter_map("text", |(secret, inner, outer, before)| {
        let wide = |encoder| matches!(encoder, Encoder::Utf16Le | Encoder::Utf16Be);
        if wide(inner) && wide(outer) {
            return None;
        }
        let mut bytes = b"~~"[..before.min(2)].to_vec();
        let start = bytes.len();
        bytes.extend_from_slice(secret.as_bytes());
        let end = bytes.len();
        bytes.extend_from_slice(&b"~~~"[..3 - before]);
        let marked = outer.encode(&inner.encode(&(bytes, start..end))?)?;
        Some((secret, inner, outer, marked))
    })
}

/// Between `[1|` and `|2]`, so that neither joins a word, a run or an escape.
fn framed((bytes, range): &Marked) -> Marked {
    ([b"[1|", bytes.as_slice(), b"|2]"].concat(), range.start + 3..range.end + 3)
}

/// Whether it is what was expected. The zeros around a text in UTF-16 may have gone with it, and the second half of an escaped backslash
/// at its end may be left.
fn same(found: &str, expected: &str, encoders: [Encoder; 2]) -> bool {
    if found == expected || found.replacen("***\\", MASK, 1) == expected {
        return true;
    }
    let (found, expected) = (found.replace('\0', ""), expected.replace('\0', ""));
    let wide = encoders.iter().any(|encoder| matches!(encoder, Encoder::Utf16Le | Encoder::Utf16Be));
    let (Some((before, behind)), Some((start, end))) = (found.split_once(MASK), expected.split_once(MASK)) else {
        return false;
    };
    wide && start.starts_with(before) && end.ends_with(behind)
}

/// As text, if it is; what has a control character in it no markup can hold.
fn as_text((bytes, range): &Marked) -> Option<(String, String)> {
    let text = String::from_utf8(bytes.clone()).ok().filter(|text| !text.contains(char::is_control))?;
    Some((text, String::from_utf8(masked(&(bytes.clone(), range.clone()))).ok()?))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\u{a0}', "&nbsp;")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn two_encodings_hide_no_secret_in_bytes((secret, inner, outer, marked) in written()) {
        let marked = framed(&marked);
        let found = scrub(&secret).bytes(&marked.0, &mut Unmetered).unwrap();
        let found = String::from_utf8_lossy(&found.unwrap_or_default()).into_owned();
        let expected = String::from_utf8_lossy(&masked(&marked)).into_owned();
        prop_assert!(same(&found, &expected, [inner, outer]), "{:?} in {:?}: {:?} {:?}", inner, outer, found, expected);
    }

    #[test]
    fn no_question_to_a_page_finds_a_secret((secret, inner, outer, marked) in written()) {
        let Some((text, expected)) = as_text(&framed(&marked)) else { return Ok(()) };
        let scrub = scrub(&secret);
        let in_markup = escaped(&text);
        let page = format!("<body><p>{in_markup}</p><input value=\"{in_markup}\"><textarea>{in_markup}</textarea>");
        let page = body(&scrub, Some(Format::Html), page.as_bytes());
        let document = page.document.as_ref().unwrap();
        for (at, take) in [("p", "raw"), ("input", "attr:value"), ("textarea", "raw")] {
            let found = find(document, at, take).unwrap_or_default();
            prop_assert!(same(&found, &expected, [inner, outer]), "{} {}: {:?} {:?}", at, take, found, expected);
        }
        let again = Document::parse(Format::Html, &page.bytes, page.charset, None, &Limits::default(), &mut Unmetered);
        let again = again.unwrap();
        prop_assert_eq!(find(&again, "", "html"), find(document, "", "html"));
    }

    #[test]
    fn no_selector_tells_the_beginning_of_a_secret(secret in "[a-z0-9]{2,8}!") {
        let page = format!("<input value='{secret}'><a href='/x/{secret}'></a>");
        let scrubbed = body(&scrub(&format!("pw{secret}")), Some(Format::Html), page.replace(&secret, &format!("pw{secret}")).as_bytes());
        let document = scrubbed.document.unwrap();
        let whole = format!("pw{secret}");
        for end in 1..whole.len() {
            for at in [format!("[value^='{}']", &whole[..end]), format!("[value*='{}']", &whole[..end])] {
                prop_assert!(!document.exists(&at, &mut Unmetered).unwrap(), "{}", at);
            }
        }
    }

    #[test]
    fn no_question_to_data_finds_a_secret((secret, inner, outer, marked) in written()) {
        let Some((text, expected)) = as_text(&framed(&marked)) else { return Ok(()) };
        let scrub = scrub(&secret);
        let json = serde_json::json!({ "a": [text], text.clone(): 1, "b": { "c": text } }).to_string();
        for format in [Some(Format::Json), None] {
            let scrubbed = body(&scrub, format, json.as_bytes());
            let read: serde_json::Value = serde_json::from_slice(&scrubbed.bytes).unwrap();
            let name = read.as_object().unwrap().keys().find(|name| *name != "a" && *name != "b").cloned();
            for found in [read["a"][0].as_str(), name.as_deref(), read["b"]["c"].as_str()] {
                prop_assert!(same(found.unwrap_or_default(), &expected, [inner, outer]), "{:?} {:?}", found, expected);
            }
        }
        let in_markup = escaped(&text).replace("&nbsp;", "&#160;");
        let xml = body(&scrub, Some(Format::Xml), format!("<a><b>{in_markup}</b><c d=\"{in_markup}\"/></a>").as_bytes());
        for (at, take) in [("b", "raw"), ("c", "attr:d")] {
            let found = find(xml.document.as_ref().unwrap(), at, take).unwrap_or_default();
            prop_assert!(same(&found, &expected, [inner, outer]), "{}: {:?} {:?}", at, found, expected);
        }
    }

    #[test]
    fn nothing_else_is_touched(text in "\\PC{0,60}") {
        prop_assert_eq!(scrub("Correct-Horse-7!").text(&text, &mut Unmetered).unwrap(), None);
    }

    #[test]
    fn no_bytes_break_it(secret in prop::collection::vec(any::<u8>(), 5..12), bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[%&\\\\<+0-9a-fA-Fux#;>{}=\u{0}]{0,80}") {
        let Some(secrets) = scrub_beside(&[&secret], &[]) else { return Ok(()) };
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = secrets.bytes(bytes, &mut Unmetered).unwrap();
            for format in [None, Some(Format::Html), Some(Format::Xml), Some(Format::Json)] {
                let _ = body(&secrets, format, bytes);
            }
        }
        let secret = [b"\xf5", secret.as_slice()].concat();
        let around = [bytes.as_slice(), &secret, b"\xff"].concat();
        let found = scrub_beside(&[&secret], &[]).unwrap().bytes(&around, &mut Unmetered).unwrap().unwrap();
        prop_assert!(!found.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn forms_that_come_in_many_ways() {
    let scrub = scrub("Zoë's \"pass\" 1<2");
    for (text, expected) in [
        ("%5A%6fë%27s%20\"pass%22+1%3c2;", "***;"),
        ("Zo&euml;&#39;s &quot;pass&#34; 1&lt2;", "***;"),
        ("Zo\\xebs Zo\\xeb\\'s \\\"pass\\u0022 1\\u003C2", "Zo\\xebs ***"),
        ("ZOË'S \"PASS\" 1<2", "***"),
        ("zoë's \"pass\" 1<2zoë's \"pass\" 1<2", "***"),
        ("Zo<b>ë's</b> <!-- x -->\"pass\" 1&lt;2 ", "***<b></b><!-- x --> "),
        ("%u005Ao%EB's \"pass\" 1<2", "***"),
        ("Wm/Dqydz\r\n ICJwYXNzIiAxPDI= Wm/DqydzICJwYXNz", "Wm/Dqydz\r\n ICJwYXNzIiAxPDI= Wm/DqydzICJwYXNz"),
    ] {
        assert_eq!(left(&scrub, text), expected, "{text}");
    }
    // Line breaks of a mail.
    let long = super::scrub("Correct-Horse-Battery-Staple");
    assert_eq!(left(&long, "(Q29ycmVjdC1Ib3JzZS1C\r\nYXR0ZXJ5LVN0YXBsZQ==)"), "(***==)");
}

#[test]
fn capitals_are_found_in_every_charset() {
    let scrub = scrub("motdépasse-ñ7");
    for text in ["motdépasse-ñ7", "MOTDÉPASSE-Ñ7"] {
        let western: Vec<u8> = text.chars().map(|c| u32::from(c) as u8).collect();
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for written in [text.as_bytes(), &western, &little, &big] {
            let around = [b"\x01\x01", written, b"\x01\x01"].concat();
            let found = scrub.bytes(&around, &mut Unmetered).unwrap();
            assert_eq!(found.as_deref(), Some(b"\x01\x01***\x01\x01".as_slice()), "{text} {written:?}");
        }
    }
}

#[test]
fn every_value_of_a_recipe_is_found_and_what_overlaps_leaves_nothing_in_between() {
    let digest = [0xdf, 0x32, 0x10, 0xab, 0xcd, 0xef, 0x99, 0x01];
    let scrub = scrub_beside(&[b"abc.ef", b".efghi", &digest], &[]).unwrap();
    for (text, expected) in [
        ("xx abc.efghi yy", "xx *** yy"),
        ("3zIQq83vmQE= DF3210ABCDEF9901", "***= ***"),
        ("abc.ef,abc.ef", "***,***"),
        ("abc.efabc.ef", "***"),
        ("abc.ef1.efghi", "***1***"),
    ] {
        assert_eq!(left(&scrub, text), expected, "{text}");
    }
}

#[test]
fn a_word_is_a_whole_word_and_a_short_secret_is_none() {
    let word = scrub("Paris");
    for (text, expected) in [
        ("75001 Paris", "75001 ***"),
        ("comparison Parisien éparis parisé", "comparison Parisien éparis parisé"),
        ("\"paris\" ?p=PARIS& \\u0022Paris %3DParis", "\"***\" ?p=***& \\u0022*** %3D***"),
        ("UGFyaXM= 5061726973", "***= ***"),
    ] {
        assert_eq!(left(&word, text), expected, "{text}");
    }
    let number = scrub("123456");
    assert_eq!(left(&number, "FR7612345600 123456 123456,00"), "FR7612345600 *** ***,00");
    let short = scrub_beside(&[b"1234", b"", "äöü€".as_bytes()], &[]).unwrap();
    assert_eq!(left(&short, "1234 äöü€"), "1234 äöü€");
    // What is done with an answer says nothing of a length.
    let page = b"<p TITLE='x'>broken";
    let written = |secret| body(&scrub(secret), Some(Format::Html), page).bytes;
    assert_eq!(written("1234"), written("123456"));
    assert!(scrub_beside(&[], &[]).is_none());
}

#[test]
fn an_address_keeps_its_origin() {
    for (secret, url, expected) in [
        ("s3cret!/", "https://bank.example/a?p=s3cret%21%2F&q=1#s3cret!/", "https://bank.example/a?p=***&q=1#***"),
        ("bank.example", "https://bank.example/bank.example/x", "https://bank.example/***/x"),
        ("/path/secret", "https://bank.example/path/secret", "https://bank.example/***"),
        ("Zoë 1234", "https://bank.example/?p=Zo%C3%AB+1234", "https://bank.example/?p=***"),
        ("Zoë 1234", "https://bank.example/?p=Zo%EB%201234", "https://bank.example/?p=***"),
    ] {
        let masked = scrub(secret).url(&Url::parse(url).unwrap(), &mut Unmetered).unwrap();
        assert_eq!(masked.as_ref().map(Url::as_str), Some(expected));
    }
    let none = scrub("s3cret").url(&Url::parse("https://s3cret.example/a").unwrap(), &mut Unmetered).unwrap();
    assert_eq!(none, None);
}

#[test]
fn large_texts_are_searched_to_the_end_and_at_somebodys_expense() {
    let scrub = scrub("Correct-Horse-7!");
    for at in [0, 255_990, 256 * 1024 - 7, 262_144, 600_000, 999_980] {
        let mut text = vec![b'.'; 1_000_000];
        let echo = b"Correct-Horse-7%21";
        text.splice(at..at + echo.len(), echo.iter().copied());
        let found = scrub.bytes(&text, &mut Unmetered).unwrap().unwrap();
        assert_eq!(found.len(), 1_000_000 - echo.len() + MASK.len(), "{at}");
        assert_eq!(&found[at..at + MASK.len()], MASK.as_bytes());
    }
    let exhausted = scrub.bytes(&vec![b'.'; 1_000_000], &mut Allowance(3));
    assert_eq!(exhausted, Err(DocumentError::Exhausted(Exhausted)));
    let values = [Zeroizing::new(vec![b'x'; 600_000])];
    let refused = Scrub::new(&values, &[], BYTES_MAX, &mut Unmetered);
    assert!(matches!(refused, Err(DocumentError::Limit { which: "secret_bytes", .. })), "{refused:?}");
    // Crafted so that everything overlaps.
    let all = super::scrub("aaaaaaaaaa1aaaaaaaaaa");
    let text = "aaaaaaaaaa1".repeat(20_000);
    assert_eq!(left(&all, &text), "***1");
}
