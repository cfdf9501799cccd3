use std::collections::HashSet;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::jose::jwe::PARCEL_BYTES_MAX;
use crate::jose::tests::{published_key, recipient};
use crate::jose::{Algorithm, jws};

#[derive(Clone, Debug)]
struct Note(Vec<u8>);
struct OtherKind;

impl Sealable for Note {
    const NAMESPACE: &'static str = "note";
    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        Ok(Zeroizing::new(self.0.clone()))
    }
}
impl Deliverable for Note {}

impl Sealable for OtherKind {
    const NAMESPACE: &'static str = "other";
    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        Ok(Zeroizing::default())
    }
}

fn place<'a>(name: &'a str, head: &'a str) -> Place<'a> {
    Place { name, head: head.as_bytes() }
}

proptest! {
    #[test]
    fn a_record_opens_with_its_key_at_its_place_and_nowhere_else(
        content in prop::collection::vec(any::<u8>(), 0..300),
        (name, head, other_name, other_head) in ("[a-z]{0,4}", "[a-z]{0,4}", "[a-z]{0,4}", "[a-z]{0,4}"),
        flipped in any::<prop::sample::Index>(),
    ) {
        let rng = &mut StdRng::seed_from_u64(1);
        let (key, other_key) = (RecordKey::generate(rng), RecordKey::generate(rng));
        let here = place(&name, &head);
        let sealed = Sealed::at_rest(&Note(content.clone()), here, &key, rng).unwrap();
        let opened = sealed.open(here, &key).unwrap();
        prop_assert_eq!(opened.as_slice(), content.as_slice());
        prop_assert_eq!(sealed.open(here, &other_key), Err(Refused));
        let elsewhere = place(&other_name, &other_head);
        prop_assert_eq!(sealed.open(elsewhere, &key).is_ok(), (other_name, other_head) == (name.clone(), head.clone()));
        let other_kind = Sealed::<OtherKind, AtRest>::from_bytes(sealed.as_bytes().to_vec());
        prop_assert_eq!(other_kind.open(here, &key), Err(Refused));
        let mut bytes = sealed.as_bytes().to_vec();
        let at = flipped.index(bytes.len());
        bytes[at] ^= 1;
        prop_assert_eq!(Sealed::<Note, AtRest>::from_bytes(bytes).open(here, &key), Err(Refused));
        prop_assert_eq!(Sealed::<Note, AtRest>::from_bytes(sealed.as_bytes()[..at].to_vec()).open(here, &key), Err(Refused));
    }

    #[test]
    fn no_two_lists_join_alike(one in prop::collection::vec("[a\0]{0,3}", 0..4), two in prop::collection::vec("[a\0]{0,3}", 0..4)) {
        let join = |list: &[String]| joined(&list.iter().map(|part| part.as_bytes()).collect::<Vec<_>>());
        prop_assert_eq!(join(&one) == join(&two), one == two);
    }
}

#[test]
fn a_record_is_never_sealed_alike() {
    let rng = &mut StdRng::seed_from_u64(1);
    let key = RecordKey::generate(rng);
    let sealed: HashSet<Vec<u8>> = (0..100)
        .map(|_| Sealed::at_rest(&Note(vec![7]), place("a", "b"), &key, rng).unwrap().as_bytes().to_vec())
        .collect();
    assert_eq!(sealed.len(), 100);
}

#[tokio::test]
async fn what_is_sealed_for_a_recipient_is_signed_inside_and_only_the_recipient_opens_it() {
    let entropy = Entropy::from(StdRng::seed_from_u64(1));
    let keys = crate::keys::software::tests::keys();
    let sealed = Sealed::for_recipient(&Note(b"content".to_vec()), &recipient(), &*keys, &entropy).await.unwrap();
    let token = std::str::from_utf8(sealed.as_bytes()).unwrap();
    let opened = published_key(Algorithm::RsaOaep256).open(token, PARCEL_BYTES_MAX).unwrap();
    let signed = std::str::from_utf8(&opened).unwrap();
    let signer = keys.public(Duty::Signing).await.unwrap();
    assert_eq!(jws::verify(signed, "note+jwt", PARCEL_BYTES_MAX, &signer).unwrap(), b"content");
    assert_eq!(sealed.digest(), Digest::of(token.as_bytes()));
    assert_eq!(format!("{sealed:?}"), format!("Sealed {{ namespace: \"note\", bytes: {} }}", token.len()));
}
