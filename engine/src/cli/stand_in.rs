//! What stands in for the world around a node, all on loopback: a bank, an Online Service, and the configuration that names them. For
//! drills and sandboxes.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use consentry_contract::manifest::Manifest;

use crate::clock::{Clock as _, SystemClock};
use crate::collect::package::Package;
use crate::collect::signature::{Trust, unsigned};
use crate::entropy::Entropy;
use crate::id::OnlineServiceId;
use crate::jose::{Algorithm, PrivateKey};
use crate::online_service::commitment::Commitment;

pub(super) mod bank;
pub(super) mod wire;

/// An Online Service with keys of its own, which has signed the code of trust.
pub(super) struct Member {
    pub(super) id: OnlineServiceId,
    /// Opens parcels.
    pub(super) key: PrivateKey,
    pub(super) signer: PrivateKey,
    commitment: String,
}

impl Member {
    pub(super) fn new(by: &str) -> anyhow::Result<Self> {
        let now = SystemClock.now();
        let (key, signer) = (PrivateKey::generate(Algorithm::RsaOaep256)?, PrivateKey::generate(Algorithm::Ps256)?);
        let id = Entropy::system().with(|rng| OnlineServiceId::new(now, rng));
        let commitment = Commitment::new(id, by, now).sign(&signer)?;
        Ok(Self { id, key, signer, commitment })
    }

    /// Writes what a node has to know of it beside the node's configuration.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        for (name, key) in [("service.jwk.json", &self.key), ("signer.jwk.json", &self.signer)] {
            write_private(&folder.join(name), key.public().to_jwk().to_string().as_bytes())?;
        }
        write_private(&folder.join("commitments"), self.commitment.as_bytes())
    }
}

/// A node in development, with one Online Service and the Data Sources of these connectors. It is written as its configuration.
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    /// Whoever operates, hosts or asks is called so.
    pub(super) title: &'a str,
    /// What the Online Service asks for, in English and French.
    pub(super) why: [&'a str; 2],
    pub(super) listen: SocketAddr,
    /// Where persons and the Online Service come in, a URL.
    pub(super) public: &'a str,
    /// Where events go, a URL.
    pub(super) events: &'a str,
    /// The SHA-256 of the Online Service's static key, if it has one.
    pub(super) bearer: Option<&'a str>,
    /// Where every Data Source stands.
    pub(super) site: SocketAddr,
    pub(super) member: &'a Member,
    pub(super) connectors: &'a [Arc<Manifest>],
}

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, title, why: [en, fr], listen, public, events, bearer, site, member, connectors } = *self;
        let bearer = bearer.map(|bearer| format!("bearer-sha256 = \"{bearer}\"")).unwrap_or_default();
        let id = member.id;
        write!(
            f,
            include_str!("stand_in/node.toml"),
            name = name,
            title = title,
            en = en,
            fr = fr,
            listen = listen,
            public = public,
            events = events,
            bearer = bearer,
            id = id
        )?;
        let categories: BTreeSet<&str> = connectors.iter().flat_map(|each| each.categories()).copied().collect();
        for category in categories {
            writeln!(f, "{category:?} = {{ en = \"{en}\", fr = \"{fr}\" }}")?;
        }
        for connector in connectors {
            for source in connector.sources() {
                let (connector, source) = (connector.id(), &source.id);
                writeln!(f, "\n[[source]]\nconnector = \"{connector}\"\nid = \"{source}\"\nbase = \"http://{site}\"")?;
            }
        }
        Ok(())
    }
}

/// Puts a connector into a folder, without its signature: who signed it is not known here.
pub(super) fn take(folder: &Path, connector: &Path) -> anyhow::Result<Package> {
    let told = || format!("{} is no connector that can be used", connector.display());
    let bytes = std::fs::read(connector).with_context(told)?;
    let bytes = unsigned(&bytes).to_vec();
    let package = Package::read(bytes.clone(), &Trust::keys(vec![]).or_unsigned()).with_context(told)?;
    write_private(&folder.join(format!("{}.wasm", package.manifest().id())), &bytes)?;
    Ok(package)
}

/// Writes a file that only its owner reads.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(bytes)?)
}
