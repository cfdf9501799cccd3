//! What stands on the token, and how it is told apart: by its id, and by a label that says what it is for and since when.
//!
//! Every key is made by one call with its id and its label in it, so that no crash leaves half a key. Private and secret keys are made
//! to stay: sensitive, never extractable.

use std::collections::BTreeMap;

use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use jiff::Timestamp;

use super::super::{Duty, KeyInfo, KeyState};
use crate::clock::Month;
use crate::jose::Algorithm;

/// All labels of ours begin with it.
const OURS: &str = "consentry";
const RETIRED: &str = "retired";
/// The months up to this one are over; a word that is no month stands for none.
const OVER: &str = "months-over";
const RSA_BITS: u64 = 4096;
const SECRET_BYTES: u64 = 32;
/// A key that wraps one version of one file of somebody's.
const ROOT: &str = "root";

/// What the token holds of ours, as it was when it was asked.
#[derive(Default)]
pub(super) struct Catalogue {
    /// In the order they were made.
    pub(super) keys: Vec<Key>,
    /// Of each month one key, and whatever a second maker or a copy left beside it.
    pub(super) months: BTreeMap<Month, Vec<ObjectHandle>>,
    pub(super) roots: Vec<RootKey>,
    /// The latest month whose key is gone for good.
    pub(super) over: Option<Month>,
}

#[derive(Clone)]
pub(super) struct Key {
    pub(super) handle: ObjectHandle,
    pub(super) kid: String,
    pub(super) duty: Duty,
    pub(super) made_at: Timestamp,
    pub(super) retired: bool,
}

pub(super) struct RootKey {
    pub(super) handle: ObjectHandle,
    pub(super) owner: String,
    pub(super) kid: String,
}

/// What a label says.
enum Label {
    Key { duty: Duty, made_at: Timestamp, retired: bool },
    Month(Month),
    Root(String),
    Over(Option<Month>),
}

impl Label {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (ours, what, which, last) = (words.next()?, words.next()?, words.next()?, words.next());
        if ours != OURS || words.next().is_some() || last.is_some_and(|last| last != RETIRED) {
            return None;
        }
        match what {
            ROOT => Some(Self::Root(which.to_owned())),
            "month" => which.to_owned().try_into().ok().map(Self::Month),
            OVER => Some(Self::Over(which.to_owned().try_into().ok())),
            _ => {
                let duty = Duty::ALL.into_iter().find(|duty| duty.name() == what)?;
                Some(Self::Key { duty, made_at: which.parse().ok()?, retired: last.is_some() })
            }
        }
    }

    fn write(&self) -> Vec<u8> {
        match self {
            Self::Key { duty, made_at, retired: false } => format!("{OURS} {duty} {made_at}"),
            Self::Key { duty, made_at, retired: true } => format!("{OURS} {duty} {made_at} {RETIRED}"),
            Self::Month(month) => format!("{OURS} month {month}"),
            Self::Root(owner) => format!("{OURS} {ROOT} {owner}"),
            Self::Over(Some(month)) => format!("{OURS} {OVER} {month}"),
            Self::Over(None) => format!("{OURS} {OVER} none"),
        }
        .into_bytes()
    }
}

impl Catalogue {
    pub(super) fn read(session: &Session) -> Result<Self, Error> {
        let mut all = Self::default();
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY] {
            for handle in session.find_objects(&[Attribute::Token(true), Attribute::Class(class)])? {
                let (label, id) = described(session, handle)?;
                match label {
                    Some(Label::Key { duty, made_at, retired })
                        if (class == ObjectClass::SECRET_KEY) == duty.algorithm().is_none() =>
                    {
                        let Ok(kid) = String::from_utf8(id) else { continue };
                        all.keys.push(Key { handle, kid, duty, made_at, retired });
                    }
                    Some(Label::Month(month)) if class == ObjectClass::SECRET_KEY => {
                        all.months.entry(month).or_default().push(handle);
                    }
                    Some(Label::Root(owner)) if class == ObjectClass::SECRET_KEY => {
                        let Ok(kid) = String::from_utf8(id) else { continue };
                        all.roots.push(RootKey { handle, owner, kid });
                    }
                    _ => {}
                }
            }
        }
        for handle in over(session)? {
            if let Some(Label::Over(month)) = described(session, handle)?.0 {
                all.over = all.over.max(month);
            }
        }
        all.keys.sort_by(|one, other| (one.made_at, &one.kid).cmp(&(other.made_at, &other.kid)));
        Ok(all)
    }

    pub(super) fn newest(&self, duty: Duty) -> Option<&Key> {
        self.keys.iter().rfind(|key| key.duty == duty)
    }

    pub(super) fn key(&self, duty: Duty, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.duty == duty && key.kid == kid)
    }

    /// What a wrap of this name stands under: a storage key, or a root.
    pub(super) fn wraps(&self, kid: &str) -> Option<ObjectHandle> {
        let root = || self.roots.iter().find(|root| root.kid == kid).map(|root| root.handle);
        self.key(Duty::Storage, kid).map(|key| key.handle).or_else(root)
    }

    pub(super) fn info(&self, key: &Key) -> KeyInfo {
        let state = match self.newest(key.duty) {
            Some(newest) if newest.kid == key.kid => KeyState::Current,
            _ if key.retired => KeyState::Retired,
            _ => KeyState::Previous,
        };
        KeyInfo { kid: key.kid.clone(), duty: key.duty, made_at: key.made_at, state }
    }
}

/// The label of an object, if it is one of ours, and its id.
fn described(session: &Session, object: ObjectHandle) -> Result<(Option<Label>, Vec<u8>), Error> {
    let (mut label, mut id) = (None, vec![]);
    for attribute in session.get_attributes(object, &[AttributeType::Label, AttributeType::Id])? {
        match attribute {
            Attribute::Label(text) => label = std::str::from_utf8(&text).ok().and_then(Label::read),
            Attribute::Id(bytes) => id = bytes,
            _ => {}
        }
    }
    Ok((label, id))
}

/// Makes a key pair of a duty.
pub(super) fn make_pair(session: &Session, duty: Duty, kid: &str, made_at: Timestamp) -> Result<(), Error> {
    let signs = duty.algorithm() == Some(Algorithm::Ps256);
    let label = Label::Key { duty, made_at, retired: false }.write();
    let named = [Attribute::Token(true), Attribute::Id(kid.into()), Attribute::Label(label)];
    let public = [
        Attribute::Private(false),
        Attribute::ModulusBits(RSA_BITS.into()),
        Attribute::PublicExponent(vec![1, 0, 1]),
        if signs { Attribute::Verify(true) } else { Attribute::Encrypt(true) },
    ];
    let private = [if signs { Attribute::Sign(true) } else { Attribute::Decrypt(true) }];
    let public = [&named[..], &public].concat();
    let private = [&named[..], &SECRET, &private].concat();
    session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private).map(drop)
}

/// Makes a key that others are derived from: the storage duty's.
pub(super) fn make_secret(session: &Session, duty: Duty, kid: &str, made_at: Timestamp) -> Result<(), Error> {
    secret(session, kid, &Label::Key { duty, made_at, retired: false }).map(drop)
}

/// Makes the key of a month.
pub(super) fn make_month(session: &Session, month: Month) -> Result<ObjectHandle, Error> {
    secret(session, &format!("month-{month}"), &Label::Month(month))
}

/// Makes a root of somebody's.
pub(super) fn make_root(session: &Session, owner: &str, kid: &str) -> Result<ObjectHandle, Error> {
    secret(session, kid, &Label::Root(owner.to_owned()))
}

fn secret(session: &Session, id: &str, label: &Label) -> Result<ObjectHandle, Error> {
    let named = [Attribute::Token(true), Attribute::Id(id.into()), Attribute::Label(label.write())];
    let what = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::ValueLen(SECRET_BYTES.into()),
        Attribute::Sign(true),
    ];
    session.generate_key(&Mechanism::GenericSecretKeyGen, &[&named[..], &SECRET, &what].concat())
}

/// What holds for every key that must not come out.
const SECRET: [Attribute; 3] = [Attribute::Private(true), Attribute::Sensitive(true), Attribute::Extractable(false)];

/// Modulus and exponent.
type PublicParts = (Vec<u8>, Vec<u8>);

/// The public half of a key pair.
pub(super) fn public_parts(session: &Session, kid: &str) -> Result<Option<PublicParts>, Error> {
    let public = [Attribute::Token(true), Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(kid.into())];
    let Some(object) = session.find_objects(&public)?.first().copied() else { return Ok(None) };
    let (mut modulus, mut exponent) = (vec![], vec![]);
    for attribute in session.get_attributes(object, &[AttributeType::Modulus, AttributeType::PublicExponent])? {
        match attribute {
            Attribute::Modulus(number) => modulus = number,
            Attribute::PublicExponent(number) => exponent = number,
            _ => {}
        }
    }
    Ok(Some((modulus, exponent)))
}

pub(super) fn retire(session: &Session, all: &Catalogue, key: &Key) -> Result<(), Error> {
    let same = all.keys.iter().filter(|other| other.duty == key.duty && other.kid == key.kid);
    same.into_iter().try_for_each(|Key { handle, duty, made_at, .. }| {
        let label = Label::Key { duty: *duty, made_at: *made_at, retired: true };
        session.update_attributes(*handle, &[Attribute::Label(label.write())])
    })
}

/// Destroys a key, the secret half first: without it the public one is nothing. A token may hold it twice, as a copy or by a restored backup:
/// all of them go.
pub(super) fn destroy(session: &Session, all: &Catalogue, key: &Key) -> Result<(), Error> {
    let same = all.keys.iter().filter(|other| other.duty == key.duty && other.kid == key.kid);
    same.map(|key| key.handle).try_for_each(|object| session.destroy_object(object))?;
    let public =
        [Attribute::Token(true), Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(key.kid.clone().into())];
    session.find_objects(&public)?.into_iter().try_for_each(|object| session.destroy_object(object))
}

/// Notes that the months up to this one are over: first the new note, then the old one goes.
pub(super) fn note_over(session: &Session, month: Option<Month>) -> Result<(), Error> {
    let before = over(session)?;
    session.create_object(&[
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Application(OURS.into()),
        Attribute::Label(Label::Over(month).write()),
        Attribute::Value(vec![0]),
    ])?;
    before.into_iter().try_for_each(|object| session.destroy_object(object))
}

fn over(session: &Session) -> Result<Vec<ObjectHandle>, Error> {
    session.find_objects(&[
        Attribute::Token(true),
        Attribute::Class(ObjectClass::DATA),
        Attribute::Application(OURS.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_reads_back_and_what_is_not_ours_is_none() {
        for text in [
            "consentry intake 2026-11-21T10:00:00.123456789Z",
            "consentry storage 2026-11-21T10:00:00Z retired",
            "consentry month 2026-11",
            "consentry root 00112233445566778899aabbccddeeff",
            "consentry months-over 2026-11",
            "consentry months-over none",
        ] {
            let label = Label::read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(String::from_utf8(label.write()).unwrap(), text);
        }
        for other in [
            "",
            "consentry",
            "consentry intake",
            "other intake 2026-11-21T10:00:00Z",
            "consentry tea 2026-11-21T10:00:00Z",
            "consentry intake today",
            "consentry intake 2026-11-21T10:00:00Z gone",
            "consentry month 2026-13",
            "consentry intake 2026-11-21T10:00:00Z retired twice",
        ] {
            assert!(Label::read(other).is_none(), "{other}");
        }
    }
}
