//! Certificates are the browser's to check, end to end through the proxy: one that a trusted authority signed for the name is taken, and no
//! other.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// A site over TLS with this certificate; how often it was asked for a connection, and how often for a page.
struct Secure {
    origin: String,
    came: Arc<AtomicU32>,
    asked: Arc<AtomicU32>,
    _serves: AbortOnDropHandle<()>,
}

impl Secure {
    async fn start(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = key.serialize_der().try_into().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://{}", listener.local_addr().unwrap());
        let (came, asked) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let counts = (came.clone(), asked.clone());
        let serves = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counts.0.fetch_add(1, Ordering::Relaxed);
                let (acceptor, asked) = (acceptor.clone(), counts.1.clone());
                tokio::spawn(async move {
                    let mut stream = acceptor.accept(stream).await?;
                    if stream.read(&mut [0; 4096]).await? > 0 {
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                    stream.write_all(&page("<p id=fine>fine</p>")).await?;
                    stream.shutdown().await
                });
            }
        });
        Self { origin, came, asked, _serves: AbortOnDropHandle::new(serves) }
    }

    fn declared(&self) -> [Origin; 1] {
        [Origin::parse(&self.origin).unwrap()]
    }
}

const NOT_TRUSTED: PageError = PageError::Failed("the site's certificate, or its TLS, can't be trusted");

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_not_taken() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let site = Secure::start(&own.cert, &own.signing_key).await;
    let desk = Desk::new().await;
    let context = desk.reaching(&site.declared()).await;
    assert_eq!(context.at(&format!("{}/", site.origin)).await.err(), Some(NOT_TRUSTED));
    assert!(site.came.load(Ordering::Relaxed) > 0, "a connection was made");
    assert_eq!(site.asked.load(Ordering::Relaxed), 0, "and nothing was said on it");
    drop(context);
    desk.end().await;
}

/// A browser whose home has an authority of its own in its database of certificates (NSS).
fn trusting(folder: &Path, authority: &rcgen::Certificate) -> BrowserSettings {
    let (store, file) = (folder.join(".pki/nssdb"), folder.join("authority.pem"));
    std::fs::create_dir_all(&store).unwrap();
    std::fs::write(&file, authority.pem()).unwrap();
    let certutil = |arguments: &[&str]| {
        let mut command = Command::new("certutil");
        let made = command.args(["-d", &format!("sql:{}", store.display())]).args(arguments).output();
        let made = made.expect("certutil: apt-get install libnss3-tools");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    certutil(&["-N", "--empty-password"]);
    certutil(&["-A", "-n", "authority of a test", "-t", "C,,", "-i", file.to_str().unwrap()]);
    let (program, usual) = (folder.join("chromium-headless-shell"), BrowserSettings::at_a_desk());
    let shell = usual.found().unwrap().display().to_string();
    std::fs::write(&program, format!("#!/bin/sh\nHOME={} exec {shell} \"$@\"\n", folder.display())).unwrap();
    // The browser's account reads all of it, and a database of certificates is opened to be written.
    let made = Command::new("chmod").args(["-R", "a+rwX"]).arg(folder).status().unwrap();
    assert!(made.success());
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    BrowserSettings { program: Some(program), ..usual }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_over_https_is_shown_where_an_authority_that_is_trusted_vouches_for_its_name() {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Authority of a test");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        |name: &str| CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let site = Secure::start(&certificate("127.0.0.1"), &key).await;
    let other = Secure::start(&certificate("elsewhere.example"), &key).await;
    let folder = std::env::temp_dir().join(format!("consentry-trusting-{}", std::process::id()));
    let desk = Desk::with(trusting(&folder, authority.as_ref())).await;
    let context = desk.reaching(&site.declared()).await;
    let at = context.at(&format!("{}/", site.origin)).await.unwrap();
    assert!(context.html(&at).await.contains("fine"));
    assert!(site.asked.load(Ordering::Relaxed) > 0);
    assert!(context.proxy.connections() > 0 && context.proxy.sent() > 0, "its proxy carried it");
    let elsewhere = desk.reaching(&other.declared()).await;
    assert_eq!(elsewhere.at(&format!("{}/", other.origin)).await.err(), Some(NOT_TRUSTED), "it is another name's");
    assert_eq!(other.asked.load(Ordering::Relaxed), 0);
    // The same site in a browser that does not know that authority.
    drop((context, elsewhere));
    desk.end().await;
    let desk = Desk::new().await;
    let context = desk.reaching(&site.declared()).await;
    assert_eq!(context.at(&format!("{}/", site.origin)).await.err(), Some(NOT_TRUSTED));
    drop(context);
    desk.end().await;
    std::fs::remove_dir_all(folder).unwrap();
}
