//! The ledger's tree as tiles (C2SP tlog-tiles): files that are written once, named by their place, and served as they are.
//!
//! Which bytes belong into a tile is decided by the leaves before it alone. Two that write the same tile write the same
//! bytes, so a tile needs no lock.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tlog_tiles::{Hash, HashReader, Tile, TileHashReader, TileReader, stored_hash_index, stored_hashes, tree_hash};

use crate::data::Digest;
use crate::entropy::Entropy;

/// Hashes in a whole tile: 2 to the power of this.
const HEIGHT: u8 = 8;
/// Leaves in a whole tile.
const WIDTH: u64 = 1 << HEIGHT;
/// The bytes of a leaf in a tile of entries: its length, and a commitment.
const ENTRY_BYTES: usize = 2 + 32;

/// Where tiles are kept.
pub struct Tiles(Place);

enum Place {
    Folder(PathBuf, Arc<Entropy>),
    Memory(Mutex<BTreeMap<String, Vec<u8>>>),
}

/// A tree: how many leaves it has, and its root.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tree {
    /// Its leaves.
    pub size: u64,
    /// Its root (RFC 6962, section 2.1).
    pub root: Hash,
}

/// Why tiles can't be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// The disk.
    #[error("the ledger's tiles can't be read or written")]
    Io(#[from] io::Error),
    /// A tile is missing, or is not the one that the checkpoint is about.
    #[error("the ledger's tiles do not fit its checkpoint")]
    Tree(#[source] tlog_tiles::Error),
}

impl Tiles {
    /// Keeps them as files of this folder, which is made when the first one is written.
    pub fn folder(folder: PathBuf, entropy: Arc<Entropy>) -> Self {
        Self(Place::Folder(folder, entropy))
    }

    /// Keeps them in memory.
    pub fn memory() -> Self {
        Self(Place::Memory(Mutex::default()))
    }

    /// A file of the log by its path below the log's address: a tile, or the checkpoint's copy.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        // What is asked for from outside never leaves the folder.
        if Path::new(path).components().any(|part| !matches!(part, Component::Normal(_))) {
            return Ok(None);
        }
        match &self.0 {
            Place::Memory(tiles) => Ok(lock(tiles).get(path).cloned()),
            Place::Folder(folder, _) => match std::fs::read(folder.join(path)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => Ok(None),
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Writes a file of the log. It is durable when this returns.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        match &self.0 {
            Place::Memory(tiles) => {
                lock(tiles).insert(path.to_owned(), bytes.to_vec());
                Ok(())
            }
            Place::Folder(folder, entropy) => {
                let path = folder.join(path);
                std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
                crate::forward::file::receive(&path, bytes, entropy)
            }
        }
    }

    /// Adds leaves to a tree and gives the tree that it becomes. To add the same leaves to the same tree again changes nothing.
    ///
    /// # Errors
    /// [`TileError`]: the tree is what it was.
    pub fn grow(&self, tree: Tree, leaves: &[Digest]) -> Result<Tree, TileError> {
        let mut grown = Grown { tiles: self, tree, new: Vec::new() };
        for (at, leaf) in (tree.size..).zip(leaves) {
            let hashes = stored_hashes(at, leaf.as_bytes(), &grown).map_err(TileError::Tree)?;
            grown.new.extend(hashes);
        }
        let size = tree.size + leaves.len() as u64;
        for tile in Tile::new_tiles(HEIGHT, tree.size, size) {
            let bytes = tile.read_data(&grown).map_err(TileError::Tree)?;
            self.write(&path(&tile), &bytes)?;
        }
        self.write_entries(tree.size, leaves)?;
        let root = tree_hash(size, &grown).map_err(TileError::Tree)?;
        Ok(Tree { size, root })
    }

    /// The leaves themselves, beside the hashes.
    fn write_entries(&self, mut size: u64, mut leaves: &[Digest]) -> Result<(), TileError> {
        while !leaves.is_empty() {
            let (number, width) = (size / WIDTH, size % WIDTH);
            let taken = leaves.len().min(usize::try_from(WIDTH - width).unwrap_or(usize::MAX));
            let (now, later) = leaves.split_at(taken);
            let mut bytes = if width == 0 { vec![] } else { self.entries(number, width)? };
            for leaf in now {
                bytes.extend_from_slice(&32_u16.to_be_bytes());
                bytes.extend_from_slice(leaf.as_bytes());
            }
            size += taken as u64;
            leaves = later;
            self.write(&entries_path(number, bytes.len() / ENTRY_BYTES), &bytes)?;
        }
        Ok(())
    }

    fn entries(&self, number: u64, width: u64) -> Result<Vec<u8>, TileError> {
        let path = entries_path(number, usize::try_from(width).unwrap_or(0));
        let missing = || TileError::Tree(tlog_tiles::Error::InvalidTile);
        self.read(&path)?.filter(|bytes| bytes.len() as u64 == width * ENTRY_BYTES as u64).ok_or_else(missing)
    }

    /// The hashes that lead from a leaf to the root.
    ///
    /// # Errors
    /// [`TileError::Tree`] for a leaf that is not in the tree, too.
    pub fn prove(&self, tree: Tree, leaf: u64) -> Result<Vec<Hash>, TileError> {
        let reader = TileHashReader::new(tree.size, tree.root, self);
        tlog_tiles::prove_record(tree.size, leaf, &reader).map_err(TileError::Tree)
    }
}

/// The hashes of a tree and of the leaves that are being added to it.
struct Grown<'a> {
    tiles: &'a Tiles,
    tree: Tree,
    new: Vec<Hash>,
}

impl HashReader for Grown<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let start = stored_hash_index(0, self.tree.size);
        let old: Vec<u64> = indexes.iter().copied().filter(|index| *index < start).collect();
        let mut old = if old.is_empty() {
            vec![].into_iter()
        } else {
            TileHashReader::new(self.tree.size, self.tree.root, self.tiles).read_hashes(&old)?.into_iter()
        };
        let missing = || tlog_tiles::Error::IndexesNotInTree;
        let hash = |index: &u64| match index.checked_sub(start) {
            None => old.next().ok_or_else(missing),
            Some(at) => usize::try_from(at).ok().and_then(|at| self.new.get(at).copied()).ok_or_else(missing),
        };
        indexes.iter().map(hash).collect()
    }
}

impl TileReader for Tiles {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &Tile| {
            let bytes = self.read(&path(tile)).ok().flatten();
            let width = tile.width() as usize * tlog_tiles::HASH_SIZE;
            bytes.filter(|bytes| bytes.len() == width).ok_or(tlog_tiles::Error::InvalidTile)
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

impl fmt::Debug for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tiles")
    }
}

/// Tiles are all of one height, which their paths do not name.
fn path(tile: &Tile) -> String {
    tile.path().replacen(&format!("tile/{HEIGHT}/"), "tile/", 1)
}

fn entries_path(number: u64, width: usize) -> String {
    let width = u32::try_from(width).unwrap_or(1);
    path(&Tile::new(HEIGHT, 0, number, width, false)).replacen("tile/0/", "tile/entries/", 1)
}

fn lock<T>(tiles: &Mutex<T>) -> MutexGuard<'_, T> {
    // A tile is put in in one step.
    tiles.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Tree = Tree { size: 0, root: tlog_tiles::EMPTY_HASH };

    fn leaves(numbers: std::ops::Range<u64>) -> Vec<Digest> {
        numbers.map(|number| Digest::of(&number.to_be_bytes())).collect()
    }

    /// RFC 6962, section 2.1, in its own words.
    fn root(leaves: &[Digest]) -> Hash {
        match leaves {
            [] => tlog_tiles::EMPTY_HASH,
            [leaf] => tlog_tiles::record_hash(leaf.as_bytes()),
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                tlog_tiles::node_hash(root(left), root(right))
            }
        }
    }

    #[test]
    fn a_tree_that_grows_by_pieces_is_the_tree_of_all_its_leaves_and_every_leaf_has_its_proof() {
        let tiles = Tiles::memory();
        let mut tree = EMPTY;
        for size in [1, 2, 7, 255, 256, 257, 600] {
            tree = tiles.grow(tree, &leaves(tree.size..size)).unwrap();
            assert_eq!((tree.size, tree.root), (size, root(&leaves(0..size))));
            for leaf in [0, size / 2, size - 1] {
                let proof = tiles.prove(tree, leaf).unwrap();
                let hash = tlog_tiles::record_hash(leaves(leaf..leaf + 1)[0].as_bytes());
                tlog_tiles::check_record(&proof, size, tree.root, leaf, hash).unwrap();
            }
            assert!(tiles.prove(tree, size).is_err());
        }
        let entries = tiles.read("tile/entries/001").unwrap().unwrap();
        assert_eq!((entries.len(), &entries[..2]), (256 * 34, &[0, 32][..]));
        assert_eq!(entries[2..34], leaves(256..257)[0].as_bytes()[..]);
        assert!(
            tiles.read("tile/entries/002.p/88").unwrap().is_some() && tiles.read("tile/1/000.p/2").unwrap().is_some()
        );
    }

    #[test]
    fn files_of_one_folder_are_a_log_and_no_path_leads_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keys"), "secret").unwrap();
        let tiles = Tiles::folder(folder.path().join("log"), Arc::new(Entropy::system()));
        let three = tiles.grow(EMPTY, &leaves(0..3)).unwrap();
        let again = tiles.grow(EMPTY, &leaves(0..3)).unwrap();
        assert_eq!(three, again);
        assert!(tiles.read("tile/0/000.p/3").unwrap().is_some());
        for path in ["../keys", "tile/../../keys", "/etc/hostname", "tile", "tile/0/000.p/3/x", "tile/0/001"] {
            assert_eq!(tiles.read(path).unwrap(), None, "{path}");
        }
    }

    #[test]
    fn a_tile_that_was_changed_is_not_built_upon() {
        let tiles = Tiles::memory();
        let tree = tiles.grow(EMPTY, &leaves(0..5)).unwrap();
        let mut bytes = tiles.read("tile/0/000.p/5").unwrap().unwrap();
        bytes[40] ^= 1;
        tiles.write("tile/0/000.p/5", &bytes).unwrap();
        assert!(tiles.grow(tree, &leaves(5..6)).is_err());
        assert!(tiles.prove(tree, 2).is_err());
    }
}
