use super::*;

const ACCOUNTS: &str = r#"<!doctype html><title>Accounts</title><base href="/img/">
    <h1>Your   <em>accounts</em></h1>
    <script type="application/json" id="state">{"balance": 1234.50, "html": "<p id=x>in <b>JSON</b></p>"}</script>
    <table id=accounts><tbody>
      <tr data-id=1><td class="name main">Current</td><td class=iban>FR76&nbsp;3000</td><td class=sum>1 234,50 €</td></tr>
      <tr data-id=2><td class=name>Savings</td><td class=iban>FR14</td></tr>
      <tr data-id=3><td class=name>Loan<br>house</td><td class=iban>DE89</td><td class=sum>-9,00 €</td></tr>
    </tbody></table>
    <p class=address>12 rue X <br> 75001   Paris<br><br/>France</p>
    <div class=blocks><div>one</div><div>two</div><span>th</span><span>ree</span></div>
    <a class=next href=" list?page=2 ">Next<i> page</i> now</a><a class=none>no</a>
    <svg><a xlink:href="x.svg">s</a></svg>
    <template><i class=inert>t</i></template><noscript><b class=plain>p</b></noscript>"#;

#[test]
fn html_answers_selectors() {
    let page = html(ACCOUNTS);
    for (at, take, expected) in [
        ("h1", "text", "Your accounts"),
        ("h1", "own-text", "Your"),
        ("h1", "raw", "Your   accounts"),
        ("h1", "html", "<h1>Your   <em>accounts</em></h1>"),
        ("#accounts tr:nth-child(2) .iban", "text", "FR14"),
        ("tr[data-id='3'] > td:first-child", "text", "Loan\nhouse"),
        ("td.iban", "text", "FR76 3000"),
        ("td.iban", "raw", "FR76\u{a0}3000"),
        ("p.address", "text", "12 rue X\n75001 Paris\nFrance"),
        (".blocks", "text", "one two three"),
        ("a.next", "attr:href", " list?page=2 "),
        ("a.next", "attr:HREF", " list?page=2 "),
        ("a.next", "url:href", "https://bank.example/img/list?page=2"),
        ("a.next", "own-text", "Next now"),
        ("a.none", "attr:href", "-"),
        ("a.none", "url:href", "-"),
        ("svg a", "attr:xlink:href", "x.svg"),
        ("td.missing", "text", "-"),
        ("td:not(.name):not(.iban)", "text", "1 234,50 €"),
        ("tr:is([data-id='2'], [data-id='3']) .name", "text", "Savings"),
        ("th, td", "text", "Current"),
        ("td.sum ~ td, td.name + td", "text", "FR76 3000"),
        (":root > head > title", "text", "Accounts"),
        ("html", "attr:lang", "-"),
        (".inert", "text", "t"),
        (".plain", "text", "p"),
        ("script", "raw", r#"{"balance": 1234.50, "html": "<p id=x>in <b>JSON</b></p>"}"#),
        ("TD.name", "text", "Current"),
    ] {
        check(&page, at, take, expected);
    }
    let everything = page.find("", "text", &mut Unmetered).unwrap().unwrap();
    assert!(
        everything.starts_with("Accounts Your accounts Current FR76 3000") && !everything.contains("balance"),
        "{everything}"
    );
}

fn column(name: &str, at: &str, take: &str) -> Column {
    Column { name: name.into(), at: at.into(), take: take.into() }
}

#[test]
fn a_table_is_one_question() {
    let columns =
        [column("id", "", "attr:data-id"), column("name", ".name", "text"), column("sum", "> td:nth-child(3)", "text")];
    let rows = html(ACCOUNTS).rows("#accounts tr", &columns, &mut Unmetered).unwrap();
    let shown: Vec<String> = rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect::<Vec<_>>().join("|"))
        .collect();
    assert_eq!(shown, ["1|Current|1 234,50 €", "2|Savings|-", "3|Loan\nhouse|-9,00 €"]);

    let columns = [column("id", "/id", "json"), column("name", "/name", "text"), column("all", "", "json")];
    let rows =
        json(r#"{"a": [{"id": 1.0, "name": " x "}, {"id": null}, 7]}"#).rows("/a/*", &columns, &mut Unmetered).unwrap();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        rows,
        [
            vec![some("1.0"), some("x"), some(r#"{"id": 1.0, "name": " x "}"#)],
            vec![None, None, some(r#"{"id": null}"#)],
            vec![None, None, some("7")]
        ]
    );
}

#[test]
fn parts_are_views_that_look_down_only() {
    let page = html(ACCOUNTS);
    let rows = page.parts("#accounts tr", &mut Unmetered).unwrap();
    assert_eq!(rows.len(), 3);
    check(&rows[1], "", "attr:data-id", "2");
    check(&rows[1], ".name", "text", "Savings");
    check(&rows[1], "h1", "text", "-");
    check(&rows[1], "#accounts .iban", "text", "FR14");
    check(&rows[1], "> .sum, > .iban", "text", "FR14");
    check(&rows[1], "> tr", "text", "-");
    check(&rows[1], ":scope > .name", "text", "Savings");
    let part = json(r#"{"a": {"b": [1, 2]}}"#).parts("/a", &mut Unmetered).unwrap().remove(0);
    check(&part, "/b/1", "json", "2");
    check(&part, "", "json", r#"{"b": [1, 2]}"#);
}

#[test]
fn documents_stand_in_documents() {
    let page = html(ACCOUNTS);
    let state = page.nested("#state", Format::Json, &mut Unmetered).unwrap().unwrap();
    check(&state, "/balance", "text", "1234.50");
    let inner = state.nested("/html", Format::Html, &mut Unmetered).unwrap().unwrap();
    check(&inner, "#x b", "text", "JSON");
    check(&inner, "#x", "url:id", "https://bank.example/img/x");
    assert!(page.nested("#missing", Format::Json, &mut Unmetered).unwrap().is_none());
    let refused = page.nested("h1", Format::Json, &mut Unmetered).unwrap_err();
    assert_eq!(refused, DocumentError::Malformed { line: 1, column: 1 });
}

#[test]
fn pages_are_recognised() {
    let page = html(ACCOUNTS);
    assert!(page.exists("table#accounts", &mut Unmetered).unwrap());
    assert!(!page.exists("form", &mut Unmetered).unwrap());
    assert_eq!(page.text_of(".name", &mut Unmetered).unwrap(), ["Current", "Savings", "Loan\nhouse"]);
    assert!(json(r#"{"a": null}"#).exists("/a", &mut Unmetered).unwrap());
    assert!(!json(r#"{"a": null}"#).exists("/b", &mut Unmetered).unwrap());
}

#[test]
fn xml_is_asked_by_local_names() {
    let statement = xml(r#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>
        <Document xmlns="urn:camt" xmlns:n="urn:n"><Ntry id="1"><Amt Ccy="EUR">12.30</Amt><br/><n:Note xml:lang="fr">A &amp; &#66;&e;</n:Note></Ntry>
        <Ntry><Amt Ccy="USD"><![CDATA[<7>]]></Amt></Ntry><script>x</script></Document>"#);
    for (at, take, expected) in [
        ("Ntry > Amt", "text", "12.30"),
        ("ntry", "text", "-"),
        ("Amt[Ccy=USD]", "text", "<7>"),
        ("Amt[Ccy=USD]", "html", r#"<Amt Ccy="USD" xmlns="urn:camt">&lt;7&gt;</Amt>"#),
        ("Amt", "attr:Ccy", "EUR"),
        ("Amt", "attr:ccy", "-"),
        ("Note", "attr:xml:lang", "fr"),
        ("Document script", "text", "x"),
    ] {
        // `html` of a part declares what the part needs, and at the root of it only.
        let expected = expected.replace(r#"Ccy="USD" xmlns="urn:camt""#, r#"Ccy="USD""#);
        check(&statement, at, take, &expected);
    }
    let note = statement.find("Note", "text", &mut Unmetered).unwrap().unwrap();
    assert!(note.starts_with("A & B") && !note.contains("root"), "{note}");
}

#[test]
fn what_is_written_is_what_was_read() {
    for source in [
        ACCOUNTS,
        "<pre>\n\n x</pre><textarea>\n\na</textarea><p>a<b>b<p>c</b>&lt;&amp;&nbsp;\"</p><img alt='\"<&'><!-- c --><style>a>b</style>",
        "<table><form action=x><tr><td><input name=a></form></table>text<math><mi>x</math><svg><path d='M'/></svg>",
    ] {
        let once = html(source).source(&mut Unmetered).unwrap();
        assert_eq!(html(&once).source(&mut Unmetered).unwrap(), once);
    }
    let source = r#"<a xmlns="u:1" xmlns:p="u:2"><p:b p:c="1&quot;" d="&amp;"/><e xmlns=""><f/></e></a>"#;
    let once = xml(source).source(&mut Unmetered).unwrap();
    assert_eq!(once, r#"<a xmlns="u:1"><p:b p:c="1&quot;" d="&amp;" xmlns:p="u:2"></p:b><e xmlns=""><f></f></e></a>"#);
    assert_eq!(xml(&once).source(&mut Unmetered).unwrap(), once);
}

#[test]
fn questions_that_are_not_allowed_say_what_is() {
    let nested = format!("{}a{}", ":not(".repeat(3), ")".repeat(3));
    let (long, wide, many) = ("a".repeat(513), ["a"; 17].join(" "), ["a"; 18].join(" > "));
    for at in [
        "a:has(b)",
        "a:hover",
        "a::before",
        "a >",
        "[",
        "a,,b",
        "> a, ",
        ":is(a,:has(b))",
        &nested,
        &long,
        &many,
        &["a"; 17].join(","),
    ] {
        let refused = super::super::check(Format::Html, at, "text").unwrap_err();
        assert!(matches!(refused, DocumentError::BadSelector { .. }), "{at}: {refused}");
    }
    super::super::check(Format::Html, &wide, "text").unwrap();
    super::super::check(Format::Html, &"a".repeat(512), "text").unwrap();
    for at in ["a", "/~", "/~2", &format!("/{long}")] {
        let refused = super::super::check(Format::Json, at, "text").unwrap_err();
        assert!(matches!(refused, DocumentError::BadPointer { .. }), "{at}: {refused}");
    }
    for (format, take) in [
        (Format::Html, "json"),
        (Format::Html, "attr:"),
        (Format::Html, "Text"),
        (Format::Json, "html"),
        (Format::Json, "attr:a"),
    ] {
        assert!(matches!(super::super::check(format, "", take).unwrap_err(), DocumentError::BadTake { .. }), "{take}");
    }
    let elsewhere = json("{}").form("", &mut Unmetered).unwrap_err();
    assert_eq!(elsewhere, DocumentError::NotThisFormat { needs: Format::Html });
}

#[test]
fn views_cross_threads_and_keep_silent() {
    fn crosses<T: Send + Sync + Clone>(_: &T) {}
    let page = html("<p>Mr Secret</p>");
    crosses(&page);
    assert!(!format!("{page:?}").contains("Secret"));
    assert!(page.approximate_bytes() < 4096);
}

#[test]
fn the_parsers_cannot_log_a_page() {
    assert!(log::STATIC_MAX_LEVEL <= log::LevelFilter::Info);
}
