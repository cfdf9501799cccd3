//! credentials: handles only. A handle is a recipe; nothing here opens a value, and every error depends on the connector's own
//! arguments alone.

use std::sync::Arc;

use consentry_contract::failure::{Code, Stage};
use consentry_contract::recipe::{self, Algorithm, Encoding, Leaf, LeafKind, Recipe, RecipeError};
use wasmtime::component::Resource;

use crate::bindings::consentry::connector::credentials;
use crate::bindings::consentry::connector::credentials::Piece;
use crate::ctx::HostCtx;
use crate::fault::Fail;

/// A secret by handle: its recipe, not evaluated.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Recipe>);

const NAME: &str = "credentials";

impl HostCtx {
    /// The connector's pieces as recipe pieces.
    pub(crate) fn pieces(&mut self, pieces: Vec<Piece>) -> Result<Vec<recipe::Piece>, Fail> {
        pieces.into_iter().map(|piece| self.piece(piece)).collect()
    }

    fn piece(&mut self, piece: Piece) -> Result<recipe::Piece, Fail> {
        Ok(match piece {
            Piece::Text(text) => recipe::Piece::Text(text),
            Piece::Bytes(bytes) => recipe::Piece::Bytes(bytes),
            Piece::Secret(slot) => {
                let Some(encoding) = Encoding::parse(&slot.encoding) else {
                    return Err(self.refuse(Code::InvalidArgument, "unknown encoding in a slot"));
                };
                recipe::Piece::Secret(self.table.get(&slot.secret)?.0.clone(), encoding)
            }
        })
    }

    fn handle(&mut self, made: Result<Arc<Recipe>, RecipeError>) -> Result<Resource<Handle>, Fail> {
        match made {
            Ok(recipe) => Ok(self.table.push(Handle(recipe))?),
            Err(error) => Err(self.refuse(Code::InvalidArgument, error.to_string())),
        }
    }

    /// A handle for a secret that the vault holds.
    pub(crate) fn handle_if_held(&mut self, leaf: Leaf) -> wasmtime::Result<Option<Resource<Handle>>> {
        if !self.vault.holds(&leaf) {
            return Ok(None);
        }
        Ok(Some(self.table.push(Handle(Recipe::secret(leaf)))?))
    }

    /// Transforms that this host does not evaluate are refused by name.
    fn not_served(&mut self, transform: &str) -> Fail {
        self.refuse(Code::CapabilityDenied, format!("the transform {transform} is not served by this host"))
    }
}

impl credentials::Host for HostCtx {
    fn get(&mut self, field: String) -> wasmtime::Result<Option<Resource<Handle>>> {
        self.enter_infallible(NAME, "get")?;
        self.handle_if_held(Leaf::new(LeafKind::Field, &field))
    }

    fn plain(&mut self, field: String) -> wasmtime::Result<Option<String>> {
        self.enter_infallible(NAME, "plain")?;
        Ok(self.vault.public(&field).map(str::to_owned))
    }

    fn operator(&mut self, name: String) -> wasmtime::Result<Option<Resource<Handle>>> {
        self.enter_infallible(NAME, "operator")?;
        self.handle_if_held(Leaf::new(LeafKind::Operator, &name))
    }

    fn authenticated(&mut self) -> Result<(), Fail> {
        self.enter(NAME, "authenticated")?;
        self.vault.destroy_login();
        self.authenticated = true;
        self.at(Stage::Navigate);
        self.ports.observer.authenticated();
        Ok(())
    }

    fn join(&mut self, data: Vec<Piece>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "join")?;
        let pieces = self.pieces(data)?;
        self.handle(Recipe::join(pieces))
    }

    fn digest(&mut self, algorithm: String, data: Vec<Piece>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "digest")?;
        let Some(algorithm) = Algorithm::parse(&algorithm) else {
            return Err(self.not_served("digest with this algorithm"));
        };
        let pieces = self.pieces(data)?;
        self.handle(Recipe::digest(algorithm, pieces))
    }

    fn decode(&mut self, _: String, _: Resource<Handle>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "decode")?;
        Err(self.not_served("decode"))
    }

    fn characters(&mut self, _: Resource<Handle>, _: Vec<u32>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "characters")?;
        Err(self.not_served("characters"))
    }

    fn keypad(&mut self, _: Resource<Handle>, _: Vec<(String, String)>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "keypad")?;
        Err(self.not_served("keypad"))
    }

    fn mac(&mut self, _: String, _: Vec<Piece>, _: Vec<Piece>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "mac")?;
        Err(self.not_served("mac"))
    }

    fn stretch(&mut self, _: String, _: Vec<Piece>, _: Vec<Piece>, _: u32, _: u32) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "stretch")?;
        Err(self.not_served("stretch"))
    }

    fn encrypt(&mut self, _: String, _: Vec<Piece>, _: Vec<u8>, _: Vec<Piece>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "encrypt")?;
        Err(self.not_served("encrypt"))
    }

    fn sign(&mut self, _: String, _: Resource<Handle>, _: Vec<Piece>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "sign")?;
        Err(self.not_served("sign"))
    }
}

impl credentials::HostSecret for HostCtx {
    fn drop(&mut self, this: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
