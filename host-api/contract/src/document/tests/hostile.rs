use proptest::prelude::*;

use super::*;

fn limited(format: Format, source: &str, limits: Limits) -> Result<Document, DocumentError> {
    Document::parse(format, source.as_bytes(), Some("utf-8"), None, &limits, &mut Unmetered)
}

#[track_caller]
fn breaks(format: Format, source: &str, which: &str) {
    match limited(format, source, Limits::default()) {
        Err(DocumentError::Limit { which: broken, .. }) => assert_eq!(broken, which),
        other => panic!("{other:?}"),
    }
}

/// A limit at which a source is read, one below which it is not.
#[track_caller]
fn edge(format: Format, source: &str, which: &'static str, max: usize) {
    let limits = |max| {
        let mut limits = Limits::default();
        *match which {
            "source_bytes" => &mut limits.source_bytes,
            "nodes" => &mut limits.nodes,
            "depth" => &mut limits.depth,
            "json_depth" => &mut limits.json_depth,
            "attributes" => &mut limits.attributes,
            "text_bytes" => &mut limits.text_bytes,
            _ => unreachable!(),
        } = max;
        limits
    };
    assert_eq!(limited(format, source, limits(max)).map(drop), Ok(()));
    let refused = limited(format, source, limits(max - 1)).map(drop);
    assert_eq!(refused, Err(DocumentError::Limit { which, max: max as u64 - 1 }));
}

#[test]
fn limits_hold_at_their_edges() {
    edge(Format::Json, "123", "source_bytes", 3);
    // document > html > body > p > b
    edge(Format::Html, "<p><b>", "depth", 4);
    // document, a, its attribute, text
    edge(Format::Xml, "<a b='1'>x</a>", "nodes", 4);
    edge(Format::Json, "[1, {\"a\": 2}]", "nodes", 4);
    edge(Format::Json, "[[1]]", "json_depth", 3);
    edge(Format::Html, "<p a b>", "attributes", 2);
    edge(Format::Html, "<body a><body b>", "attributes", 2);
    edge(Format::Html, "<p a=12>345", "text_bytes", 5);
}

#[test]
fn an_answer_has_a_limit() {
    let page = limited(Format::Html, "<p><b>12345</b></p>", Limits { answer_bytes: 9, ..Limits::default() }).unwrap();
    assert!(page.find("p", "text", &mut Unmetered).is_ok());
    let twice = page.text_of("p, b", &mut Unmetered).unwrap_err();
    assert_eq!(twice, DocumentError::Limit { which: "answer_bytes", max: 9 });
}

#[test]
fn a_crafted_page_is_given_up_early() {
    let big = 256 << 10;
    breaks(Format::Html, &"<div>".repeat(big / 5), "depth");
    breaks(Format::Html, &"<table><tr><td>".repeat(big / 15), "depth");
    breaks(Format::Html, &"<svg>".repeat(big / 5), "depth");
    breaks(Format::Xml, &"<a>".repeat(big / 3), "depth");
    breaks(Format::Json, &"[".repeat(big), "json_depth");
    breaks(Format::Html, &"<br>".repeat(big), "nodes");
    breaks(Format::Json, &format!("[{}1]", "1,".repeat(big)), "nodes");
    let attributes: String = (0..300).map(|n| format!(" a{n}")).collect();
    breaks(Format::Html, &format!("<p{attributes}>"), "attributes");
    // Before the tag ends, double ones included: each name is compared with those before it.
    breaks(Format::Html, &format!("<p{attributes}"), "attributes");
    breaks(Format::Html, &format!("<p{}", " a".repeat(300)), "attributes");
    // Few tags left open, cloned into every paragraph: 8 bytes of source make a hundred nodes.
    let open: String = (0..100).map(|n| format!("<font x={n}>")).collect();
    let closed = format!("<div>{open}</div>{}", "<p>x</p>".repeat(big / 8));
    breaks(Format::Html, &closed, "nodes");
    // The same with attribute values that are worth copying.
    let heavy = format!("<div><b title='{}'></div>{}", "x".repeat(60_000), "<p>x</p>".repeat(big / 8));
    breaks(Format::Html, &heavy, "text_bytes");
    // Misnested tags, for each of which the parser takes the page apart and puts it together again.
    let adopted: String = (0..20_000).map(|n| format!("<b x={n}><div></b>")).collect();
    breaks(Format::Html, &adopted, "depth");
}

#[test]
fn a_parse_is_charged_by_the_piece() {
    for (format, source) in [
        (Format::Html, format!("<!--{}-->", "<p>x".repeat(10)).repeat(10_000)),
        (Format::Html, "</p>".repeat(40_000)),
        (Format::Html, format!("{}{}", "<span>".repeat(300), "</b>".repeat(60_000))),
        (Format::Xml, format!("<a>{}</a>", "x".repeat(100_000))),
        (Format::Json, format!("[{}1]", "1,".repeat(100_000))),
    ] {
        let parse = |checks| {
            Document::parse(format, source.as_bytes(), Some("utf-8"), None, &Limits::default(), &mut Allowance(checks))
        };
        assert_eq!(parse(20).map(drop).unwrap_err(), DocumentError::Exhausted(Exhausted));
    }
}

#[test]
fn a_slow_selector_is_given_up() {
    let limits = Limits { steps: 1_000_000, ..Limits::default() };
    let source = format!("<div>{}</div>", "<i></i><b></b>".repeat(20_000));
    let page = limited(Format::Html, &source, limits).unwrap();
    for at in ["u ~ b", "i ~ u ~ b", "p i ~ b:not(u ~ b)"] {
        assert_eq!(
            page.find(at, "text", &mut Allowance(200)).unwrap_err(),
            DocumentError::Exhausted(Exhausted),
            "{at}"
        );
        let refused = page.find(at, "text", &mut Unmetered).unwrap_err();
        assert_eq!(refused, DocumentError::Limit { which: "steps", max: limits.steps }, "{at}");
    }
    // Positions among siblings are remembered, so the same page has this for the asking.
    assert_eq!(page.find("b:nth-child(39998)", "text", &mut Allowance(400)).unwrap().as_deref(), Some(""));
    let deep = html(&"<div>".repeat(500));
    assert!(deep.parts("div", &mut Allowance(20)).is_ok());
    assert_eq!(deep.text_of("div", &mut Allowance(20)).unwrap_err(), DocumentError::Exhausted(Exhausted));
}

const TAGS: &str = "a b p table tr td caption select option template svg math mi desc form input body html head title script textarea \
                    frameset frame noscript br li button nobr applet image annotation-xml selectedcontent x:y";
const ATTRIBUTES: &str = "| a=1| xmlns:x='u' x:a=\"&amp;\"| /| type=hidden| class='a b' id=i| encoding=text/html";
const PIECES: &str = "x| |\n|&lt|&#0;|&#xD800;|\0|<!--|-->|<![CDATA[|]]>|<!DOCTYPE x>|<?pi ?>|<|</|</>|é";

/// Pieces of markup that parsers stumble over.
fn any_markup() -> impl Strategy<Value = String> {
    let one_of = |all: &'static str, separator: char| prop::sample::select(all.split(separator).collect::<Vec<_>>());
    let tag = || one_of(TAGS, ' ');
    let piece = prop_oneof![
        (tag(), one_of(ATTRIBUTES, '|')).prop_map(|(tag, attributes)| format!("<{tag}{attributes}>")),
        tag().prop_map(|tag| format!("</{tag}>")),
        one_of(PIECES, '|').prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Asks everything of a document; that it comes back is the test.
fn ask_all(document: &Document) {
    let meter = &mut Unmetered;
    for at in ["", "*", ":root > * ~ *:not(:empty), :nth-last-child(2)", "form", "/*", "/0/*"] {
        for take in ["text", "own-text", "raw", "html", "attr:a", "url:x:a", "json"] {
            let _ = document.find(at, take, meter);
            let _ = document.clone().cut(at, take, "x", meter);
        }
        let _ = document.form(at, meter);
        for format in [Format::Html, Format::Xml, Format::Json] {
            let _ = document.nested(at, format, meter);
        }
    }
    let _ = document.source(meter);
    let all = &mut |shown: Shown<'_>, _: &mut dyn Meter| Ok(vec![vec![0..shown.text.len()]]);
    let _ = document.clone().rewrite(all, "", meter);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_panics_on_bytes(bytes: Vec<u8>, charset in prop::sample::select(vec![None, Some("utf-8"), Some("utf-16le"), Some("iso-2022-jp")])) {
        for format in [Format::Html, Format::Xml, Format::Json] {
            if let Ok(document) = Document::parse(format, &bytes, charset, None, &Limits::default(), &mut Unmetered) {
                ask_all(&document);
            }
        }
    }

    #[test]
    fn nothing_panics_on_markup(source in any_markup()) {
        for format in [Format::Html, Format::Xml] {
            ask_all(&open(format, &source));
        }
    }

    #[test]
    fn nothing_panics_on_questions(at in "\\PC{0,40}|[a-z.#:()\\[\\]>+~*, /0-9\"'|=^$-]{0,60}", take in "\\PC{0,10}|(attr|url):\\PC{0,6}") {
        for document in [html("<p id=a>x</p>"), json("[1, {\"a\": 2}]")] {
            let _ = document.find(&at, "text", &mut Unmetered);
            let _ = document.find("", &take, &mut Unmetered);
        }
    }
}

#[test]
fn a_name_that_reads_as_another_once_it_is_written_out_is_none() {
    let broken = xml("<a b\n:c=\"d\" e=\"f\"><g\n:?xml/></a>");
    assert_eq!(broken.source(&mut Unmetered).unwrap(), "<a b=\"\" e=\"f\"><g ?xml=\"\"></g></a>");
}
