//! How every stored type answers to a person's rights. To be stored, a type must say so ([`crate::store::Kept::RIGHTS`]): one that
//! does not, does not compile.

use serde::Serialize;

use crate::erase::retention::Retained;
use crate::store::Kept;

/// How one stored type is exported, rectified, erased and restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// What somebody who asks for access gets of it.
    pub export: Export,
    /// How something wrong in it is put right.
    pub rectify: Rectify,
    /// When it is erased.
    pub erase: Erase,
    /// What a restriction does to it.
    pub restrict: Restrict,
}

/// What somebody who asks for access gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Export {
    /// Its content.
    InAccess,
    /// Its content, to whoever has the login that it was made of.
    ByLogin,
    /// That it is there: it is sealed to somebody else, or nobody can read it.
    ThatItIsThere,
    /// Nothing: it says nothing about anybody.
    NotPersonal,
}

/// How something wrong is put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rectify {
    /// A statement of the person's is put beside it: it proves what was decided, and stays that.
    ByStatement,
    /// By the person, in the account.
    InTheAccount,
    /// By beginning anew: it lives an hour at most.
    ByBeginningAnew,
    /// At the Data Source, or at the Online Service that received it.
    WhereItCameFromOrWent,
    /// There is nothing to be wrong: it says nothing about anybody.
    NotPersonal,
}

/// When it is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Erase {
    /// With the withdrawal, or within the hour.
    AtOnce,
    /// At the end of its period, because it is proof.
    AtTheEndOfItsPeriod,
    /// By its keyed name, which dies with its month's key.
    WithItsMonthsKey,
    /// Never: it says nothing about anybody once its salt is gone.
    NotPersonal,
}

/// What a restriction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restrict {
    /// Nothing is done under it: no login is opened, no send begins.
    NothingIsDoneUnderIt,
    /// It is kept, and nothing else is done with it anyway.
    NothingIsDoneWithIt,
    /// There is nothing to restrict: it says nothing about anybody.
    NotPersonal,
}

/// A stored type and what it declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Declaration {
    /// Its row of the retention table.
    pub row: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it declares.
    pub rights: Declared,
}

impl Declaration {
    /// What a stored type declares.
    pub const fn of<T: Kept>() -> Self {
        Self { row: <T::Row as Retained>::ROW.id, name: T::NAMESPACE, rights: T::RIGHTS }
    }
}

impl Declared {
    /// Of a type that says nothing about anybody.
    pub const NOT_PERSONAL: Self = Self {
        export: Export::NotPersonal,
        rectify: Rectify::NotPersonal,
        erase: Erase::NotPersonal,
        restrict: Restrict::NotPersonal,
    };

    /// Of a type that lives as long as its session, an hour at most.
    pub const OF_A_SESSION: Self = Self {
        export: Export::InAccess,
        rectify: Rectify::ByBeginningAnew,
        erase: Erase::AtOnce,
        restrict: Restrict::NothingIsDoneUnderIt,
    };
}
