use super::*;

#[track_caller]
fn decoded(format: Format, bytes: &[u8], transport: Option<&str>, at: &str, text: &str, charset: &str) {
    let document = Document::parse(format, bytes, transport, None, &Limits::default(), &mut Unmetered).unwrap();
    assert_eq!(document.charset(), charset);
    check(&document, at, "text", text);
}

#[test]
fn the_charset_is_found_as_browsers_find_it() {
    let page = |head: &str| [head.as_bytes(), b"<p>caf\xe9"].concat();
    let html = |head: &str, transport, charset| decoded(Format::Html, &page(head), transport, "p", "café", charset);
    html("", None, "windows-1252");
    html("", Some("ISO-8859-15"), "ISO-8859-15");
    html("", Some("no-such-charset"), "windows-1252");
    html("<meta charset=iso-8859-15>", None, "ISO-8859-15");
    html("<meta charset='utf-8'>", Some("latin1"), "windows-1252");
    html("<META HTTP-EQUIV='Content-Type' CONTENT='text/html; charset=\"iso-8859-15\"'>", None, "ISO-8859-15");
    html("<meta content='text/html; charset=iso-8859-15'>", None, "windows-1252");
    html("<!-- <meta charset=utf-8> --><a title='<meta charset=utf-8>'>", None, "windows-1252");
    html("<?php <meta charset=utf-8 ?><meta name=x charset=iso-8859-15>", None, "ISO-8859-15");
    html(&format!("{}<meta charset=utf-8>", " ".repeat(1024)), None, "windows-1252");
    decoded(Format::Html, "<meta charset=utf-16><p>café".as_bytes(), None, "p", "café", "UTF-8");
    decoded(Format::Html, "\u{feff}<p>café".as_bytes(), Some("latin1"), "p", "café", "UTF-8");
    let wide: Vec<u8> = "\u{feff}<p>café".encode_utf16().flat_map(u16::to_le_bytes).collect();
    decoded(Format::Html, &wide, None, "p", "café", "UTF-16LE");
}

#[test]
fn xml_declares_its_charset_and_json_has_none() {
    let declared = b"<?xml version='1.0' encoding='ISO-8859-15'?><p>caf\xe9</p>";
    decoded(Format::Xml, declared, None, "p", "café", "ISO-8859-15");
    decoded(Format::Xml, "<p>café</p>".as_bytes(), None, "p", "café", "UTF-8");
    decoded(Format::Xml, b"<p>caf\xe9</p>", Some("latin1"), "p", "café", "windows-1252");
    let wide: Vec<u8> = "<?xml version='1.0'?><p>café</p>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    decoded(Format::Xml, &wide, None, "p", "café", "UTF-16BE");
    decoded(Format::Json, "\u{feff}\"café\"".as_bytes(), Some("latin1"), "", "café", "UTF-8");
    decoded(Format::Json, b"\"caf\xe9\"", None, "", "caf\u{fffd}", "UTF-8");
}

#[test]
fn a_content_type_names_format_and_charset() {
    use crate::document::charset::label_of;
    assert_eq!(label_of("text/html; Charset=\"utf-8\""), Some("utf-8"));
    assert_eq!(label_of("text/html;boundary=x; charset=latin1"), Some("latin1"));
    assert_eq!(label_of("text/html"), None);
    for (content_type, format) in [
        ("text/html; charset=x", Some(Format::Html)),
        ("application/xhtml+xml", Some(Format::Html)),
        ("Application/Problem+JSON", Some(Format::Json)),
        ("image/svg+xml", Some(Format::Xml)),
        ("application/pdf", None),
    ] {
        assert_eq!(Format::of_content_type(content_type), format);
    }
}
