use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A component without meaning: this module looks at sections only.
fn connector() -> Vec<u8> {
    let mut component = wasm_encoder::Component::new();
    component.section(&wasm_encoder::CustomSection { name: "first".into(), data: [7; 300].as_slice().into() });
    component.section(&wasm_encoder::CustomSection { name: "second".into(), data: b"small".as_slice().into() });
    component.finish()
}

fn key() -> (SigningKey, TrustedKey) {
    let (signing, public) = SigningKey::ephemeral();
    (signing, TrustedKey::parse("an author", &public).unwrap())
}

fn signed() -> (Vec<u8>, Trust) {
    let (signing, public) = key();
    (signing.sign(&connector(), "one").unwrap(), Trust::keys(vec![key().1, public]))
}

#[test]
fn what_a_trusted_key_signed_is_accepted_and_the_rest_of_the_file_is_the_connector() {
    let (file, trust) = signed();
    let (length, signer) = trust.check(&file).unwrap();
    assert_eq!(&file[..length], connector());
    assert_eq!(signer.unwrap().owner, "an author");
    assert_eq!(unsigned(&file), connector());
    // A signature is a section like others: parsers of WebAssembly pass over it.
    let mut sections = wasmparser::Parser::new(0).parse_all(&file);
    assert!(sections.all(|payload| payload.is_ok()));
}

#[test]
fn no_byte_of_a_signed_file_can_be_another() {
    let (file, trust) = signed();
    // What minisign calls the untrusted comment is not signed, and means nothing here.
    let comment = file.windows(16).position(|window| window == b"untrusted commen").unwrap();
    let end = comment + file[comment..].iter().position(|byte| *byte == b'\n').unwrap();
    let accepted: Vec<usize> = (0..file.len())
        .filter(|at| {
            let mut other = file.clone();
            other[*at] ^= 1;
            trust.check(&other).is_ok()
        })
        .filter(|at| !(comment..end).contains(at))
        .collect();
    assert!(accepted.is_empty(), "{accepted:?}");
    let cut = (0..file.len()).filter(|length| trust.check(&file[..*length]).is_ok());
    assert_eq!(cut.count(), 0);
}

#[test]
fn whoever_does_not_sign_or_is_not_trusted_is_told_so() {
    let (file, trust) = signed();
    let (other, public) = key();
    assert_eq!(trust.check(&connector()), Err(SignatureError::Unsigned));
    let foreign = other.sign(&connector(), "one").unwrap();
    assert_eq!(trust.check(&foreign), Err(SignatureError::UnknownKey { key: public.id() }));
    assert_eq!(public.id().len(), 16);
    let extended = [&file[..], &[0, 6, 4, b'm', b'o', b'r', b'e', b'!']].concat();
    assert_eq!(trust.check(&extended), Err(SignatureError::Extended));
    let twice = attach(&file, "again");
    assert_eq!(trust.check(&twice), Err(SignatureError::Extended));
    for signature in ["", "\n\n\n", "untrusted comment: x\nRWQ\ntrusted comment: y\nAAAA"] {
        assert_eq!(trust.check(&attach(&connector(), signature)), Err(SignatureError::Damaged), "{signature:?}");
    }
    // One that is right but for the last line, which is too short for a signature.
    let text = std::str::from_utf8(split(&file).unwrap().1.unwrap()).unwrap();
    let short = text.lines().take(3).chain(["AAAA"]).collect::<Vec<_>>().join("\n");
    assert_eq!(trust.check(&attach(&connector(), &short)), Err(SignatureError::Damaged));
}

#[test]
fn in_development_only_damage_is_refused() {
    let (file, trust) = signed();
    let open = Trust::default().or_unsigned();
    assert_eq!(open.check(&connector()), Ok((connector().len(), None)));
    assert_eq!(open.check(&file), Ok((connector().len(), None)));
    assert_eq!(open.check(b"noise"), Ok((5, None)));
    let mut damaged = file;
    damaged[12] ^= 1;
    assert_eq!(trust.or_unsigned().check(&damaged), Err(SignatureError::Damaged));
}

#[test]
fn lengths_that_lie_end_the_search() {
    for tail in
        [&[0, 0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80], &[0], &[0, 3, 0xff, 0xff, 1]]
    {
        let file = [&connector()[..], tail].concat();
        assert_eq!(split(&file), Ok((file.len(), None)));
    }
}

#[test]
fn a_key_file_is_its_owners_and_opens_with_its_passphrase_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("author.key");
    let (right, wrong, none) = ("a horse".into(), "a donkey".into(), "".into());
    assert!(matches!(SigningKey::generate(&none), Err(KeyError::NoPassphrase)));
    let (secret, public) = SigningKey::generate(&right).unwrap();
    std::fs::write(&path, secret).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(SigningKey::open(&path, Some(&wrong)), Err(KeyError::Refused)));
    assert!(matches!(SigningKey::open(&path, None), Err(KeyError::Passphrase { encrypted: true })));
    let file = SigningKey::open(&path, Some(&right)).unwrap().sign(&connector(), "one").unwrap();
    let trust = Trust::keys(vec![TrustedKey::parse("an author", &public).unwrap()]);
    assert!(trust.check(&file).is_ok());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(SigningKey::open(&path, Some(&right)), Err(KeyError::Io(_))));
    for text in ["", "RW", "not a key", "untrusted comment: x\nAAAA"] {
        assert!(TrustedKey::parse("x", text).is_err(), "{text}");
    }
}
