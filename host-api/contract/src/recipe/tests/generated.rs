//! Properties over generated recipes and patterns.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::*;
use super::{Values, evaluate, leaf};

fn leaves() -> impl Strategy<Value = Leaf> {
    (prop::sample::select(LeafKind::ALL), "[a-c]").prop_map(|(kind, name)| Leaf::new(kind, &name))
}

fn encodings() -> impl Strategy<Value = Encoding> {
    let names = vec!["raw", "form", "form:windows-1252", "percent", "json", "xml", "base64", "base64url", "hex"];
    prop::sample::select(names).prop_map(|name| Encoding::parse(name).unwrap())
}

fn guests() -> impl Strategy<Value = Piece> {
    prop_oneof![".{0,3}".prop_map(Piece::Text), prop::collection::vec(any::<u8>(), 0..3).prop_map(Piece::Bytes)]
}

fn keys() -> Vec<(String, String)> {
    ('a'..='z').map(|key| (key.to_string(), format!("{}-", u32::from(key)))).collect()
}

/// Every transform, by number; `second` is the data of those that take two lists.
fn built(choice: usize, first: Vec<Piece>, second: Vec<Piece>) -> Option<Arc<Recipe>> {
    let operator = || Recipe::secret(Leaf::new(LeafKind::Operator, "k"));
    let of = || Recipe::join(first.clone()).ok();
    let claims = |piece: &[Piece]| {
        let secret = piece.iter().find_map(|piece| match piece {
            Piece::Secret(recipe, _) => Some(Piece::Secret(recipe.clone(), Encoding::Json)),
            _ => None,
        });
        let secret = secret.unwrap_or_else(|| Piece::Text("c".to_owned()));
        vec![Piece::Text("{\"iss\":\"".to_owned()), secret, Piece::Text("\"}".to_owned())]
    };
    let cipher = |cipher, iv| Recipe::encrypt(cipher, first.clone(), vec![1; iv], second.clone(), [7; 32]).ok();
    match choice {
        0 | 1 => Recipe::join(first).ok(),
        2..=6 => Recipe::digest(Digest::ALL[choice - 2], first).ok(),
        7 => Recipe::decode(Encoding::Hex, &of()?).ok(),
        8 => Recipe::characters(&of()?, vec![3, 1]).ok(),
        9 => Recipe::characters(&of()?, vec![1, 2, 3, 4, 5]).ok(),
        10 => Recipe::keypad(&of()?, keys()).ok(),
        11..=13 => Recipe::mac(Mac::ALL[choice - 11], first, second).ok(),
        14..=16 => Recipe::stretch(Stretch::ALL[choice - 14], first, second, 3, 20).ok(),
        17 => cipher(Cipher::AesCbc, 16),
        18 => cipher(Cipher::AesGcm, 12),
        19..=21 => cipher(Cipher::ALL[choice - 17], 0),
        22..=24 => Recipe::sign(Scheme::ALL[choice - 22], &operator(), second).ok(),
        25..=27 => Recipe::token(
            Scheme::ALL[choice - 25],
            None,
            &operator(),
            claims(&second),
            jiff::Timestamp::UNIX_EPOCH,
            [1; 16],
        )
        .ok(),
        _ => None,
    }
}

fn recipes() -> impl Strategy<Value = Arc<Recipe>> {
    leaves().prop_map(Recipe::secret).prop_recursive(4, 24, 4, |inner| {
        let piece =
            prop_oneof![guests(), (inner, encodings()).prop_map(|(recipe, encoding)| Piece::Secret(recipe, encoding))];
        let pieces = prop::collection::vec(piece, 1..4);
        (0..28_usize, pieces.clone(), pieces)
            .prop_filter_map("a recipe", |(choice, first, second)| built(choice, first, second))
    })
}

/// The recipe with one thing in it changed, chosen by `choice`.
fn changed(recipe: &Arc<Recipe>, choice: usize) -> Option<Arc<Recipe>> {
    let secret = |name: &str| Piece::Secret(Recipe::secret(Leaf::new(LeafKind::Field, name)), Encoding::Raw);
    let (step, mut lists) = match recipe.node() {
        Node::Secret(leaf) => return Some(Recipe::secret(Leaf::new(leaf.kind, &format!("{}x", leaf.name)))),
        Node::Join(pieces) => (None, vec![pieces.clone()]),
        Node::Apply(step, lists) => (Some(step.clone()), lists.clone()),
    };
    let rebuild = |step: Option<Step>, mut lists: Vec<Vec<Piece>>| match step {
        Some(step) => Recipe::apply(step, lists).ok(),
        None => Recipe::join(lists.remove(0)).ok(),
    };
    let list = choice % lists.len();
    let choice = choice / lists.len();
    let pieces = &mut lists[list];
    let (at, rest) = (choice % (pieces.len() + 2), choice / (pieces.len() + 2));
    if at == pieces.len() {
        let other = match (&step, lists.len()) {
            (Some(Step::Digest(Digest::Sha1)) | None, 1) => Step::Digest(Digest::Md5),
            (_, 1) => Step::Digest(Digest::Sha1),
            (Some(Step::Mac(Mac::Sha1)), _) => Step::Mac(Mac::Sha256),
            _ => Step::Mac(Mac::Sha1),
        };
        return rebuild(Some(other), lists);
    }
    if at > pieces.len() {
        pieces.push(secret("z"));
        return rebuild(step, lists);
    }
    pieces[at] = match &pieces[at] {
        Piece::Text(_) | Piece::Bytes(_) => secret("z"),
        Piece::Secret(inner, Encoding::Hex) if rest % 2 == 0 => Piece::Secret(Arc::clone(inner), Encoding::Xml),
        Piece::Secret(inner, _) if rest % 2 == 0 => Piece::Secret(Arc::clone(inner), Encoding::Hex),
        Piece::Secret(inner, encoding) => Piece::Secret(changed(inner, rest / 2)?, *encoding),
    };
    rebuild(step, lists)
}

/// Pattern texts, also in forms that are not the canonical one.
fn patterns() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        Just("raw".to_owned()),
        Just("text".to_owned()),
        Just("text:4000".to_owned()),
        Just(format!("pinned:{}", "0a".repeat(32))),
        leaves().prop_map(|leaf| leaf.to_string()),
        "[ -~\u{e9}\n\u{1}]{1,4}".prop_map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
    ];
    plain.prop_recursive(4, 24, 4, |inner| {
        let one = vec![
            "join",
            "hex",
            "base64",
            "form:windows-1252",
            "sha-256",
            "md5",
            "keypad",
            "characters:3",
            "characters:3/9",
            "decode:form:windows-1252",
        ];
        let two = vec!["hmac-sha-1", "pbkdf2-sha-512:4096:64", "aes-cbc", "rsa-oaep-256", "rs256", "jwt-es256"];
        let list = || prop::collection::vec(inner.clone(), 1..4);
        let joined = |parts: Vec<String>, blank: &str| parts.join(&format!(",{blank}"));
        prop_oneof![
            (prop::sample::select(one), list(), "[ \n]{0,2}")
                .prop_map(move |(name, parts, blank)| { format!("{name}{blank}({blank}{})", joined(parts, &blank)) }),
            (prop::sample::select(two), list(), list(), "[ \n]{0,2}").prop_map(move |(name, first, second, blank)| {
                format!("{name}{blank}({}{blank};{blank}{})", joined(first, &blank), joined(second, &blank))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printing_and_reading_a_pattern_are_inverse(text in patterns()) {
        let pattern = Pattern::parse(&text).unwrap();
        let printed = pattern.to_string();
        prop_assert_eq!(Pattern::parse(&printed), Ok(pattern.clone()));
        prop_assert_eq!(Pattern::parse(&printed).unwrap().to_string(), printed);
    }

    #[test]
    fn reading_a_pattern_never_panics(text in "[a-z0-9(),;/.:\" \\\\{}-]{0,40}") {
        let _ = Pattern::parse(&text);
    }

    #[test]
    fn the_structure_of_a_recipe_admits_it(recipe in recipes(), owner in leaves()) {
        for structure in [recipe.structure(), recipe.structure_for(&owner)] {
            let read = Pattern::parse(&structure.to_string()).unwrap();
            prop_assert_eq!(&read, &structure);
            prop_assert!(read.matches(&recipe, &owner), "{} on {:?}", structure, recipe);
        }
        prop_assert!(recipe.leaves().into_iter().all(|leaf| recipe.structure_for(leaf).holds(leaf)));
    }

    #[test]
    fn any_change_of_a_recipe_is_refused(recipe in recipes(), choice in any::<usize>(), owner in leaves()) {
        if let Some(other) = changed(&recipe, choice) {
            prop_assert!(!recipe.structure_for(&owner).matches(&other, &owner), "{:?} admits {:?}", recipe, other);
            prop_assert!(!other.structure_for(&owner).matches(&recipe, &owner), "{:?} admits {:?}", other, recipe);
        }
    }

    #[test]
    fn two_recipes_match_each_other_exactly_if_they_print_alike(a in recipes(), b in recipes(), owner in leaves()) {
        let alike = a.structure() == b.structure();
        prop_assert_eq!(a.structure().matches(&b, &owner), alike);
    }

    #[test]
    fn encodings_can_be_undone(value in prop::collection::vec(any::<u8>(), 0..40), text in "\\PC{0,20}") {
        struct One(Vec<u8>);
        impl Reveal for One {
            fn reveal(&self, _: &Leaf) -> Option<zeroize::Zeroizing<Vec<u8>>> {
                Some(zeroize::Zeroizing::new(self.0.clone()))
            }
        }
        let encoded = |value: &[u8], encoding: &str| {
            let secret = Recipe::secret(Leaf::new(LeafKind::Field, "p"));
            let recipe = Recipe::join(vec![Piece::Secret(secret, Encoding::parse(encoding).unwrap())]).unwrap();
            String::from_utf8(evaluate(&recipe, &One(value.to_vec())).unwrap().to_vec()).unwrap()
        };
        prop_assert_eq!(hex::decode(encoded(&value, "hex")).unwrap(), value.clone());
        use base64::Engine as _;
        prop_assert_eq!(base64::engine::general_purpose::STANDARD.decode(encoded(&value, "base64")).unwrap(), value.clone());
        let pair = format!("p={}", encoded(text.as_bytes(), "form"));
        let parsed: Vec<_> = url::form_urlencoded::parse(pair.as_bytes()).into_owned().collect();
        prop_assert_eq!(&parsed, &[("p".to_owned(), text.clone())]);
        prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{}\"", encoded(text.as_bytes(), "json"))).unwrap(), text.clone());
        let (percent, reference) = (encoded(text.as_bytes(), "percent"), format!("https://h/?p={}", encoded(text.as_bytes(), "percent")));
        let url = url::Url::parse(&reference).unwrap();
        prop_assert_eq!(url.query_pairs().next().unwrap().1.into_owned(), text, "{}", percent);
    }

    #[test]
    fn decoding_undoes_every_encoding(value in prop::collection::vec(any::<u8>(), 0..40), text in "[ -~\u{a0}-\u{ff}\n]{0,20}", encoding in encodings()) {
        let text_only = ["form:windows-1252", "json", "xml"].contains(&encoding.to_string().as_str());
        let value = if text_only { text.into_bytes() } else { value };
        let values = Values([(leaf("field.p"), value.clone())].into());
        let secret = Recipe::secret(leaf("field.p"));
        let there = Recipe::join(vec![Piece::Secret(secret, encoding)]).unwrap();
        let back = Recipe::decode(encoding, &there).unwrap();
        prop_assert_eq!(evaluate(&back, &values).unwrap().to_vec(), value, "{}", encoding);
    }

    #[test]
    fn decoding_anything_never_panics(value in prop::collection::vec(any::<u8>(), 0..24), text in "[\\\\u0-9a-fA-F%&#x;+ =\"<]{0,16}", encoding in encodings()) {
        for value in [value, text.into_bytes()] {
            let values = Values([(leaf("field.p"), value)].into());
            let _ = evaluate(&Recipe::decode(encoding, &Recipe::secret(leaf("field.p"))).unwrap(), &values);
        }
    }

    #[test]
    fn characters_and_keypads_are_those_of_the_text(text in "[a-z]{1,20}", positions in prop::collection::btree_set(1..30_u32, 1..6)) {
        let values = Values([(leaf("field.p"), text.clone().into_bytes())].into());
        let secret = Recipe::secret(leaf("field.p"));
        let positions: Vec<u32> = positions.into_iter().rev().collect();
        let expected: Option<String> = positions.iter().map(|at| text.chars().nth(*at as usize - 1)).collect();
        let found = evaluate(&Recipe::characters(&secret, positions).unwrap(), &values).ok();
        prop_assert_eq!(found.map(|value| String::from_utf8(value.to_vec()).unwrap()), expected);
        let typed = evaluate(&Recipe::keypad(&secret, keys()).unwrap(), &values).unwrap();
        let expected: String = text.chars().map(|key| format!("{}-", u32::from(key))).collect();
        prop_assert_eq!(typed.to_vec(), expected.into_bytes());
    }
}
