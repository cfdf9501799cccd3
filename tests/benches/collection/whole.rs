//! The same collection from the sealed login to the sealed parcel. Both sides open the login (one private operation of RSA-4096), collect,
//! write the parcel's items as JSON, sign it (another) and encrypt it to the Online Service. The native side calls the library of the engine's
//! envelopes directly, with keys that are read once. Consent, ledger, outbox and receipt are left out on both sides.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::rsa::{KeyPair, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey};
use aws_lc_rs::rsa::{PrivateDecryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::RSA_PSS_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consentry::collect::Collector;
use consentry::credentials::{self, Fields};
use consentry::entropy::Entropy;
use consentry::jose::jwe::{self, CREDENTIALS_BYTES_MAX, Content};
use consentry::jose::{Algorithm, PrivateKey, RecipientKey};
use consentry::keys::{Duty, KeyProvider, SoftwareKeys};
use consentry::seal::{Deliverable, ForRecipient, SealError, Sealable, Sealed};
use consentry_contract::item::{Item, Value};
use consentry_host_api::network::TlsSettings;
use consentry_host_api::ports::Clock as _;
use consentry_tests::collecting::{Collecting, Now, told};
use sample_bank::{MARIE, SiteState};
use serde::ser::{Serialize, SerializeMap, Serializer};
use zeroize::Zeroizing;

use crate::native::Collected;
use crate::plain::Plain;
use crate::{Bank, COLLECTED, Times, WANTED, WARM_UP, native};

const ROUNDS: usize = 100;
const SESSION: &str = "ses_01JD8Z3M7K0000000000000000";

pub async fn compare(collector: &Collector, tls: &TlsSettings) -> anyhow::Result<()> {
    let bank = Bank::in_state(SiteState::Ok)?;
    let engine = EngineKeys::new().await?;
    let plain = PlainKeys::new()?;
    same_result(&bank, collector, tls).await?;
    let by_hand = Plain::new()?;
    let [mut sandboxed, mut native, mut same_parts] = [const { Times::new() }; 3];
    for round in 0..ROUNDS + WARM_UP {
        let parcels = [
            sandboxed.add(engine.collect(&bank, collector)).await??,
            native.add(plain.collect(by_hand.collect(&bank.url))).await??,
            same_parts.add(plain.collect(native::collect(&bank.url, tls))).await??,
        ];
        ensure!(parcels.iter().all(|parcel| parcel.len() > 20_000), "a parcel is too small");
        if round + 1 == WARM_UP {
            [sandboxed, native, same_parts] = [const { Times::new() }; 3];
        }
    }
    let title = format!("from the sealed login to the sealed parcel, {ROUNDS} rounds");
    crate::print_times(&title, &sandboxed, &native, &same_parts);
    Ok(())
}

/// All sides find the same, in the same words.
pub async fn same_result(bank: &Bank, collector: &Collector, tls: &TlsSettings) -> anyhow::Result<()> {
    let ours = Parcel(crate::collecting(bank).collect(collector).await?.items);
    let ours = serde_json::from_slice(&ours.encode().context("unwritable")?)?;
    let ours = in_order(ours)?;
    for theirs in [native::collect(&bank.url, tls).await?, Plain::new()?.collect(&bank.url).await?] {
        let theirs = in_order(serde_json::to_value(theirs.in_items(""))?)?;
        ensure!(ours.len() == theirs.len(), "{} and {} items", ours.len(), theirs.len());
        let other = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
        ensure!(other.is_none(), "two sides found different things: {other:?}");
    }
    Ok(())
}

/// Category and fields of each item, in an order that does not depend on how they were found or written.
fn in_order(items: serde_json::Value) -> anyhow::Result<Vec<(String, BTreeMap<String, serde_json::Value>)>> {
    #[derive(serde::Deserialize)]
    struct Read {
        category: String,
        fields: BTreeMap<String, serde_json::Value>,
    }
    let mut items: Vec<_> =
        serde_json::from_value::<Vec<Read>>(items)?.into_iter().map(|item| (item.category, item.fields)).collect();
    items.sort_by_cached_key(|item| format!("{item:?}"));
    Ok(items)
}

fn login() -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let value = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
    let fields = [("login", MARIE.login), ("password", MARIE.password)];
    let fields = fields.map(|(name, text)| (name.to_owned(), value(text)));
    Ok(credentials::write(SESSION.parse()?, None, &fields))
}

struct EngineKeys {
    keys: SoftwareKeys,
    entropy: Entropy,
    sealed_login: String,
    online_service: RecipientKey,
}

impl EngineKeys {
    async fn new() -> anyhow::Result<Self> {
        let keys = SoftwareKeys::ephemeral(Now.now());
        let entropy = Entropy::system();
        let intake = RecipientKey::from_public((&keys as &dyn KeyProvider).public(Duty::Intake).await?)?;
        let sealed_login = entropy.with(|rng| jwe::seal(&login()?, Content::Plain, &intake, rng).context("sealing"))?;
        (&keys as &dyn KeyProvider).public(Duty::Signing).await?;
        let online_service = PrivateKey::generate(Algorithm::RsaOaep256).context("no key")?;
        let online_service = RecipientKey::from_jwk(&online_service.public().to_jwk().to_string())?;
        Ok(Self { keys, entropy, sealed_login, online_service })
    }

    async fn collect(&self, bank: &Bank, collector: &Collector) -> anyhow::Result<Vec<u8>> {
        let keys: &dyn KeyProvider = &self.keys;
        let opened = keys.open(Duty::Intake, &self.sealed_login, CREDENTIALS_BYTES_MAX).await?;
        let mut run = Collecting::by(bank.package.clone()).at(&bank.url).wanting(&WANTED);
        for (name, value) in Fields::read(&opened)?.into_values()?.into_inner() {
            run = run.field(&name, std::str::from_utf8(&value)?);
        }
        let collection = run.collect(collector).await?;
        ensure!(told(&collection) == COLLECTED, "{}", told(&collection));
        let parcel = Parcel(collection.items);
        let sealed =
            Sealed::<_, ForRecipient>::for_recipient(&parcel, &self.online_service, keys, &self.entropy).await?;
        Ok(sealed.as_bytes().to_vec())
    }
}

/// Stands for released data, which nobody but the engine can make.
struct Parcel(Vec<Item>);

impl Sealable for Parcel {
    const NAMESPACE: &'static str = "consentry-bench";

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        consentry::seal::json(self, Self::NAMESPACE)
    }
}

impl Deliverable for Parcel {}

impl Serialize for Parcel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ItemForm))
    }
}

struct ItemForm<'a>(&'a Item);

impl Serialize for ItemForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("category", self.0.category().name)?;
        map.serialize_entry("observed_at", &self.0.observed())?;
        map.serialize_entry("fields", &FieldsForm(self.0))?;
        map.end()
    }
}

struct FieldsForm<'a>(&'a Item);

impl Serialize for FieldsForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.fields().map(|(field, value)| (field.name, ValueForm(value))))
    }
}

struct ValueForm<'a>(&'a Value);

impl Serialize for ValueForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Text(text) | Value::Decimal(text) => serializer.serialize_str(text),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Date(date) => serializer.collect_str(date),
            Value::Instant(instant) => serializer.collect_str(instant),
            Value::Flag(flag) => serializer.serialize_bool(*flag),
            Value::Blob { .. } => Err(serde::ser::Error::custom("no documents are wanted here")),
        }
    }
}

struct PlainKeys {
    intake: OaepPrivateDecryptingKey,
    signing: KeyPair,
    online_service: OaepPublicEncryptingKey,
    sealed_login: String,
}

impl PlainKeys {
    fn new() -> anyhow::Result<Self> {
        let intake = PrivateKey::generate(Algorithm::RsaOaep256).context("no key")?;
        let signing = PrivateKey::generate(Algorithm::Ps256).context("no key")?;
        let to = RecipientKey::from_jwk(&intake.public().to_jwk().to_string())?;
        let sealed = Entropy::system().with(|rng| jwe::seal(&login()?, Content::Plain, &to, rng).context("sealing"))?;
        let intake = PrivateDecryptingKey::from_pkcs8(&intake.danger_to_pkcs8())?;
        let public =
            aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(&intake.public_key())?;
        Ok(Self {
            online_service: OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(public.as_ref())?)?,
            intake: OaepPrivateDecryptingKey::new(intake)?,
            signing: KeyPair::from_pkcs8(&signing.danger_to_pkcs8())?,
            sealed_login: sealed,
        })
    }

    async fn collect(&self, flow: impl Future<Output = anyhow::Result<Collected>>) -> anyhow::Result<Vec<u8>> {
        let login: serde_json::Value = serde_json::from_slice(&self.open(&self.sealed_login)?)?;
        let field = |name: &str| -> anyhow::Result<String> {
            let text = login["fields"][name].as_str().context("no such field")?;
            Ok(String::from_utf8(URL_SAFE_NO_PAD.decode(text)?)?)
        };
        ensure!(field("login")? == MARIE.login && field("password")? == MARIE.password);
        let collected = flow.await?;
        self.seal(&serde_json::to_vec(&collected.in_items(&Now.now().to_string()))?)
    }

    fn open(&self, token: &str) -> anyhow::Result<Vec<u8>> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, key, nonce, sealed, tag] = parts.as_slice() else { anyhow::bail!("no JWE") };
        let mut cek = vec![0; self.intake.min_output_size()];
        let key = URL_SAFE_NO_PAD.decode(key)?;
        let cek = self.intake.decrypt(&OAEP_SHA256_MGF1SHA256, &key, &mut cek, None)?;
        let mut sealed = URL_SAFE_NO_PAD.decode(sealed)?;
        sealed.extend(URL_SAFE_NO_PAD.decode(tag)?);
        let nonce = Nonce::try_assume_unique_for_key(&URL_SAFE_NO_PAD.decode(nonce)?)?;
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, cek)?);
        Ok(cipher.open_in_place(nonce, Aad::from(header.as_bytes()), &mut sealed)?.to_vec())
    }

    fn seal(&self, payload: &[u8]) -> anyhow::Result<Vec<u8>> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut signed = format!("{}.{}", text(br#"{"alg":"PS256","kid":"bench","typ":"bench"}"#), text(payload));
        let mut signature = vec![0; self.signing.public_modulus_len()];
        self.signing.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)?;
        signed = format!("{signed}.{}", text(&signature));
        let (mut cek, mut nonce) = ([0; 32], [0; 12]);
        fill(&mut cek)?;
        fill(&mut nonce)?;
        let header = text(br#"{"alg":"RSA-OAEP-256","enc":"A256GCM","kid":"bench","cty":"JWT"}"#);
        let mut sealed = signed.into_bytes();
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &cek)?);
        let aad = Aad::from(header.as_bytes());
        let tag = cipher.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)?;
        let mut key = vec![0; self.online_service.ciphertext_size()];
        let key = self.online_service.encrypt(&OAEP_SHA256_MGF1SHA256, &cek, &mut key, None)?;
        let parcel = [header, text(key), text(&nonce), text(&sealed), text(tag.as_ref())].join(".");
        Ok(parcel.into_bytes())
    }
}
