//! credentials: handles only. A handle is a recipe; nothing here opens a value, and every error depends on the connector's own
//! arguments alone. What is random or timed in a recipe (padding, a token's id and time) is drawn here, by the host, so that the recipe
//! gives the same value however often it is evaluated.

use std::sync::Arc;

use consentry_contract::failure::{Code, Stage};
use consentry_contract::recipe::{
    self, Cipher, Digest, Encoding, Leaf, LeafKind, Mac, Recipe, RecipeError, Scheme, Stretch,
};
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
            Ok(recipe) => {
                self.hold_for_good(recipe.approximate_bytes())?;
                Ok(self.table.push(Handle(recipe))?)
            }
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

    /// The algorithm of this name.
    fn named<T>(&mut self, found: Option<T>, allowed: &[&str]) -> Result<T, Fail> {
        found.ok_or_else(|| {
            self.refuse(Code::InvalidArgument, format!("this host knows the algorithms {}", allowed.join(", ")))
        })
    }

    fn of(&mut self, secret: &Resource<Handle>) -> Result<Arc<Recipe>, Fail> {
        Ok(self.table.get(secret)?.0.clone())
    }

    fn drawn<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.ports.random.fill(&mut bytes);
        bytes
    }
}

impl credentials::Host for HostCtx {
    fn get(&mut self, field: String) -> wasmtime::Result<Option<Resource<Handle>>> {
        self.enter_infallible(NAME, "get")?;
        if self.has_no_login() {
            // Whoever asks for a login needs one: the session that was kept is over.
            drop(self.refuse(Code::PersonAbsent, "a login is needed, and nobody is there to give it"));
            return Err(wasmtime::Error::new(crate::fault::Stopped));
        }
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
        let digest = self.named(Digest::parse(&algorithm), Digest::ALLOWED)?;
        let pieces = self.pieces(data)?;
        self.handle(Recipe::digest(digest, pieces))
    }

    fn decode(&mut self, encoding: String, secret: Resource<Handle>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "decode")?;
        let encoding = self.named(Encoding::parse(&encoding), &[Encoding::ALLOWED])?;
        let of = self.of(&secret)?;
        self.handle(Recipe::decode(encoding, &of))
    }

    fn characters(&mut self, secret: Resource<Handle>, positions: Vec<u32>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "characters")?;
        let of = self.of(&secret)?;
        self.handle(Recipe::characters(&of, positions))
    }

    fn keypad(&mut self, secret: Resource<Handle>, keys: Vec<(String, String)>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "keypad")?;
        let of = self.of(&secret)?;
        self.handle(Recipe::keypad(&of, keys))
    }

    fn mac(&mut self, algorithm: String, key: Vec<Piece>, data: Vec<Piece>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "mac")?;
        let mac = self.named(Mac::parse(&algorithm), Mac::ALLOWED)?;
        let (key, data) = (self.pieces(key)?, self.pieces(data)?);
        self.handle(Recipe::mac(mac, key, data))
    }

    fn stretch(
        &mut self,
        algorithm: String,
        password: Vec<Piece>,
        salt: Vec<Piece>,
        rounds: u32,
        size: u32,
    ) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "stretch")?;
        let stretch = self.named(Stretch::parse(&algorithm), Stretch::ALLOWED)?;
        let (password, salt) = (self.pieces(password)?, self.pieces(salt)?);
        self.handle(Recipe::stretch(stretch, password, salt, rounds, size))
    }

    fn encrypt(
        &mut self,
        algorithm: String,
        key: Vec<Piece>,
        iv: Vec<u8>,
        data: Vec<Piece>,
    ) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "encrypt")?;
        let cipher = self.named(Cipher::parse(&algorithm), Cipher::ALLOWED)?;
        let (key, data, seed) = (self.pieces(key)?, self.pieces(data)?, self.drawn());
        self.handle(Recipe::encrypt(cipher, key, iv, data, seed))
    }

    fn sign(&mut self, algorithm: String, key: Resource<Handle>, data: Vec<Piece>) -> Result<Resource<Handle>, Fail> {
        self.enter(NAME, "sign")?;
        let key = self.of(&key)?;
        let data = self.pieces(data)?;
        let (word, key_id) = match algorithm.split_once(':') {
            Some((word, key_id)) => (word, Some(key_id.to_owned())),
            None => (algorithm.as_str(), None),
        };
        let token = word.strip_prefix("jwt-");
        let scheme = Scheme::parse(token.unwrap_or(word)).filter(|_| token.is_some() || key_id.is_none());
        let scheme = self.named(scheme, &[&Scheme::ALLOWED.join(", "), "jwt-SIGNATURE", "jwt-SIGNATURE:KEY-ID"])?;
        if token.is_none() {
            return self.handle(Recipe::sign(scheme, &key, data));
        }
        let (issued, id) = (self.ports.clock.now(), self.drawn());
        self.handle(Recipe::token(scheme, key_id, &key, data, issued, id))
    }
}

impl credentials::HostSecret for HostCtx {
    fn drop(&mut self, this: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
