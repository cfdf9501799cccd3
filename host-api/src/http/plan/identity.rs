//! The operator's certificate towards a Data Source: which request may go over a connection that it is presented on.

use consentry_contract::failure::Code;
use consentry_contract::recipe::{Leaf, LeafKind, Recipe, Slot};
use http::Method;
use url::Url;

use super::Parts;
use crate::ctx::HostCtx;
use crate::fault::Fail;
use crate::network::Identity;

impl HostCtx {
    /// The operator's certificate, for a request that a sink admits it to. It is sent to nobody: what it proves, TLS proves.
    pub(super) fn identify(&mut self, method: &Method, url: &Url, name: &str, parts: &mut Parts) -> Result<(), Fail> {
        let leaf = Leaf::new(LeafKind::Operator, name);
        if url.scheme() != "https" {
            return Err(self.refuse(Code::InvalidArgument, "a certificate is presented over https only"));
        }
        if !self.vault.holds(&leaf) {
            return Err(self.refuse(Code::CapabilityDenied, format!("the operator has not set {name}")));
        }
        let recipe = Recipe::secret(leaf);
        let places = self.admit(method, url, &Slot::ClientCertificate, &recipe)?;
        parts.places.extend(places);
        parts.kinds.insert(LeafKind::Operator);
        parts.identity = Some((name.to_owned(), recipe));
        Ok(())
    }

    /// Read once in a run.
    pub(super) fn identity(&mut self, parts: &Parts) -> Result<Option<Identity>, Fail> {
        let Some((name, recipe)) = parts.identity.as_ref().filter(|_| !self.vault.stands_in()) else { return Ok(None) };
        if let Some(known) = self.identities.get(name) {
            return Ok(Some(known.clone()));
        }
        let pem = self.evaluated(recipe)?;
        let identity = Identity::from_pem(&pem).map_err(|_| self.unusable())?;
        self.identities.insert(name.clone(), identity.clone());
        Ok(Some(identity))
    }
}
