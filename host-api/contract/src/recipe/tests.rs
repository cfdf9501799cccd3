//! Structure, encodings, evaluation and sinks, by tables and by generated recipes.

mod generated;
mod known;
mod rules;

use std::collections::HashMap;
use std::sync::Arc;

use url::Url;
use zeroize::Zeroizing;

use super::*;
use crate::manifest::{Method, UrlPattern};

fn leaf(name: &str) -> Leaf {
    let (kind, name) = name.split_once('.').unwrap();
    Leaf::new(LeafKind::ALL.iter().copied().find(|each| each.as_str() == kind).unwrap(), name)
}

fn secret(name: &str) -> Arc<Recipe> {
    Recipe::secret(leaf(name))
}

fn raw(recipe: &Arc<Recipe>) -> Piece {
    Piece::Secret(Arc::clone(recipe), Encoding::Raw)
}

fn piece(recipe: &Arc<Recipe>, encoding: &str) -> Piece {
    Piece::Secret(Arc::clone(recipe), Encoding::parse(encoding).unwrap())
}

fn text(text: &str) -> Piece {
    Piece::Text(text.to_owned())
}

fn join(pieces: Vec<Piece>) -> Arc<Recipe> {
    Recipe::join(pieces).unwrap()
}

struct Values(HashMap<Leaf, Vec<u8>>);

impl Values {
    fn of(values: &[(&str, &str)]) -> Self {
        Self(values.iter().map(|(name, value)| (leaf(name), value.as_bytes().to_vec())).collect())
    }
}

impl Reveal for Values {
    fn reveal(&self, leaf: &Leaf) -> Option<Zeroizing<Vec<u8>>> {
        self.0.get(leaf).cloned().map(Zeroizing::new)
    }
}

#[test]
fn recipes_print_in_one_canonical_form() {
    let p = secret("field.p");
    let nonce = Recipe::digest(Digest::Sha256, vec![text("n"), piece(&p, "hex")]).unwrap();
    let cases = [
        (Arc::clone(&p), "raw"),
        (join(vec![raw(&p)]), "raw"),
        (join(vec![piece(&p, "base64")]), "base64(raw)"),
        (join(vec![text("a"), text("b"), raw(&p)]), "join(text, raw)"),
        (join(vec![text(""), raw(&p), Piece::Bytes(Vec::new())]), "raw"),
        (join(vec![raw(&join(vec![text("a"), raw(&p)])), Piece::Bytes(vec![1])]), "join(text, raw, text)"),
        (join(vec![text("x"), raw(&join(vec![text("a"), raw(&p)]))]), "join(text, raw)"),
        (join(vec![piece(&join(vec![text("a"), raw(&p)]), "base64url")]), "base64url(text, raw)"),
        (join(vec![piece(&nonce, "hex")]), "hex(sha-256(text, hex(raw)))"),
        (join(vec![raw(&nonce), raw(&secret("captured.code"))]), "join(sha-256(text, hex(raw)), captured.code)"),
        (join(vec![piece(&p, "form:latin1"), piece(&p, "form:utf8")]), "join(form:windows-1252(raw), form(raw))"),
        (join(vec![text("a")]), "text"),
    ];
    for (recipe, structure) in cases {
        assert_eq!(recipe.structure_for(&leaf("field.p")).to_string(), structure);
        assert!(recipe.structure().matches(&recipe, &leaf("operator.x")), "{structure}");
        assert!(Pattern::parse(structure).unwrap().matches(&recipe, &leaf("field.p")), "{structure}");
    }
}

#[test]
fn patterns_match_by_structure_and_texts_only_where_they_are_written_out() {
    let basic = |prefix: &str| {
        let pair = join(vec![text("client:"), raw(&secret("operator.s"))]);
        join(vec![text(prefix), piece(&pair, "base64")])
    };
    let cases = [
        ("join(text, base64(text, raw))", "Basic ", true),
        ("join(text, base64(join(text, raw)))", "Basic ", true),
        ("join(\"Basic \", base64(text, raw))", "Basic ", true),
        ("join(\"Basic \", base64(text, raw))", "Bearer ", false),
        ("join(\"Ba\", \"sic \", base64(\"client:\", raw))", "Basic ", true),
        ("join(\"Ba\", text, base64(\"client:\", raw))", "Basic ", true),
        ("join(\"Basic \", text, base64(\"client:\", raw))", "Basic ", false),
        ("join(text, \" \", base64(text, operator.s))", "Basic ", true),
        ("join(base64(text, raw))", "Basic ", false),
        ("join(text, base64url(text, raw))", "Basic ", false),
        ("join(text, base64(raw, text))", "Basic ", false),
        ("join(text, base64(text, operator.t))", "Basic ", false),
        ("join(text, base64(text, raw), text)", "Basic ", false),
        ("join(text, base64(text, sha-256(raw)))", "Basic ", false),
    ];
    for (pattern, prefix, expected) in cases {
        let matches = Pattern::parse(pattern).unwrap().matches(&basic(prefix), &leaf("operator.s"));
        assert_eq!(matches, expected, "{pattern} on {prefix}");
    }
    assert!(!Pattern::parse("join(text, base64(text, raw))").unwrap().matches(&basic("B"), &leaf("operator.t")));
}

#[test]
fn the_connectors_text_beside_a_secret_is_bounded() {
    let beside = |bytes| join(vec![text(&"x".repeat(bytes)), raw(&secret("field.p"))]);
    let pattern = Pattern::parse("join(text, raw)").unwrap();
    assert!(pattern.matches(&beside(GUEST_TEXT_BYTES_MAX), &leaf("field.p")));
    assert!(!pattern.matches(&beside(GUEST_TEXT_BYTES_MAX + 1), &leaf("field.p")));
}

#[test]
fn what_does_not_read_as_a_pattern_is_refused_where_it_goes_wrong() {
    let cases = [
        ("", 1, "raw, text"),
        ("rawr", 1, "raw, text"),
        ("raw(text)", 1, "raw, text"),
        ("raw, text", 4, "the end"),
        ("join()", 6, "raw, text"),
        ("join(raw", 9, "`,` or `)`"),
        ("join(raw text)", 10, "`,` or `)`"),
        ("hex(rot13(raw))", 5, "raw, text"),
        ("form:utf-16(raw)", 1, "form:CHARSET"),
        ("field.", 1, "field.NAME"),
        ("vault.x", 1, "field.NAME"),
        ("\"a", 3, "`\"`"),
        ("\"\"", 2, "not empty"),
        (r#""\x""#, 3, "behind `\\`"),
        (r#""\u{d800}""#, 3, "behind `\\`"),
    ];
    for (pattern, position, expected) in cases {
        let error = Pattern::parse(pattern).unwrap_err();
        assert!(error.position == position && error.expected.contains(expected), "{pattern}: {error}");
    }
    let deep = |levels: usize| format!("{}raw{}", "hex(".repeat(levels), ")".repeat(levels));
    assert!(Pattern::parse(&deep(DEPTH_MAX as usize - 1)).is_ok());
    assert!(Pattern::parse(&deep(DEPTH_MAX as usize)).is_err());
    assert!(Pattern::parse(&format!("join({}raw)", "raw,".repeat(NODES_MAX as usize))).is_err());
}

#[test]
fn recipes_have_limits() {
    let p = secret("field.p");
    assert_eq!(Recipe::join(vec![]).unwrap_err(), RecipeError::Empty);
    assert_eq!(Recipe::digest(Digest::Sha1, vec![text("")]).unwrap_err(), RecipeError::Empty);
    let mut wide = Arc::clone(&p);
    let mut doublings = 0;
    let error = loop {
        match Recipe::join(vec![raw(&wide), raw(&wide)]) {
            Ok(wider) => wide = wider,
            Err(error) => break error,
        }
        doublings += 1;
    };
    assert_eq!((error, doublings), (RecipeError::TooManyNodes, 6));
    let mut deep = Arc::clone(&p);
    for _ in 1..DEPTH_MAX {
        deep = Recipe::digest(Digest::Sha1, vec![raw(&deep)]).unwrap();
    }
    assert_eq!(Recipe::digest(Digest::Sha1, vec![raw(&deep)]).unwrap_err(), RecipeError::TooDeep);
    let much = text(&"x".repeat(GUEST_BYTES_MAX + 1));
    assert_eq!(Recipe::join(vec![much, raw(&p)]).unwrap_err(), RecipeError::TooMuchText);
}

#[test]
fn encodings_are_those_of_their_standards() {
    let cases = [
        ("raw", "é\n", "é\n"),
        ("hex", "J\u{0}", "4a00"),
        ("base64", "a?>é", "YT8+w6k="),
        ("base64url", "a?>é", "YT8-w6k"),
        ("percent", "a b+c/é~*", "a%20b%2Bc%2F%C3%A9~%2A"),
        ("form", "a b+c/é~*", "a+b%2Bc%2F%C3%A9%7E*"),
        ("form:iso-8859-1", "é €", "%E9+%80"),
        ("form:windows-1252", "ж&", "%26%231078%3B%26"),
        ("form:shift_jis", "日 a", "%93%FA+a"),
        ("form:iso-2022-jp", "日a\u{10ffff}", "%1B%24BF%7C%1B%28Ba%26%231114111%3B"),
        ("json", "\"\\\n\r\t\u{1}/é\u{2028}", "\\\"\\\\\\n\\r\\t\\u0001/é\u{2028}"),
        ("xml", "<a b='1'>&\"\n", "&lt;a b=&#39;1&#39;&gt;&amp;&quot;&#10;"),
    ];
    for (encoding, value, expected) in cases {
        let recipe = join(vec![piece(&secret("field.p"), encoding)]);
        let encoded = evaluate(&recipe, &Values::of(&[("field.p", value)])).unwrap();
        assert_eq!(String::from_utf8(encoded.to_vec()).unwrap(), expected, "{encoding}");
        assert_eq!(Encoding::parse(&Encoding::parse(encoding).unwrap().to_string()), Encoding::parse(encoding));
    }
    let json: String = serde_json::from_str("\"\\\"\\\\\\n\\r\\t\\u0001/é\u{2028}\"").unwrap();
    assert_eq!(json, "\"\\\n\r\t\u{1}/é\u{2028}");
    for unknown in ["", "RAW", "form:", "form:utf-16le", "form:replacement", "hex(", "base32"] {
        assert_eq!(Encoding::parse(unknown), None, "{unknown}");
    }
}

#[test]
fn evaluation_gives_known_digests() {
    let p = secret("field.p");
    let values = Values::of(&[("field.p", "abc")]);
    let cases = [
        ("sha-1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha-384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"),
        (
            "sha-512",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];
    for (algorithm, expected) in cases {
        let digest =
            Recipe::digest(Digest::parse(algorithm).unwrap(), vec![text("a"), Piece::Bytes(b"bc".to_vec())]).unwrap();
        assert_eq!(*evaluate(&join(vec![piece(&digest, "hex")]), &values).unwrap(), expected.as_bytes(), "{algorithm}");
        let digest = Recipe::digest(Digest::parse(algorithm).unwrap(), vec![raw(&p)]).unwrap();
        assert_eq!(*evaluate(&join(vec![piece(&digest, "hex")]), &values).unwrap(), expected.as_bytes(), "{algorithm}");
    }
    // The challenge-response login of section "Sinks": nonce, then the digest of the password, both hexadecimal.
    let inner = Recipe::digest(Digest::Sha256, vec![raw(&p)]).unwrap();
    let outer = Recipe::digest(Digest::Sha256, vec![text("nonce"), piece(&inner, "hex")]).unwrap();
    let proof = evaluate(&join(vec![piece(&outer, "hex")]), &values).unwrap();
    let expected = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("nonce{}", cases[2].1).as_bytes());
    assert_eq!(*proof, hex::encode(expected).into_bytes());
    assert_eq!(Digest::parse("md4"), None);
}

#[test]
fn evaluation_fails_without_a_word_about_the_value() {
    let mut values = Values::of(&[("field.p", "hunter2\u{0}")]);
    let error = |recipe: &Recipe, values: &Values| evaluate(recipe, values).unwrap_err();
    assert_eq!(error(&secret("field.q"), &values), EvaluationError::Gone(leaf("field.q")));
    let xml = join(vec![piece(&secret("field.p"), "xml")]);
    assert_eq!(error(&xml, &values), EvaluationError::NotText("xml"));
    let digest = Recipe::digest(Digest::Sha256, vec![raw(&secret("field.p"))]).unwrap();
    assert_eq!(error(&join(vec![piece(&digest, "json")]), &values), EvaluationError::NotText("json"));
    values.0.insert(leaf("field.p"), vec![b'%'; OUTPUT_BYTES_MAX / 2]);
    assert_eq!(error(&join(vec![piece(&secret("field.p"), "percent")]), &values), EvaluationError::TooLarge);
    let mut nested = secret("field.p");
    values.0.insert(leaf("field.p"), vec![b'"'; 64]);
    for _ in 1..DEPTH_MAX {
        nested = join(vec![piece(&nested, "json")]);
    }
    assert_eq!(error(&nested, &values), EvaluationError::TooLarge);
}

#[test]
fn the_outputs_of_a_recipe_are_every_value_on_the_way() {
    let values = Values::of(&[("field.login", "marie"), ("field.p", "s3cret é"), ("answer.code", "123456")]);
    let hidden = |leaf: &Leaf| *leaf.name != *"login";
    let shown = |recipe: &Recipe| {
        let outputs = outputs(recipe, &values, &hidden).unwrap();
        let shown = outputs.iter().map(|output| {
            let leaf = output.leaf.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            format!("{leaf}={}", String::from_utf8_lossy(&output.value))
        });
        shown.collect::<Vec<_>>()
    };
    let (login, p, code) = (secret("field.login"), secret("field.p"), secret("answer.code"));
    assert_eq!(shown(&p), ["field.p=s3cret é"]);
    assert!(shown(&join(vec![piece(&login, "base64")])).is_empty(), "an identifier alone is not hidden");
    let pair = join(vec![raw(&login), text(":"), raw(&p)]);
    assert_eq!(
        shown(&join(vec![text("Basic "), piece(&pair, "base64")])),
        ["field.p=s3cret é", "-=marie:s3cret é", "-=bWFyaWU6czNjcmV0IMOp", "-=Basic bWFyaWU6czNjcmV0IMOp"]
    );
    // The digest is a value, and so is its encoding; the same secret twice is one output.
    let digest = Recipe::digest(Digest::Sha1, vec![raw(&code), raw(&code)]).unwrap();
    let all = outputs(&join(vec![piece(&digest, "hex")]), &values, &hidden).unwrap();
    let raw_digest = evaluate(&digest, &values).unwrap();
    assert_eq!(all.iter().map(|output| output.value.len()).collect::<Vec<_>>(), [6, 20, 40]);
    assert_eq!(all[1].value, raw_digest);
}

#[test]
fn debug_shows_structure_only() {
    let recipe = join(vec![text("my address"), piece(&secret("field.p"), "json"), Piece::Bytes(b"more".to_vec())]);
    assert_eq!(format!("{recipe:?}"), "join(text, json(field.p), text)");
    assert_eq!(
        format!("{:?}", [text("my address"), piece(&recipe, "hex")]),
        "[text, hex(join(text, json(field.p), text))]"
    );
}

fn sinks() -> Sinks {
    let sink = |name: &str, method, path: &str, slot: &str, recipe: &str, max| Sink {
        leaf: leaf(name),
        at: SinkAt::Request(method),
        url: UrlPattern::parse(&format!("https://bank.example{path}")).unwrap(),
        slot: Slot::parse(slot).unwrap(),
        recipe: Pattern::parse(recipe).unwrap(),
        max,
    };
    let list = vec![
        sink("field.p", Method::Post, "/login", "form:password", "raw", 2),
        sink(
            "field.p",
            Method::Post,
            "/token",
            "header:Authorization",
            "join(\"Basic \", base64(field.u, \":\", raw))",
            1,
        ),
        sink("field.u", Method::Post, "/token", "header:authorization", "join(text, base64(raw, text, field.p))", 3),
    ];
    Sinks::new(Some(Url::parse("https://bank.example/").unwrap()), list)
}

#[test]
fn a_recipe_goes_only_where_every_secret_in_it_may_go() {
    let pair = join(vec![raw(&secret("field.u")), text(":"), raw(&secret("field.p"))]);
    let recipes = HashMap::from([
        ("plain", secret("field.p")),
        ("basic", join(vec![text("Basic "), piece(&pair, "base64")])),
        ("other", join(vec![text("Bearer "), piece(&pair, "base64")])),
        ("public", join(vec![text("nothing secret")])),
    ]);
    // request, slot, recipe -> the maxima of the sinks used, or the secrets without a sink
    let table = "
        POST https://bank.example/login form:password plain -> [2]
        POST https://bank.example/token header:AUTHORIZATION basic -> [1, 3]
        POST https://bank.example/token header:authorization other -> field.p
        GET https://bank.example/login form:password plain -> field.p
        POST https://bank.example/message form:password plain -> field.p
        POST https://evil.example/login form:password plain -> field.p
        POST https://bank.example/login form:Password plain -> field.p
        POST https://bank.example/login query:password plain -> field.p
        POST https://bank.example/login header:authorization basic -> field.p field.u
        POST https://evil.example/any body public -> []
    ";
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (asked, expected) = row.split_once(" -> ").unwrap();
        let [method, url, slot, recipe] = asked.split(' ').collect::<Vec<_>>()[..] else { panic!("no row: {row}") };
        let admitted = sinks().admit(method, &Url::parse(url).unwrap(), &Slot::parse(slot).unwrap(), &recipes[recipe]);
        let shown = match admitted {
            Ok(uses) => format!("{:?}", uses.sinks.iter().map(|(_, max)| *max).collect::<Vec<_>>()),
            Err(refusal) => {
                refusal.missing.iter().map(|missing| missing.leaf.to_string()).collect::<Vec<_>>().join(" ")
            }
        };
        assert_eq!(shown, expected, "{row}");
    }
}

#[test]
fn a_sink_that_is_used_up_says_which_maximum_would_allow_more() {
    let more = |max, slot: &str| {
        let (_, sink) = sinks().iter().map(|(id, sink)| (id, sink.clone())).next().unwrap();
        Sink { max, slot: Slot::parse(slot).unwrap(), ..sink }.used_up()
    };
    assert!(
        more(1, "form:p")
            .ends_with("(max = 1); the manifest line that would allow it, in that sink of field.p: max = 2")
    );
    assert!(more(SINK_USES_MAX, "form:p").ends_with("no manifest may allow more"));
    assert!(more(STEERED_USES_MAX, "keypad:#keys").ends_with("no manifest may allow more"));
}

#[test]
fn a_page_that_no_rule_recognises_is_told_with_the_rule_to_write() {
    let told = sinks().unrecognised(&Url::parse("https://bank.example/space/login?step=2").unwrap());
    assert!(
        told.ends_with("[[page]]\nid = \"ID\"\nurl = \"{base}/space/login\"\nrequires = [\"SELECTOR\"]\n"),
        "{told}"
    );
}

#[test]
fn a_refusal_is_the_lines_that_would_allow_it() {
    let target = Url::parse("https://bank.example/accounts/FR7612345/close?reason=none").unwrap();
    let refusal = sinks().admit("POST", &target, &Slot::parse("json:/pin").unwrap(), &secret("field.p")).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the manifest declares no sink for this; what would allow it:\n\
         # in [[field]] \"p\"\n\
         [[field.sink]]\n\
         request = \"POST {base}/accounts/*/close\"\n\
         slot = \"json:/pin\"\n\
         recipe = \"raw\"\n\
         max = 1\n"
    );
}
