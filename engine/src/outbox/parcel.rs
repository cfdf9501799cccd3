//! A parcel's bytes: as they are given out, and as they are stored.

use std::fmt;

use zeroize::Zeroizing;

use crate::erase::retention::R23SealedParcel;
use crate::rights::declared::{Declared, Erase, Export, Rectify, Restrict};
use crate::seal::{SealError, Sealable};
use crate::store::Kept;

/// A parcel's bytes: a JWE in compact serialisation, the same ones at each fetch.
#[derive(Clone, PartialEq, Eq)]
pub struct ParcelBytes(pub(super) Vec<u8>);

impl ParcelBytes {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for ParcelBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParcelBytes({})", self.0.len())
    }
}

/// What is stored of a parcel: its bytes.
pub(super) struct Body(pub(super) Vec<u8>);

impl Sealable for Body {
    const NAMESPACE: &'static str = "parcel";

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        Ok(Zeroizing::new(self.0.clone()))
    }
}

impl Kept for Body {
    const RIGHTS: Declared = Declared {
        export: Export::ThatItIsThere,
        rectify: Rectify::WhereItCameFromOrWent,
        erase: Erase::AtOnce,
        restrict: Restrict::NothingIsDoneUnderIt,
    };
    type Row = R23SealedParcel;

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.to_vec()))
    }
}
