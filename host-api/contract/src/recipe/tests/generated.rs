//! Properties over generated recipes and patterns.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::*;

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

fn recipes() -> impl Strategy<Value = Arc<Recipe>> {
    leaves().prop_map(Recipe::secret).prop_recursive(4, 24, 4, |inner| {
        let piece =
            prop_oneof![guests(), (inner, encodings()).prop_map(|(recipe, encoding)| Piece::Secret(recipe, encoding))];
        let pieces = prop::collection::vec(piece, 1..4);
        (prop::option::of(prop::sample::select(Algorithm::ALL)), pieces).prop_filter_map(
            "a recipe",
            |(algorithm, pieces)| match algorithm {
                Some(algorithm) => Recipe::digest(algorithm, pieces).ok(),
                None => Recipe::join(pieces).ok(),
            },
        )
    })
}

/// The recipe with one thing in it changed, chosen by `choice`.
fn changed(recipe: &Arc<Recipe>, choice: usize) -> Option<Arc<Recipe>> {
    let other = |leaf: &Leaf| Recipe::secret(Leaf::new(leaf.kind, &format!("{}x", leaf.name)));
    let (digest, pieces) = match recipe.node() {
        Node::Secret(leaf) => return Some(other(leaf)),
        Node::Join(pieces) => (None, pieces),
        Node::Digest(algorithm, pieces) => (Some(*algorithm), pieces),
    };
    let rebuild = |digest: Option<Algorithm>, pieces| match digest {
        Some(algorithm) => Recipe::digest(algorithm, pieces).ok(),
        None => Recipe::join(pieces).ok(),
    };
    let mut pieces = pieces.clone();
    let (at, rest) = (choice % (pieces.len() + 2), choice / (pieces.len() + 2));
    if at == pieces.len() {
        let next =
            digest.map(|algorithm| if algorithm == Algorithm::Sha1 { Algorithm::Sha256 } else { Algorithm::Sha1 });
        return rebuild(Some(next.unwrap_or(Algorithm::Sha512)), pieces);
    }
    if at > pieces.len() {
        pieces.push(Piece::Secret(Recipe::secret(Leaf::new(LeafKind::Field, "z")), Encoding::Raw));
        return rebuild(digest, pieces);
    }
    pieces[at] = match &pieces[at] {
        Piece::Text(_) | Piece::Bytes(_) => {
            Piece::Secret(Recipe::secret(Leaf::new(LeafKind::Field, "z")), Encoding::Raw)
        }
        Piece::Secret(inner, Encoding::Hex) if rest % 2 == 0 => Piece::Secret(Arc::clone(inner), Encoding::Xml),
        Piece::Secret(inner, _) if rest % 2 == 0 => Piece::Secret(Arc::clone(inner), Encoding::Hex),
        Piece::Secret(inner, encoding) => Piece::Secret(changed(inner, rest / 2)?, *encoding),
    };
    rebuild(digest, pieces)
}

/// Pattern texts, also in forms that are not the canonical one.
fn patterns() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        Just("raw".to_owned()),
        Just("text".to_owned()),
        leaves().prop_map(|leaf| leaf.to_string()),
        "[ -~\u{e9}\n\u{1}]{1,4}".prop_map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
    ];
    plain.prop_recursive(4, 24, 4, |inner| {
        let names = vec!["join", "hex", "base64", "form:windows-1252", "sha-256", "sha-1"];
        (prop::sample::select(names), prop::collection::vec(inner, 1..4), "[ \n]{0,2}")
            .prop_map(|(name, parts, blank)| format!("{name}{blank}({blank}{})", parts.join(&format!(",{blank}"))))
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
    fn reading_a_pattern_never_panics(text in "[a-z0-9(),.:\" \\\\{}-]{0,40}") {
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
}
