//! A Data Source that knows the operator by a certificate in TLS: who has it is let in, whose operator has none is not, and a connector gets it
//! to no other place than its manifest names.

use std::sync::{Arc, Mutex};

use consentry::collect::Collector;
use consentry_host_api::network::TlsSettings;
use consentry_tests::collecting::{Collecting, collector, lock, told};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

const PAGE: &str = "<h1 class=name>Marie Dupont</h1>";

/// The site, and what it heard: the first line of each request, and whether a certificate came with it.
struct Site {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
    /// What the operator has: a certificate that the site takes, and its key.
    identity: String,
    collector: Collector,
}

async fn site() -> Site {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let client = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["operator.example".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&client, &issuer).unwrap();
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let [mut clients, mut roots] = [RootCertStore::empty(), RootCertStore::empty()];
    clients.add(issuer.der().clone()).unwrap();
    roots.add(own.cert.der().clone()).unwrap();
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(clients), provider.clone()).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = own.signing_key.serialize_der().try_into().unwrap();
    let config =
        config.with_client_cert_verifier(verifier).with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let heard = Arc::<Mutex<Vec<String>>>::default();
    let hears = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, hears) = (acceptor.clone(), hears.clone());
            // Who is not let in hangs up.
            tokio::spawn(async move { drop(serve(acceptor, stream, hears).await) });
        }
    });
    let collector = Collector { tls: TlsSettings::trusting(roots).unwrap(), ..collector().unwrap() };
    Site { url, heard, identity: certificate.pem() + &client.serialize_pem(), collector }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: tokio::net::TcpStream,
    heard: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let stream = acceptor.accept(stream).await?;
    let known = stream.get_ref().1.peer_certificates().is_some();
    let mut stream = BufReader::new(stream);
    loop {
        let (mut first, mut line) = (String::new(), String::new());
        stream.read_line(&mut first).await?;
        while stream.read_line(&mut line).await? > 2 {
            assert!(!line.contains("PRIVATE"), "{line}");
            line.clear();
        }
        if first.is_empty() {
            return Ok(());
        }
        lock(&heard).push(format!("{} {known}", first.trim_end_matches(" HTTP/1.1\r\n")));
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{PAGE}", PAGE.len());
        stream.write_all(head.as_bytes()).await?;
        stream.flush().await?;
    }
}

async fn run(site: &Site, source: &str, identity: Option<&str>) -> (String, String) {
    let mut collecting = Collecting::with("logins").unwrap().from_source(source).at(&site.url).field("login", "marie");
    if let Some(identity) = identity {
        collecting = collecting.operator("tls", identity);
    }
    let seen = collecting.seen.clone();
    let collection = collecting.collect(&site.collector).await.unwrap();
    (told(&collection), lock(&seen.lines).join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_operators_certificate_is_let_in_where_the_manifest_says_so() {
    let site = site().await;
    let (came, lines) = run(&site, "client-certificate", Some(&site.identity)).await;
    assert_eq!(came, "person.name=1", "{lines}");
    assert_eq!(*lock(&site.heard), ["GET /identified/first true", "GET /identified/second true"]);
    assert!(!lines.contains("PRIVATE"), "{lines}");
    // The operator has set none.
    let (came, _) = run(&site, "client-certificate", None).await;
    assert_eq!(came, "capability-denied");
    // What the operator has set is none.
    let (came, _) = run(&site, "client-certificate", Some("no certificate")).await;
    assert_eq!(came, "secret-unusable");
    // The manifest has no place for it there, and the refusal says which line would make one.
    let (came, lines) = run(&site, "no-place-for-it", Some(&site.identity)).await;
    assert_eq!(came, "capability-denied", "{lines}");
    assert_eq!(lock(&site.heard).len(), 2, "nothing else was sent");
}
