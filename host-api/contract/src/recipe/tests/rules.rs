//! What a transform leaves to the connector, and what a manifest may leave.

use super::*;

fn secrets() -> (Arc<Recipe>, Arc<Recipe>) {
    (secret("field.p"), secret("captured.key"))
}

#[test]
fn transforms_print_in_one_canonical_form() {
    let (p, key) = secrets();
    let owner = leaf("field.p");
    let keys = vec![("1".to_owned(), "a".to_owned()), ("2".to_owned(), "b".to_owned())];
    let encrypt = |key: Vec<Piece>| Recipe::encrypt(Cipher::AesCbc, key, vec![0; 16], vec![raw(&p)], [0; 32]).unwrap();
    let stretched = Recipe::stretch(Stretch::Sha256, vec![raw(&p)], vec![text("salt")], 1000, 32).unwrap();
    let cases = [
        (Recipe::characters(&p, vec![2, 5, 7]).unwrap(), "characters:3(raw)"),
        (Recipe::characters(&join(vec![text("a"), raw(&p)]), vec![2]).unwrap(), "characters:1(text, raw)"),
        (Recipe::keypad(&p, keys).unwrap(), "keypad(raw)"),
        (Recipe::decode(Encoding::Raw, &p).unwrap(), "raw"),
        (Recipe::decode(Encoding::Base64, &p).unwrap(), "decode:base64(raw)"),
        (Recipe::mac(Mac::Sha1, vec![raw(&p)], vec![text("n"), text("m")]).unwrap(), "hmac-sha-1(raw; text)"),
        (stretched.clone(), "pbkdf2-sha-256:1000:32(raw; text)"),
        (encrypt(vec![raw(&key)]), "aes-cbc(captured.key; raw)"),
        (encrypt(vec![text("0123456789abcdef")]), "aes-cbc(\"0123456789abcdef\"; raw)"),
        (
            encrypt(vec![Piece::Bytes(vec![0xff; 32])]),
            "aes-cbc(pinned:af9613760f72635fbdb44a5a0a63c39f12af30f950a6ee5c971be188e89c4051; raw)",
        ),
        (encrypt(vec![raw(&key), text(",10001")]), "aes-cbc(join(captured.key, \",10001\"); raw)"),
        (encrypt(vec![raw(&stretched)]), "aes-cbc(pbkdf2-sha-256:1000:32(raw; text); raw)"),
        (
            Recipe::sign(Scheme::Ps256, &secret("operator.k"), vec![text(&"x".repeat(2000))]).unwrap(),
            "ps256(operator.k; text:2000)",
        ),
    ];
    for (recipe, structure) in cases {
        let read = Pattern::parse(structure).unwrap();
        assert_eq!(recipe.structure_for(&owner).to_string(), read.to_string(), "{structure}");
        assert!(read.matches(&recipe, &owner), "{structure}");
        assert_eq!(read.flaw(&leaf("field.p"), 1), None, "{structure}");
    }
}

#[test]
fn patterns_bound_what_is_the_connectors_choice() {
    let (p, key) = secrets();
    let characters = |positions: &[u32]| Recipe::characters(&p, positions.to_vec()).unwrap();
    let stretched = |rounds| Recipe::stretch(Stretch::Sha1, vec![raw(&p)], vec![text("s")], rounds, 20).unwrap();
    let key_of = |key: Vec<Piece>| Recipe::encrypt(Cipher::AesGcm, key, vec![0; 12], vec![raw(&p)], [0; 32]).unwrap();
    let (ours, mine) = ("0123456789abcdef", "fedcba9876543210");
    let signed = |scheme| Recipe::sign(scheme, &secret("operator.k"), vec![raw(&p)]).unwrap();
    let cases = [
        ("characters:3(raw)", characters(&[7, 2, 250]), true),
        ("characters:3(raw)", characters(&[7, 2]), false),
        ("characters:3/7(raw)", characters(&[7, 2, 1]), true),
        ("characters:3/7(raw)", characters(&[8, 2, 1]), false),
        ("pbkdf2-sha-1:1000:20(raw; text)", stretched(1000), true),
        ("pbkdf2-sha-1:1000:20(raw; text)", stretched(5000), true),
        ("pbkdf2-sha-1:1000:20(raw; text)", stretched(999), false),
        ("pbkdf2-sha-1:1000:19(raw; text)", stretched(1000), false),
        ("aes-gcm(\"0123456789abcdef\"; raw)", key_of(vec![text(ours)]), true),
        ("aes-gcm(\"0123456789abcdef\"; raw)", key_of(vec![text(mine)]), false),
        (
            "aes-gcm(pinned:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f; raw)",
            key_of(vec![text(ours)]),
            true,
        ),
        (
            "aes-gcm(pinned:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f; raw)",
            key_of(vec![text(mine)]),
            false,
        ),
        ("aes-gcm(captured.key; raw)", key_of(vec![raw(&key)]), true),
        ("aes-gcm(captured.key; raw)", key_of(vec![text(mine)]), false),
        ("aes-gcm(captured.key; raw)", key_of(vec![text(mine), raw(&key)]), false),
        ("rs256(operator.k; raw)", signed(Scheme::Rs256), true),
        ("ps256(operator.k; raw)", signed(Scheme::Rs256), false),
        ("jwt-rs256(operator.k; raw)", signed(Scheme::Rs256), false),
    ];
    for (pattern, recipe, expected) in cases {
        let found = Pattern::parse(pattern).unwrap().matches(&recipe, &leaf("field.p"));
        assert_eq!(found, expected, "{pattern} on {recipe:?}");
    }
}

#[test]
fn a_pattern_that_leaves_too_much_is_refused() {
    let open = "not the connector's to choose";
    let cases = [
        ("aes-cbc(text; raw)", 1, open),
        ("aes-cbc(join(captured.key, text); raw)", 1, open),
        ("rsa-oaep(text:4000; raw)", 1, open),
        ("hex(rsa-oaep(base64(text); raw))", 1, open),
        ("aes-cbc(sha-256(text); raw)", 1, open),
        ("aes-cbc(decode:hex(text); raw)", 1, open),
        ("aes-cbc(keypad(captured.key); raw)", 1, open),
        ("aes-cbc(hmac-sha-256(text; \"x\"); raw)", 1, open),
        ("aes-cbc(aes-cbc(raw; text); raw)", 1, open),
        ("aes-cbc(sha-256(text, captured.key); raw)", 1, ""),
        ("aes-cbc(pbkdf2-sha-1:1:16(raw; text); text)", 1, ""),
        ("aes-cbc(\"0123456789abcdef\"; join(text, raw))", 1, ""),
        ("rs256(raw; text)", 1, "one of the operator's"),
        ("hex(rs256(join(operator.k, \"a\"); raw))", 1, "one of the operator's"),
        ("jwt-rs256(captured.key; raw)", 1, "one of the operator's"),
        ("es256(operator.k; raw)", 1000, ""),
        ("characters:3(raw)", STEERED_USES_MAX, ""),
        ("characters:3(raw)", STEERED_USES_MAX + 1, "at most 5"),
        ("hex(sha-256(keypad(raw)))", STEERED_USES_MAX + 1, "at most 5"),
    ];
    for (pattern, max, expected) in cases {
        let flaw = Pattern::parse(pattern).unwrap().flaw(&leaf("field.p"), max);
        let right = flaw.as_ref().map_or(expected.is_empty(), |flaw| !expected.is_empty() && flaw.contains(expected));
        assert!(right, "{pattern}: {flaw:?}");
    }
    assert_eq!(Pattern::parse("rs256(raw; text)").unwrap().flaw(&leaf("operator.k"), 9), None);
}

#[test]
fn parameters_of_transforms_are_read_strictly() {
    for none in [
        "characters(raw)",
        "characters:0(raw)",
        "characters:04(raw)",
        "characters:5/4(raw)",
        "characters:1/257(raw)",
        "keypad:1(raw)",
        "pbkdf2-sha-1(raw; text)",
        "pbkdf2-sha-1:0:20(raw; text)",
        "pbkdf2-sha-1:1:0(raw; text)",
        "pbkdf2-sha-1:2000001:20(raw; text)",
        "decode:raw(raw)",
        "decode:rot13(raw)",
        "text:0",
        "text:65537",
        "pinned:00",
        "hmac-sha-1(raw)",
        "hmac-sha-1(raw; text; text)",
        "hmac-md5(raw; text)",
        "sha-1(raw; text)",
        "aes-cbc(raw,; raw)",
        "jwt-hs256(raw; text)",
    ] {
        assert!(Pattern::parse(none).is_err(), "{none}");
    }
}

#[test]
fn arguments_that_make_no_transform_are_refused_without_a_value() {
    let (p, _) = secrets();
    let characters = |positions: &[u32]| Recipe::characters(&p, positions.to_vec()).err();
    for positions in [&[][..], &[0], &[POSITION_MAX + 1], &[1, 2, 1]] {
        assert_eq!(characters(positions), Some(RecipeError::Positions), "{positions:?}");
    }
    let keypad = |keys: &[(&str, &str)]| {
        Recipe::keypad(&p, keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()).err()
    };
    let long = "x".repeat(KEY_BYTES_MAX + 1);
    for keys in [
        &[][..],
        &[("", "a")],
        &[("12", "a")],
        &[("1", "")],
        &[("1", &long)],
        &[("1", "a"), ("1", "b")],
        &[("1", "a"), ("2", "a")],
    ] {
        assert_eq!(keypad(keys), Some(RecipeError::Keypad), "{keys:?}");
    }
    let many: Vec<(String, String)> =
        (0..=KEYS_MAX as u32).map(|n| (char::from_u32(0x100 + n).unwrap().to_string(), n.to_string())).collect();
    assert_eq!(Recipe::keypad(&p, many).err(), Some(RecipeError::Keypad));
    let stretch = |rounds, bytes| Recipe::stretch(Stretch::Sha1, vec![raw(&p)], vec![text("s")], rounds, bytes).err();
    assert_eq!((stretch(0, 20), stretch(1, 0)), (Some(RecipeError::Stretch), Some(RecipeError::Stretch)));
    assert_eq!(
        (stretch(2_000_001, 20), stretch(1_000_001, 21)),
        (Some(RecipeError::TooMuchWork), Some(RecipeError::TooMuchWork))
    );
    let half = Recipe::stretch(Stretch::Sha1, vec![raw(&p)], vec![text("s")], 1_500_000, 20).unwrap();
    assert_eq!(Recipe::join(vec![raw(&half), raw(&half)]).unwrap_err(), RecipeError::TooMuchWork);
    let encrypt =
        |cipher, key: &str, iv| Recipe::encrypt(cipher, vec![text(key)], vec![0; iv], vec![raw(&p)], [0; 32]).err();
    assert_eq!(encrypt(Cipher::AesCbc, "0123456789abcdef", 12), Some(RecipeError::Iv));
    assert_eq!(encrypt(Cipher::AesGcm, "0123456789abcdef", 16), Some(RecipeError::Iv));
    assert_eq!(encrypt(Cipher::AesGcm, "0123456789abcde", 12), Some(RecipeError::Key));
    assert_eq!(encrypt(Cipher::RsaOaep, "0123456789abcdef", 1), Some(RecipeError::Iv));
    assert_eq!(Recipe::sign(Scheme::Rs256, &p, vec![text("m")]).unwrap_err(), RecipeError::SigningKey);
    let key = secret("operator.k");
    let bare = join(vec![piece(&key, "base64")]);
    assert_eq!(Recipe::sign(Scheme::Rs256, &bare, vec![text("m")]).unwrap_err(), RecipeError::SigningKey);
}

#[test]
fn what_depends_on_the_value_fails_in_the_evaluation() {
    let values =
        Values::of(&[("field.p", "né1"), ("field.bytes", ""), ("captured.key", "short"), ("operator.k", "none")]);
    let (p, key) = secrets();
    let error = |recipe: Result<Arc<Recipe>, RecipeError>| evaluate(&recipe.unwrap(), &values).unwrap_err();
    let keys = vec![("n".to_owned(), "1".to_owned()), ("é".to_owned(), "2".to_owned())];
    assert_eq!(error(Recipe::characters(&p, vec![1, 4])), EvaluationError::Unfit("characters"));
    assert_eq!(error(Recipe::keypad(&p, keys)), EvaluationError::Unfit("keypad"));
    for encoding in ["hex", "base64", "base64url"] {
        assert_eq!(error(Recipe::decode(Encoding::parse(encoding).unwrap(), &p)), EvaluationError::Unfit("decode"));
    }
    let encrypted = Recipe::encrypt(Cipher::AesCbc, vec![raw(&key)], vec![0; 16], vec![raw(&p)], [0; 32]);
    assert_eq!(error(encrypted), EvaluationError::Unfit("encrypt"));
    let encrypted = Recipe::encrypt(Cipher::RsaOaep, vec![raw(&key)], vec![], vec![raw(&p)], [0; 32]);
    assert_eq!(error(encrypted), EvaluationError::Unfit("encrypt"));
    assert_eq!(
        error(Recipe::sign(Scheme::Es256, &secret("operator.k"), vec![raw(&p)])),
        EvaluationError::Unfit("sign")
    );
    // Characters, not bytes.
    let second = Recipe::characters(&p, vec![3, 2]).unwrap();
    assert_eq!(*evaluate(&second, &values).unwrap(), "1é".as_bytes());
}

#[test]
fn single_characters_are_narrow_until_a_one_way_function() {
    let (p, key) = secrets();
    let one = Recipe::characters(&p, vec![2]).unwrap();
    let four = Recipe::characters(&p, vec![2, 3, 4, 5]).unwrap();
    let five = Recipe::characters(&p, vec![2, 3, 4, 5, 6]).unwrap();
    let keys = ('a'..='z').map(|c| (c.to_string(), c.to_uppercase().to_string())).collect();
    // Four are too few to be searched for.
    assert!(one.is_narrow() && four.is_narrow() && !five.is_narrow() && !p.is_narrow());
    assert!(join(vec![text("pin="), piece(&one, "hex")]).is_narrow());
    assert!(Recipe::keypad(&one, keys).unwrap().is_narrow());
    assert!(Recipe::encrypt(Cipher::RsaOaep, vec![raw(&key)], vec![], vec![raw(&one)], [0; 32]).unwrap().is_narrow());
    let digest = Recipe::digest(Digest::Md5, vec![text("nonce"), raw(&one)]).unwrap();
    assert!(!digest.is_narrow() && !digest.is_withheld());
    let values = Values::of(&[("field.p", "s3cret")]);
    let all = outputs(&join(vec![piece(&digest, "hex")]), &values, &|_| true).unwrap();
    // The password, the digest, its encoding; not the one character, which would be cut out of every word that has it.
    assert_eq!(all.iter().map(|output| output.value.len()).collect::<Vec<_>>(), [6, 16, 32]);
}

/// A site may repeat key by key what is searched for as one value.
#[test]
fn what_is_typed_on_a_keypad_is_searched_for_and_its_answer_is_withheld_too() {
    let (p, _) = secrets();
    let typed = |key: fn(char) -> String| Recipe::keypad(&p, ('0'..='9').map(|c| (c.to_string(), key(c))).collect());
    for typed in [typed(|c| c.to_string()).unwrap(), typed(|c| format!("key-number-{c}")).unwrap()] {
        assert!(typed.is_withheld() && join(vec![text("pin="), piece(&typed, "hex")]).is_withheld());
        assert!(!typed.is_narrow() && !p.is_withheld());
        let all = outputs(&typed, &Values::of(&[("field.p", "271828")]), &|_| true).unwrap();
        assert!(all.iter().any(|output| output.value.len() >= 6));
        assert!(!Recipe::digest(Digest::Sha256, vec![raw(&typed)]).unwrap().is_withheld());
    }
}

/// Why a recipe is bounded when it is described: each step of this one is as long again, and forty would be terabytes.
#[test]
fn a_recipe_that_is_joined_to_itself_doubles_and_ends_at_the_bound() {
    let (mut recipe, values) = (secret("field.p"), Values::of(&[("field.p", "s3cret")]));
    let mut lengths = Vec::new();
    let refused = loop {
        match Recipe::join(vec![raw(&recipe), raw(&recipe)]) {
            Ok(doubled) => recipe = doubled,
            Err(error) => break error,
        }
        lengths.push(evaluate(&recipe, &values).unwrap().len());
    };
    assert!(matches!(refused, RecipeError::TooManyNodes), "{refused}");
    assert!(lengths.len() >= 3 && lengths.windows(2).all(|two| two[1] == 2 * two[0]), "{lengths:?}");
    assert!(lengths.last().unwrap() <= &(6 * NODES_MAX as usize), "{lengths:?}");
}
