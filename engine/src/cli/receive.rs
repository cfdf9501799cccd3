//! Who receives what `consentry collect` delivers: an Online Service that is only this terminal, with a key that dies with
//! it, or a registered one that fetches by itself.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};

use crate::data::{Category, Digest};
use crate::engine::Engine;
use crate::entropy::Entropy;
use crate::forward::file;
use crate::id::{OnlineServiceId, ParcelId};
use crate::jose::{Algorithm, PrivateKey, RecipientKey, jwe, jws};
use crate::named_file::{self, TEXT_BYTES_MAX};
use crate::online_service::necessity::Need;
use crate::online_service::{Localised, OnlineService, Partner, Purpose, Registration, Role};
use crate::seal::recipient::PARCEL_TYPE;

/// The purpose of a collection that goes to a file.
pub(super) const PURPOSE: &str = "own-copy";

/// The file that was to take the delivery can't.
#[derive(Debug, thiserror::Error)]
#[error("{} can't be written: make room there, or name another file with --out, and collect again", path.display())]
pub(super) struct Unwritable {
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

/// This terminal as an Online Service.
pub(super) struct LocalReceiver {
    pub(super) service: OnlineService,
    /// Opens the parcel; none when the caller's own key does, elsewhere.
    key: Option<PrivateKey>,
    out: PathBuf,
    /// Names the file until it is whole.
    entropy: Arc<Entropy>,
}

impl LocalReceiver {
    /// A receiver that writes to `out`: in clear, or sealed to the public key in `seal_to`. It may ask for everything. The notice
    /// calls it by this name and contact.
    pub(super) fn new(
        out: &Path,
        seal_to: Option<&Path>,
        [name, contact]: [&str; 2],
        entropy: Arc<Entropy>,
        now: jiff::Timestamp,
    ) -> anyhow::Result<Self> {
        // Told before the login is asked for, not after all the work.
        file::can_receive(out, &entropy).map_err(|source| Unwritable { path: out.to_owned(), source })?;
        let (recipient, key) = match seal_to {
            Some(path) => {
                let told = || format!("--seal-to {} is no public key that can be sealed to", path.display());
                let jwk = named_file::read_text(path, TEXT_BYTES_MAX).with_context(told)?;
                (RecipientKey::from_jwk(&jwk).with_context(told)?, None)
            }
            None => {
                let key = PrivateKey::generate(Algorithm::RsaOaep256)?;
                (RecipientKey::from_public(key.public().clone())?, Some(key))
            }
        };
        let words = |en: &str, fr: &str| Localised { en: en.to_owned(), fr: fr.to_owned() };
        let why = || {
            words(
                "to write it to your file, which is yours to keep.",
                "pour l'écrire dans votre fichier, que vous gardez.",
            )
        };
        let purpose = Purpose {
            why: words("to give you a copy of your own data.", "pour vous remettre une copie de vos propres données."),
            needs: [Need::OwnCopy].into(),
            keep_days: 0,
            history_days_max: Some(crate::online_service::HISTORY_DAYS_MAX),
            categories: Category::all().map(|category| (category, why())).collect(),
            predicates: BTreeMap::new(),
            third_parties: Some(words("it is your own copy.", "c'est votre propre copie.")),
        };
        let registration = Registration {
            id: entropy.with(|rng| OnlineServiceId::new(now, rng)),
            name: name.to_owned(),
            contact: contact.to_owned(),
            role: Role::Controller,
            events: None,
            callbacks: vec![],
            purposes: BTreeMap::from([(PURPOSE.to_owned(), purpose)]),
            bearer: None,
            partner: Partner::default(),
        };
        let service = OnlineService::register(registration, recipient)?;
        Ok(Self { service, key, out: out.to_owned(), entropy })
    }

    /// Fetches the parcel, checks and opens it, writes the file, and acknowledges once it is on the disk.
    pub(super) async fn receive(&self, engine: &Arc<Engine>, parcel: ParcelId) -> anyhow::Result<Digest> {
        let sealed = engine.fetch_parcel(&self.service, parcel).await?;
        let digest = Digest::of(&sealed);
        match &self.key {
            None => file::receive(&self.out, &sealed, &self.entropy),
            Some(key) => {
                let token = std::str::from_utf8(&sealed).context("the parcel is no JWE")?;
                let signed = key.open(token, jwe::PARCEL_BYTES_MAX)?;
                let signed = std::str::from_utf8(&signed).context("the parcel holds no JWS")?;
                let kid = jws::kid(signed, jwe::PARCEL_BYTES_MAX)?;
                let keys = engine.signing_keys().await?;
                let key = keys
                    .iter()
                    .find(|key| key.kid() == kid)
                    .ok_or_else(|| anyhow!("an unknown key signed the parcel"))?;
                let content = zeroize::Zeroizing::new(jws::verify(signed, PARCEL_TYPE, jwe::PARCEL_BYTES_MAX, key)?);
                file::receive(&self.out, &content, &self.entropy)
            }
        }
        .map_err(|source| Unwritable { path: self.out.clone(), source })?;
        engine.acknowledge(&self.service, parcel, digest).await?;
        Ok(digest)
    }
}
