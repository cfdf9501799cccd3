//! Whole answers: their formats, charsets and syntax.

use super::*;

const SECRET: &str = "p<b>w\"1&lt; x";

fn text(scrubbed: &Scrubbed) -> String {
    String::from_utf8(scrubbed.bytes.clone()).unwrap()
}

#[test]
fn what_a_site_forgets_to_escape_is_found_before_it_is_read_as_markup() {
    let scrub = scrub(SECRET);
    for (source, left) in [
        (format!("<p>Hello {SECRET}!</p>"), "<p>Hello ***!</p>"),
        (format!("<p title=\"{SECRET}\">a</p>"), "<p title=\"***\">a</p>"),
        (format!("<p title={SECRET}>a</p>"), "<p title=\"***\">a</p>"),
        (format!("<p>a<!-- {SECRET} --></p>"), "<p>a<!-- *** --></p>"),
        (format!("<p>a</p><script>var p = '{SECRET}'</script>"), "<p>a</p><script>var p = '***'</script>"),
    ] {
        let page = body(&scrub, Some(Format::Html), source.as_bytes());
        assert!(
            find(page.document.as_ref().unwrap(), "html", "html").unwrap().contains(left),
            "{source}: {}",
            text(&page)
        );
        assert!(text(&page).contains("***") && !text(&page).contains("w\"1"), "{source}: {}", text(&page));
    }
}

#[test]
fn what_stands_in_several_elements_is_read_as_one() {
    let scrub = scrub("s3cret-word");
    let page = body(
        &scrub,
        Some(Format::Html),
        b"<p><b>s3c</b>ret<i>-w<script>1</script>o</i>rd, <u>no</u></p><p>s3cret</p><p>-word</p>",
    );
    assert_eq!(find(page.document.as_ref().unwrap(), "p", "text").as_deref(), Some("***, no"));
    assert!(text(&page).contains("<p>s3cret</p><p>-word</p>"), "{}", text(&page));
    // Markup inside data, which a connector may open.
    let data = body(&scrub, Some(Format::Json), br#"{"html": "<b>s3c<\/b>ret-<i>w</i>ord", "n": 1.50}"#);
    assert_eq!(text(&data), r#"{"html": "<b>***</b><i></i>", "n": 1.50}"#);
    let nested = data.document.unwrap().nested("/html", Format::Html, &mut Unmetered).unwrap().unwrap();
    assert_eq!(find(&nested, "body", "text").as_deref(), Some("***"));
}

#[test]
fn what_no_tree_has_is_not_in_the_bytes_either() {
    let scrub = scrub("s3cret-word");
    for source in [
        "<p>Hello<p title=\"a\" title=\"s3cret-word\">x</p>",
        "<p>Hello<input value=s3cret-word",
        "<p>Hello</p><p/title='s3cret-word' title=s3cret-word/><!doctype s3cret-word>",
        "<p>Hello</p></s3cret-word><table><s3cret-word/></table></p title='s3cret-word'>",
        "<p>Hello<svg>s3cret<b>-word</b></svg>",
    ] {
        let page = body(&scrub, Some(Format::Html), source.as_bytes());
        let document = page.document.as_ref().unwrap();
        assert!(find(document, "html", "text").unwrap().starts_with("Hello"), "{source}");
        let left = text(&page).replace("<s3cret-word>", "").replace("</s3cret-word>", "");
        assert!(!left.contains("s3cret") && left.contains("Hello"), "{source}: {}", text(&page));
    }
}

#[test]
fn data_keeps_its_syntax_whatever_it_calls_itself() {
    let scrub = scrub("12345678");
    let source = r#"{"pin": 12345678, "12345678": "x", "other": 112345678, "amount": 12.50}"#;
    let left = r#"{"pin": "***", "***": "x", "other": 112345678, "amount": 12.50}"#;
    for format in [Some(Format::Json), Some(Format::Html), Some(Format::Xml), None] {
        let data = body(&scrub, format, source.as_bytes());
        assert_eq!(text(&data), left, "{format:?}");
        assert_eq!(data.document.map(|document| document.format()), format);
    }
    let broken = body(&scrub, Some(Format::Json), br#"{"pin": 12345678, "#);
    assert_eq!((text(&broken).as_str(), broken.document.is_none()), (r#"{"pin": ***, "#, true));
}

#[test]
fn a_page_in_another_charset_stays_in_it() {
    let scrub = scrub("Zoë-1234");
    let url = Url::parse("https://bank.example/").unwrap();
    let read = |label: &str, bytes: Vec<u8>| {
        scrub.body(Some(Format::Html), bytes, Some(label), &url, &Limits::default(), &mut Unmetered).unwrap()
    };
    let page = "<p>é Zoë-1234</p><form><input name=a value='Zo&euml;-1234'></form>";
    let latin = read("iso-8859-1", encoding_rs::WINDOWS_1252.encode(page).0.into_owned());
    assert_eq!(latin.charset, Some("windows-1252"));
    assert!(latin.bytes.windows(11).any(|window| window == b"<p>\xe9 ***</p"), "{latin:?}");
    let form = latin.document.unwrap().form("form", &mut Unmetered).unwrap().unwrap();
    assert_eq!((form.charset.as_str(), form.fields[0].1.as_str()), ("windows-1252", "***"));
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(page.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let wide = read("utf-8", wide);
    assert_eq!((wide.charset, find(&wide.document.unwrap(), "p", "text").as_deref()), (Some("UTF-8"), Some("é ***")));
    // In a charset that the page does not say it has, nobody reads it, but the bytes can be asked for.
    for (label, bytes) in [("utf-8", b"<p>Zo\xeb-1234</p>".to_vec()), ("iso-8859-1", "<p>Zoë-1234</p>".into())] {
        let page = read(label, bytes);
        assert!(page.bytes.windows(3).any(|window| window == b"***"), "{label}: {page:?}");
    }
}

#[test]
fn what_is_no_text_is_searched_as_bytes() {
    let scrub = scrub("s3cret-word");
    let pdf = [
        b"%PDF-1.4\n\0\xff(s3cret-word) ".as_slice(),
        b"czNjcmV0LXdvcmQ= ",
        b"\0s\x003\0c\0r\0e\0t\0-\0w\0o\0r\0d\xfe",
    ]
    .concat();
    let left = body(&scrub, None, &pdf);
    assert_eq!(left.bytes, b"%PDF-1.4\n\0\xff(***) ***= ***\xfe");
    assert!(left.charset.is_none() && left.document.is_none());
    let untouched = body(&scrub, None, b"\0\xff\xfe nothing");
    assert_eq!(untouched.bytes, b"\0\xff\xfe nothing");
    assert!(body(&scrub, Some(Format::Html), b"").document.is_none());
}

#[test]
fn an_answer_that_is_too_much_is_withheld() {
    let scrub = scrub("s3cret-word");
    let url = Url::parse("https://bank.example/").unwrap();
    let limits = Limits { source_bytes: 100, ..Limits::default() };
    for (format, body) in [(Format::Html, "x".repeat(101)), (Format::Json, format!("[{}]", "1,".repeat(60)))] {
        let answer = scrub.body(Some(format), body.into_bytes(), None, &url, &limits, &mut Unmetered);
        assert!(matches!(answer, Err(DocumentError::Limit { which: "source_bytes", .. })), "{answer:?}");
    }
    let answer = scrub.body(Some(Format::Html), b"<p>".to_vec(), None, &url, &limits, &mut Allowance(0));
    assert!(matches!(answer, Err(DocumentError::Exhausted(_))), "{answer:?}");
}

/// Whatever stands behind `<?` up to a blank is its target, to a parser.
#[test]
fn an_instruction_is_searched_from_its_first_sign_on() {
    let scrub = scrub("p4ss.w0rd");
    for (source, expected) in [
        ("<a><?p4ss.w0rd x?></a>", "<a><?*** x?></a>"),
        ("<a><?b>p4ss.w0rd</b> c?></a>", "<a><?b>***</b> c?></a>"),
        ("<a><?b p4ss.w0rd?></a>", "<a><?b ***?></a>"),
    ] {
        let scrubbed = body(&scrub, Some(Format::Xml), source.as_bytes());
        assert_eq!(String::from_utf8_lossy(&scrubbed.bytes), expected, "{source}");
    }
}
