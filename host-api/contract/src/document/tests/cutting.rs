use super::*;

#[track_caller]
fn cut(document: &mut Document, at: &str, take: &str, expected: &[&str]) {
    let values = document.cut(at, take, "<gone>", &mut Unmetered).unwrap();
    assert_eq!(values.iter().map(|value| value.as_str()).collect::<Vec<_>>(), expected);
}

#[test]
fn a_captured_json_value_is_in_neither_tree_nor_source() {
    let mut document = json(
        r#"{ "access_token": "s3cret\n", "n": 1.50, "deep": [{"t": 42}, {"t": null}, {"t": "x"}],  "access_token":"again" }"#,
    );
    cut(&mut document, "/access_token", "text", &["s3cret\n", "again"]);
    cut(&mut document, "/deep/*/t", "raw", &["42", "x"]);
    cut(&mut document, "/missing", "text", &[]);
    cut(&mut document, "/deep/0", "json", &[r#"{"t": "<gone>"}"#]);
    assert_eq!(
        document.source(&mut Unmetered).unwrap(),
        r#"{ "access_token": "<gone>", "n": 1.50, "deep": ["<gone>", {"t": null}, {"t": "<gone>"}],  "access_token":"<gone>" }"#
    );
    check(&document, "/access_token", "text", "<gone>");
    check(&document, "/n", "json", "1.50");
}

#[test]
fn a_captured_html_value_is_in_neither_tree_nor_source() {
    let mut page = html(
        "<form><input name=code value=s3cret class=a></form><p>code <b>s3</b>cret</p><a data-t=s3cret>x</a><a>y</a>",
    );
    cut(&mut page, "input[name=code]", "attr:value", &["s3cret"]);
    cut(&mut page, "p", "text", &["code s3cret"]);
    cut(&mut page, "a", "attr:data-t", &["s3cret"]);
    check(&page, "input", "attr:value", "<gone>");
    check(&page, "input[value^=s3]", "attr:class", "-");
    check(&page, "p", "html", "<p>&lt;gone&gt;<b></b></p>");
    check(&page, "a", "text", "x");
    assert!(!page.source(&mut Unmetered).unwrap().contains("s3"));
    let mut part = xml("<a><b>s3cret<c/>!</b></a>");
    cut(&mut part, "b", "own-text", &["s3cret!"]);
    check(&part, "", "html", "<a><b>&lt;gone&gt;<c></c></b></a>");
}

#[test]
fn a_view_stays_where_it_is_while_values_are_cut() {
    let document = json(r#"{"a": 1, "b": {"t": "s3cret", "u": 2}}"#);
    let mut part = document.parts("/b", &mut Unmetered).unwrap().remove(0);
    cut(&mut part, "/t", "text", &["s3cret"]);
    check(&part, "", "json", r#"{"t": "<gone>", "u": 2}"#);
    // Who looked before the cut keeps what they saw.
    check(&document, "/b/t", "text", "s3cret");
    assert!(part.rewrite(&mut finds("a"), "longer", &mut Unmetered).unwrap());
    check(&part, "/u", "text", "2");
}

/// Finds this text everywhere but in the vocabulary.
fn finds(what: &'static str) -> impl FnMut(Shown<'_>, &mut dyn Meter) -> Result<Vec<Hit>, DocumentError> {
    move |shown, _| {
        let windows = shown.text.windows(what.len()).enumerate().filter(|(_, window)| *window == what.as_bytes());
        let windows = windows.filter(|_| !shown.vocabulary);
        let one = |range| Vec::from_iter([range]);
        Ok(windows.map(|(at, _)| one(at..at + what.len())).collect())
    }
}

#[test]
fn a_rewriting_sees_every_text() {
    let mut document = json(r#"{"s3": ["as3b", "\u0073\u0033", 1], "x": 153}"#);
    assert!(document.rewrite(&mut finds("s3"), "**", &mut Unmetered).unwrap());
    assert_eq!(document.source(&mut Unmetered).unwrap(), r#"{"**": ["a**b", "**", 1], "x": 153}"#);
    assert!(document.rewrite(&mut finds("153"), "pin", &mut Unmetered).unwrap());
    assert!(!document.rewrite(&mut finds("153"), "pin", &mut Unmetered).unwrap());
    check(&document, "/x", "json", "\"pin\"");

    let mut page = html(
        "<!doctype s3><!-- s3 --><title>s3</title><p title=&#115;3>x<b>s3</b><script>s3</script><style>s3</style>",
    );
    assert!(page.rewrite(&mut finds("s3"), "**", &mut Unmetered).unwrap());
    assert!(!page.source(&mut Unmetered).unwrap().contains("s3"));
    check(&page, "p", "attr:title", "**");
    check(&page, "title", "text", "**");
    let mut data = xml("<?pi s3?><a s3:x='y' x='s3'>s3<![CDATA[s3]]></a>");
    assert!(data.rewrite(&mut finds("s3"), "**", &mut Unmetered).unwrap());
    check(&data, "a", "text", "**");
    assert_eq!(data.source(&mut Unmetered).unwrap().matches("s3").count(), 1, "a name");
}

#[test]
fn what_a_reader_sees_as_one_text_is_one_and_the_rest_is_not() {
    let mut page =
        html("<p>a<b>s</b>e<!-- -->c<script>x</script>r</p><p>e</p><td>t</td> <a id=s title=s>ecr</a><br>et");
    assert!(page.rewrite(&mut finds("secr"), "**", &mut Unmetered).unwrap());
    check(&page, "p", "text", "a**");
    check(&page, "p b", "html", "<b>**</b>");
    check(&page, "script", "raw", "x");
    // Edges of blocks and line breaks part, and so do elements of XML.
    for (mut parted, what) in
        [(html("<p>sec</p><p>ret</p>sec<br>ret"), "secret"), (xml("<a><b>12</b><c>34</c></a>"), "1234")]
    {
        assert!(!parted.rewrite(&mut finds(what), "**", &mut Unmetered).unwrap());
    }
}

#[test]
fn a_cut_that_fails_leaves_nothing_to_read() {
    let mut document = json(r#"{"t": "s3cret"}"#);
    assert_eq!(document.cut("/t", "text", "x", &mut Allowance(0)).unwrap_err(), DocumentError::Exhausted(Exhausted));
    check(&document, "", "json", "-");
    let mut page = html("<p>s3cret");
    assert!(matches!(page.cut("p", "html", "x", &mut Unmetered), Err(DocumentError::BadTake { .. })));
    assert_eq!(page.source(&mut Unmetered).unwrap(), "");
}
