//! The sequencer: gives accepted leaves their places in the log, writes the tiles, signs the checkpoint.
//!
//! Everybody may be the sequencer, also two at once. The head of the log is one record. Which leaves come next is written into
//! it first, by compare-and-set; from then on whoever goes on, here or on another node or after a crash, does the very same. The
//! new head is a compare-and-set again. Nobody who waits for a leaf waits for this.

use serde::{Deserialize, Serialize};
use tlog_tiles::Hash;

#[cfg(test)]
use super::tiles::Tiles;
use super::tiles::{TileError, Tree};
use super::{LeafRow, Ledger, LedgerError, WaitingRow, proof};
use crate::data::Digest;
use crate::erase::retention::{R15ConsentLogLeaf, Term};
use crate::id::LeafId;
use crate::keys::Duty;
use crate::rights::declared::Declared;
use crate::store::{Expect, Record, Revision, StoreError};

/// Most leaves that get their places at once.
const BATCH_MAX: usize = 256;
/// Most batches of one call.
const BATCHES_MAX: usize = 64;
/// The name of the one record.
const HEAD: &str = "head";
/// Where the checkpoint stands among the tiles.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// The head of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadRow {
    format: u8,
    size: u64,
    root: String,
    /// The signed checkpoint of this tree; none before the first leaf.
    note: Option<String>,
    /// The leaves that come next, in their order.
    next: Vec<Next>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    leaf: LeafId,
    commitment: Digest,
}

impl Record for HeadRow {
    const NAMESPACE: &'static str = "log";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R15ConsentLogLeaf;
}

impl HeadRow {
    fn tree(&self) -> Result<Tree, LedgerError> {
        let root = Hash::parse_hash(&self.root).map_err(TileError::Tree)?;
        Ok(Tree { size: self.size, root })
    }
}

impl Ledger {
    /// Writes accepted leaves into the log, and tells how many it has then.
    ///
    /// # Errors
    /// [`LedgerError`]: call it again; what was begun is gone on with.
    pub async fn sequence(&self) -> Result<u64, LedgerError> {
        for _ in 0..BATCHES_MAX {
            let (mut head, mut expect) = self.head().await?;
            if head.next.is_empty() {
                head.next = self.waiting().await?;
                if head.next.is_empty() {
                    return Ok(head.size);
                }
                match self.leaves.put(HEAD, &head, expect, Term::open()).await {
                    Ok(revision) => expect = Expect::At(revision),
                    // Somebody else is at it.
                    Err(StoreError::Conflict) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            self.go_on(head, expect).await?;
        }
        Ok(self.head().await?.0.size)
    }

    async fn go_on(&self, head: HeadRow, expect: Expect) -> Result<(), LedgerError> {
        let tree = head.tree()?;
        let commitments: Vec<Digest> = head.next.iter().map(|next| next.commitment).collect();
        let tiles = self.tiles.clone();
        let grown = tokio::task::spawn_blocking(move || tiles.grow(tree, &commitments));
        let grown = grown.await.map_err(|_| LedgerError::Unwritable)??;
        for (index, Next { leaf, commitment }) in (head.size..).zip(&head.next) {
            let row = LeafRow { format: 2, commitment: *commitment, index: Some(index) };
            self.leaves.put(&leaf.to_string(), &row, Expect::Any, Term::open()).await?;
            self.leaves.delete::<WaitingRow>(&leaf.to_string()).await?;
        }
        let note = self.sign(grown).await?;
        let (size, root) = (grown.size, grown.root.to_string());
        let head = HeadRow { format: 1, size, root, note: Some(note), next: vec![] };
        match self.leaves.put(HEAD, &head, expect, Term::open()).await {
            Ok(_) => self.publish().await,
            Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn sign(&self, tree: Tree) -> Result<String, LedgerError> {
        let text = proof::text(&self.origin, tree);
        let key = self.keys.public(Duty::Log).await?;
        let signature = self.keys.sign(Duty::Log, key.kid(), text.as_bytes()).await?;
        Ok(proof::note(&text, &self.origin, key.kid(), &signature))
    }

    /// Puts the checkpoint beside the tiles. It is a copy; the head decides, also where two write it at once.
    async fn publish(&self) -> Result<(), LedgerError> {
        for _ in 0..BATCHES_MAX {
            let Some(note) = self.head().await?.0.note else { return Ok(()) };
            let (tiles, bytes) = (self.tiles.clone(), note.clone());
            let written = tokio::task::spawn_blocking(move || tiles.write(CHECKPOINT, bytes.as_bytes()));
            written.await.map_err(|_| LedgerError::Unwritable)?.map_err(TileError::Io)?;
            if self.head().await?.0.note == Some(note) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The proof that a leaf is in the log; none as long as it is accepted and has no place yet.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn proof(&self, leaf: LeafId) -> Result<Option<String>, LedgerError> {
        let Some(row) = self.leaves.get::<LeafRow>(&leaf.to_string()).await? else { return Ok(None) };
        let (head, _) = self.head().await?;
        let (Some(index), Some(note)) = (row.value.index, &head.note) else { return Ok(None) };
        if index >= head.size {
            return Ok(None);
        }
        let (tiles, tree) = (self.tiles.clone(), head.tree()?);
        let hashes = tokio::task::spawn_blocking(move || tiles.prove(tree, index));
        let hashes = hashes.await.map_err(|_| LedgerError::Unwritable)??;
        Ok(Some(proof::proof(index, &hashes, note)))
    }

    /// The signed checkpoint; none before the first leaf.
    ///
    /// # Errors
    /// [`LedgerError::Store`].
    pub async fn checkpoint(&self) -> Result<Option<String>, LedgerError> {
        Ok(self.head().await?.0.note)
    }

    /// A tile by its path.
    ///
    /// # Errors
    /// [`LedgerError::Tiles`].
    pub async fn tile(&self, path: String) -> Result<Option<Vec<u8>>, LedgerError> {
        if !path.starts_with("tile/") {
            return Ok(None);
        }
        let tiles = self.tiles.clone();
        let read = tokio::task::spawn_blocking(move || tiles.read(&path)).await;
        Ok(read.map_err(|_| LedgerError::Unwritable)?.map_err(TileError::Io)?)
    }

    async fn head(&self) -> Result<(HeadRow, Expect), LedgerError> {
        let stored = self.leaves.get::<HeadRow>(HEAD).await?;
        let at = |revision: Revision| Expect::At(revision);
        let empty = HeadRow { format: 1, size: 0, root: tlog_tiles::EMPTY_HASH.to_string(), note: None, next: vec![] };
        Ok(stored.map_or((empty, Expect::Absent), |stored| (stored.value, at(stored.revision))))
    }

    /// The leaves that wait for a place, first come first.
    async fn waiting(&self) -> Result<Vec<Next>, LedgerError> {
        let mut next = Vec::new();
        for name in self.leaves.names::<WaitingRow>().await?.into_iter().take(BATCH_MAX) {
            let Some(stored) = self.leaves.get::<WaitingRow>(&name).await? else { continue };
            let leaf = name.parse().map_err(|_| StoreError::Damaged { namespace: WaitingRow::NAMESPACE })?;
            next.push(Next { leaf, commitment: stored.value.commitment });
        }
        Ok(next)
    }
}

/// The log of a test, in memory.
#[cfg(test)]
pub(crate) fn in_memory() -> (String, Tiles) {
    ("consentry.example/log".to_owned(), Tiles::memory())
}
