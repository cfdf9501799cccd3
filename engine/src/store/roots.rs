//! Root keys in a file: all of them in one, rewritten whole with each change, in one generation only, under a root of the key
//! provider. That root is another one after each change that lets something go ([`FileRoots::settle`]), and the one before is
//! destroyed: in a token, whoever copied every file has nothing; in software, whoever copied every file but the key file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::StoreError;
use super::files::{Files, Room};
use super::mark::{MARK_BYTES, Mark};
use super::time::Time;
use crate::entropy::Entropy;
use crate::jose::Refused;
use crate::keys::{Destroyed, KeyError, KeyProvider, RecordKey, Root, Wrap};
use crate::seal::{joined, open_bytes, seal_bytes};

/// The file's name.
pub(super) const ROOTS: &str = "roots";
/// Who holds these keys, in the evidence of their destruction.
pub(crate) const PROVIDER: &str = "roots-file";
const FORMAT: u8 = 2;
/// The form before: under the storage key, and without a mark.
const UNMARKED: u8 = 1;

/// Root keys in a file.
pub(super) struct FileRoots {
    files: Arc<dyn Files>,
    keys: Arc<dyn KeyProvider>,
    entropy: Arc<Entropy>,
    held: Mutex<Held>,
    /// One change at a time. Nobody who holds it waits for the provider, but for the file's very first root.
    changing: tokio::sync::Mutex<()>,
    /// One new root of the provider at a time.
    settling: tokio::sync::Mutex<()>,
}

struct Held {
    roots: BTreeMap<Root, RecordKey>,
    mark: Mark,
    /// Whether the file has a mark.
    is_marked: bool,
    /// What the file stands under; none before it is written.
    under: Option<Arc<Under>>,
    /// How often the file let something go, and how often it had when the provider's root that it stood under was last destroyed: where
    /// they differ, the one that it stands under is to be destroyed.
    let_go: u64,
    settled: u64,
}

/// The key of the file, and its wrap under a root of the provider.
struct Under {
    key: RecordKey,
    wrap: Wrap,
}

/// The first line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    v: u8,
    /// The key of the rest, under a root of the provider.
    wrap: Wrap,
}

impl FileRoots {
    /// Without any. The file is not looked at.
    pub(super) fn fresh(files: Arc<dyn Files>, keys: Arc<dyn KeyProvider>, entropy: Arc<Entropy>) -> Self {
        let mark = entropy.with(|rng| Mark::fresh(rng));
        let held =
            Mutex::new(Held { roots: BTreeMap::new(), mark, is_marked: false, under: None, let_go: 0, settled: 0 });
        let (changing, settling) = Default::default();
        Self { files, keys, entropy, held, changing, settling }
    }

    /// With those of the file.
    pub(super) async fn open(
        files: Arc<dyn Files>,
        keys: Arc<dyn KeyProvider>,
        entropy: Arc<Entropy>,
    ) -> Result<Self, StoreError> {
        let this = Self::fresh(files, keys, entropy);
        if let Some(bytes) = this.files.read(ROOTS).await? {
            let held = this.decode(&bytes).await?;
            *this.held() = held;
        }
        Ok(this)
    }

    /// What is known of the store and of time. As long as the file has none, nothing but a name for a new store.
    pub(super) fn mark(&self) -> Mark {
        self.held().mark
    }

    /// How late it is, for whatever is written next.
    pub(super) fn note(&self, time: Time) {
        let mut held = self.held();
        held.mark = held.mark.at(time);
    }

    /// Whether the file has a mark.
    pub(super) fn is_marked(&self) -> bool {
        self.held().is_marked
    }

    /// The roots of another file like this one, as far as the provider opens it today.
    pub(super) async fn of_copy(&self, copy: &dyn Files) -> Result<BTreeMap<Root, RecordKey>, StoreError> {
        let Some(bytes) = copy.read(ROOTS).await? else { return Ok(BTreeMap::new()) };
        match self.decode(&bytes).await {
            Ok(held) => Ok(held.roots),
            Err(StoreError::Roots) => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }

    /// All that are there.
    pub(super) fn list(&self) -> Vec<Root> {
        self.held().roots.keys().cloned().collect()
    }

    /// Makes these, then destroys those. Both are durable when this returns. To make what is there, or to destroy what is not,
    /// changes nothing, so that a change that was cut off can be asked for again.
    pub(super) async fn change(
        &self,
        make: &[Root],
        destroy: &[Root],
        now: Timestamp,
    ) -> Result<Vec<Destroyed>, StoreError> {
        let gone = self.replace(make, destroy).await?;
        self.held().let_go += u64::from(!gone.is_empty());
        Ok(gone.iter().map(|root| destroyed(root, now)).collect())
    }

    /// As [`Self::change`], where nothing was let go: whatever stood under those stands under these.
    pub(super) async fn advance(&self, make: &[Root], destroy: &[Root]) -> Result<(), StoreError> {
        self.replace(make, destroy).await.map(drop)
    }

    /// Makes these, destroys those, and tells which of those were there.
    async fn replace(&self, make: &[Root], destroy: &[Root]) -> Result<Vec<Root>, StoreError> {
        let _one_at_a_time = self.changing.lock().await;
        let (mut roots, mark, known) = self.known();
        for root in make {
            let new = || self.entropy.with(|rng| RecordKey::generate(rng));
            roots.entry(root.clone()).or_insert_with(new);
        }
        let gone: Vec<Root> = destroy.iter().filter(|root| roots.remove(root).is_some()).cloned().collect();
        let under = match known {
            Some(under) => under,
            None => self.fresh_root(mark).await?,
        };
        self.write(&roots, mark, &under).await?;
        let mut held = self.held();
        (held.roots, held.under) = (roots, Some(under));
        Ok(gone)
    }

    /// Notes a mark, and puts the file under a new root of the provider if it let anything go under the one it has. That one is
    /// destroyed, and named. Does nothing where there is nothing to do.
    pub(super) async fn settle(&self, mark: Option<Mark>, now: Timestamp) -> Result<Vec<Destroyed>, StoreError> {
        let _one_at_a_time = self.settling.lock().await;
        let (mark, is_spent, is_new, known) = {
            let held = self.held();
            let next = mark.unwrap_or(held.mark);
            (next, held.let_go != held.settled, next != held.mark, held.under.clone())
        };
        if !is_spent && !is_new {
            return Ok(vec![]);
        }
        let under = match known {
            Some(under) if !is_spent => under,
            _ => self.fresh_root(mark).await?,
        };
        let kid = under.wrap.kid.clone();
        let let_go = {
            let _one_at_a_time = self.changing.lock().await;
            let (roots, ..) = self.known();
            self.write(&roots, mark, &under).await?;
            let mut held = self.held();
            (held.mark, held.is_marked, held.under) = (mark, true, Some(under));
            held.let_go
        };
        if !is_spent {
            return Ok(vec![]);
        }
        let gone = self.keys.destroy_roots(&mark.owner(), &kid, now).await?;
        self.held().settled = let_go;
        Ok(gone)
    }

    /// Wraps the key of a table's file. [`unwrapped`] undoes it.
    pub(super) fn wrap(&self, root: &Root, key: &RecordKey, aad: &[u8]) -> Result<Vec<u8>, KeyError> {
        let plain = Zeroizing::new(key.danger_bytes().to_vec());
        let root = self.key(root).ok_or(Refused)?;
        Ok(self.entropy.with(|rng| seal_bytes(plain, aad, &root, rng))?)
    }

    pub(super) fn key(&self, root: &Root) -> Option<RecordKey> {
        self.held().roots.get(root).map(RecordKey::again)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Each change below leaves it whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> (BTreeMap<Root, RecordKey>, Mark, Option<Arc<Under>>) {
        let held = self.held();
        let roots = held.roots.iter().map(|(root, key)| (root.clone(), key.again())).collect();
        (roots, held.mark, held.under.clone())
    }

    /// A new root of the provider, for the file's next version.
    async fn fresh_root(&self, mark: Mark) -> Result<Arc<Under>, KeyError> {
        let key = self.entropy.with(|rng| RecordKey::generate(rng));
        let wrap = self.keys.wrap_under_root(&mark.owner(), &key, b"roots").await?;
        Ok(Arc::new(Under { key, wrap }))
    }

    async fn write(&self, roots: &BTreeMap<Root, RecordKey>, mark: Mark, under: &Under) -> Result<(), StoreError> {
        let header = Header { v: FORMAT, wrap: under.wrap.clone() };
        let body = encode(mark, roots);
        let bytes = self.entropy.with(|rng| envelope(&header, b"roots", body, &under.key, rng))?;
        self.files.replace(ROOTS, bytes, Room::Reserve).await
    }

    async fn decode(&self, bytes: &[u8]) -> Result<Held, StoreError> {
        let damaged = || StoreError::Roots;
        let (header, sealed) = split(bytes).ok_or_else(damaged)?;
        let read: Header = serde_json::from_slice(header).map_err(|_| damaged())?;
        let key = match self.keys.unwrap_record(&read.wrap, b"roots").await {
            Err(KeyError::Refused(_)) => return Err(damaged()),
            key => key?,
        };
        let body = open_bytes(sealed, &joined(&[b"roots", header]), &key).map_err(|_| damaged())?;
        let (mark, roots) = match read.v {
            FORMAT => {
                let (mark, roots) = body.split_first_chunk::<MARK_BYTES>().ok_or_else(damaged)?;
                (Mark::read(mark), roots)
            }
            UNMARKED => (self.mark(), &body[..]),
            _ => return Err(damaged()),
        };
        let roots = roots_of(roots).ok_or_else(damaged)?;
        let under = Some(Arc::new(Under { key, wrap: read.wrap }));
        // What its last life let go, nobody knows.
        Ok(Held { roots, mark, is_marked: read.v == FORMAT, under, let_go: 1, settled: 0 })
    }
}

/// What is wrapped under a root.
pub(super) fn unwrapped(root: &RecordKey, wrapped: &[u8], aad: &[u8]) -> Result<RecordKey, Refused> {
    let plain = open_bytes(wrapped, aad, root)?;
    let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| Refused)?;
    Ok(RecordKey::from_bytes(Zeroizing::new(bytes)))
}

pub(super) fn destroyed(root: &Root, at: Timestamp) -> Destroyed {
    Destroyed { key: root.to_string(), at, provider: PROVIDER.to_owned() }
}

/// A file of ours: a line in clear, and a sealed body that is bound to it.
pub(super) fn envelope(
    header: &impl Serialize,
    kind: &[u8],
    body: Zeroizing<Vec<u8>>,
    key: &RecordKey,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, KeyError> {
    let mut bytes = serde_json::to_vec(header).map_err(|_| Refused)?;
    let sealed = seal_bytes(body, &joined(&[kind, &bytes]), key, rng)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
}

/// The line, and what is sealed.
pub(super) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn encode(mark: Mark, roots: &BTreeMap<Root, RecordKey>) -> Zeroizing<Vec<u8>> {
    let length: usize = roots.keys().map(|root| 1 + root.table.len() + 8 + 32).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(MARK_BYTES + length));
    bytes.extend_from_slice(&mark.bytes());
    for (root, key) in roots {
        // A table's name is short.
        bytes.push(u8::try_from(root.table.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(root.table.as_bytes());
        bytes.extend_from_slice(&root.generation.to_be_bytes());
        bytes.extend_from_slice(key.danger_bytes());
    }
    bytes
}

fn roots_of(mut bytes: &[u8]) -> Option<BTreeMap<Root, RecordKey>> {
    let mut roots = BTreeMap::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (table, rest) = rest.split_at_checked(usize::from(*length))?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk::<32>()?;
        let table = std::str::from_utf8(table).ok()?.to_owned();
        let root = Root { table, generation: u64::from_be_bytes(*generation) };
        roots.insert(root, RecordKey::from_bytes(Zeroizing::new(*key)));
        bytes = rest;
    }
    Some(roots)
}
