//! Certificates of the operator's: who is asked for one gets it if the request was given one, and nobody else.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Who signs the certificates of clients, and one of them.
pub(super) struct Authority {
    roots: RootCertStore,
    pub(super) identity: Vec<u8>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone()).unwrap();
        let key = KeyPair::generate().unwrap();
        let client = CertificateParams::new(vec!["operator.example".to_owned()]).unwrap();
        let client = client.signed_by(&key, &issuer).unwrap();
        Self { roots, identity: (key.serialize_pem() + &client.pem()).into_bytes() }
    }
}

/// A site with TLS that asks for a certificate, and says in its answers whether it got one.
async fn site(authority: &Authority, wanted: bool) -> (Site, RootCertStore) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(authority.roots.clone()), provider.clone());
    let clients = if wanted { clients } else { clients.allow_unauthenticated() }.build().unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = own.signing_key.serialize_der().try_into().unwrap();
    let config = config.with_client_cert_verifier(clients).with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let site = Site::doing(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await?;
            let known = if stream.get_ref().1.peer_certificates().is_some() { "known" } else { "anybody" };
            loop {
                request_of(&mut stream).await?;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{known}", known.len());
                stream.write_all(answer.as_bytes()).await?;
                stream.flush().await?;
            }
        }
    })
    .await;
    (site, roots)
}

fn of(site: &Site) -> Url {
    format!("https://{}/", site.address).parse().unwrap()
}

#[tokio::test]
async fn a_certificate_is_presented_with_its_requests_and_with_no_other() {
    let authority = Authority::new();
    let ((bank, mut roots), (other, more)) = (site(&authority, true).await, site(&authority, false).await);
    roots.roots.extend(more.roots);
    let tls = TlsSettings::trusting(roots).unwrap();
    let origins = [&bank, &other].map(|site| Origin::of(&of(site)).unwrap());
    let network = LiveNetwork::by(patient(), &Egress::new(&origins, true), &tls, "tests").unwrap();
    let identity = Identity::from_pem(&authority.identity).unwrap();
    let identified = |site: &Site| Outgoing { identity: Some(identity.clone()), ..asking(&of(site)) };
    assert_eq!(told(&network, identified(&bank)).await, "200 known");
    // Not even where the same run presented it a moment ago.
    let refused = told(&network, asking(&of(&bank))).await;
    assert!(refused.starts_with("no answer from the source"), "{refused}");
    assert_eq!(told(&network, asking(&of(&other))).await, "200 anybody");
    assert_eq!(told(&network, identified(&other)).await, "200 known");
    assert_eq!(told(&network, asking(&of(&other))).await, "200 anybody", "connections are not shared");
    // Kept by the ones that have it.
    assert_eq!(told(&network, identified(&bank)).await, "200 known");
    assert_eq!(bank.connections(), 2, "one with it, one without");
    assert_eq!(other.connections(), 2, "one with it, one without");
}

#[test]
fn an_identity_is_a_certificate_with_its_own_key() {
    let (one, two) = (Authority::new().identity, Authority::new().identity);
    let [one, two] = [one, two].map(|pem| String::from_utf8(pem).unwrap());
    let certificate = one.find("-----BEGIN CERTIFICATE").unwrap();
    let (key, certificate) = one.split_at(certificate);
    let foreign = &two[..two.find("-----BEGIN CERTIFICATE").unwrap()];
    for (pem, fits) in [
        (one.clone(), true),
        (format!("{certificate}{key}"), true),
        (key.to_owned(), false),
        (certificate.to_owned(), false),
        (format!("{certificate}{foreign}"), false),
        ("nothing".to_owned(), false),
    ] {
        let identity = Identity::from_pem(pem.as_bytes());
        assert_eq!(identity.is_ok(), fits);
        if let Ok(identity) = identity {
            assert_eq!(format!("{identity:?}"), "Identity");
        }
    }
}
