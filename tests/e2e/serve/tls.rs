//! TLS ended by the engine: a certificate with an RSA-4096 key and no other, components known by theirs, a renewal without a restart.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use consentry_tests::node::{Node, binary};
use consentry_tests::service::Service;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};
use reqwest::tls::TlsInfo;
use reqwest::{Certificate, Client, Identity};
use sample_bank::SampleBank;

/// Who signs certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate and its key.
    fn signs(&self, name: &str, usage: ExtendedKeyUsagePurpose, key: &KeyPair) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.insert_extended_key_usage(usage);
        (params.signed_by(key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Of a year that is over.
    fn expired_site(&self, key: &KeyPair) -> (String, String) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2024, 1, 1), date_time_ymd(2025, 1, 1));
        (params.signed_by(key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn site(&self, key: &KeyPair) -> (String, String) {
        self.signs("consentry.operator.example", ExtendedKeyUsagePurpose::ServerAuth, key)
    }

    /// A client that trusts this authority and shows this certificate, if any.
    fn client(&self, shows: Option<(String, String)>) -> Client {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let root = Certificate::from_pem(self.pem.as_bytes()).unwrap();
        let mut client = Client::builder().no_proxy().tls_info(true).tls_certs_only([root]).pool_max_idle_per_host(0);
        if let Some((certificate, key)) = shows {
            client = client.identity(Identity::from_pem((certificate + &key).as_bytes()).unwrap());
        }
        client.build().unwrap()
    }
}

fn rsa(size: RsaKeySize) -> KeyPair {
    tokio::task::block_in_place(|| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size)).unwrap()
}

fn write(node: &Node, (certificate, key): (String, String)) {
    std::fs::write(node.path("tls.key"), key).unwrap();
    std::fs::set_permissions(node.path("tls.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(node.path("tls.pem"), certificate).unwrap();
}

/// An engine with a certificate, not started yet.
async fn node(components: &Authority) -> Node {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    let registered = Service::new().unwrap().registered().unwrap();
    let mut node = Node::prepare(&bank.site_url, &registered).unwrap();
    let config = std::fs::read_to_string(node.path("consentry.toml")).unwrap();
    let files = "[api]\ncertificate-file = \"tls.pem\"\nprivate-key-file = \"tls.key\"\ncomponents-ca-file = \"components.pem\"";
    std::fs::write(node.path("consentry.toml"), config.replace("[api]", files)).unwrap();
    std::fs::write(node.path("components.pem"), &components.pem).unwrap();
    node.url = node.url.replace("http://", "https://");
    node
}

/// Asks for a path on a connection of its own: status, body, and the certificate that was shown.
async fn ask(client: &Client, node: &Node, path: &str) -> Result<(u16, String, Vec<u8>), reqwest::Error> {
    let answer = client.get(format!("{}{path}", node.url)).timeout(Duration::from_secs(30)).send().await?;
    let shown = answer.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate).unwrap().to_vec();
    Ok((answer.status().as_u16(), answer.text().await?, shown))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_ends_tls_knows_components_and_renews_its_certificate() {
    let (public, components, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let mut node = node(&components).await;
    let key = rsa(RsaKeySize::_4096);
    write(&node, public.site(&key));
    tokio::task::block_in_place(|| node.serve()).unwrap();

    let person = public.client(None);
    let (status, body, first) = ask(&person, &node, "/v1/health").await.unwrap();
    assert_eq!(status, 200, "{body}");
    let plain = node.url.replace("https://", "http://");
    assert!(person.get(format!("{plain}/v1/health")).send().await.is_err(), "no plain HTTP on this port");
    assert!(ask(&strangers.client(None), &node, "/v1/health").await.is_err(), "another authority's");

    // What only parts of the platform may see.
    let usage = || ExtendedKeyUsagePurpose::ClientAuth;
    let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let component = public.client(Some(components.signs("monitor.operator.example", usage(), &other)));
    let (status, metrics, _) = ask(&component, &node, "/v1/metrics").await.unwrap();
    assert!(status == 200 && metrics.contains("consentry_plaintext_seconds_bucket"), "{status} {metrics}");
    assert_eq!(ask(&person, &node, "/v1/metrics").await.unwrap().0, 404);
    let stranger = public.client(Some(strangers.signs("monitor.operator.example", usage(), &other)));
    assert!(ask(&stranger, &node, "/v1/metrics").await.is_err(), "signed by somebody else");

    // One that does not fit is not taken; the next good one is, without a restart.
    write(&node, ("no certificate".to_owned(), "no key".to_owned()));
    let log = || std::fs::read_to_string(node.path("stderr")).unwrap();
    while !log().contains("the new certificate is not taken") {
        assert_eq!(ask(&person, &node, "/v1/health").await.unwrap().2, first);
    }
    write(&node, public.expired_site(&key));
    while !log().contains("is good from 2024-01-01T00:00:00Z to 2025-01-01T00:00:00Z, and not now") {
        assert_eq!(ask(&person, &node, "/v1/health").await.unwrap().2, first);
    }
    write(&node, public.site(&rsa(RsaKeySize::_4096)));
    while ask(&person, &node, "/v1/health").await.unwrap().2 == first {}
    assert!(log().contains("the certificate was renewed"));

    // So is another authority of components.
    std::fs::write(node.path("components.pem"), &strangers.pem).unwrap();
    while ask(&stranger, &node, "/v1/metrics").await.is_err() {}
    assert!(ask(&component, &node, "/v1/metrics").await.is_err(), "the authority of before signs for nobody");
}

fn check(config: &Path) -> String {
    let output = Command::new(binary("consentry").unwrap()).args(["config", "check"]).arg(config).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_small_or_of_another_kind_and_plain_http_for_others_are_refused() {
    let public = Authority::new();
    let node = node(&public).await;
    let (config, good) = (node.path("consentry.toml"), rsa(RsaKeySize::_4096));
    for (key, told) in [
        (rsa(RsaKeySize::_2048), "the modulus has 2048 bits"),
        (rsa(RsaKeySize::_3072), "the modulus has 3072 bits"),
        (KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(), "is not RSA of at least 4096 bits"),
    ] {
        write(&node, public.site(&key));
        let said = check(&config);
        assert!(said.contains(told) && said.contains("is not RSA of at least 4096 bits"), "{said}");
    }
    write(&node, (public.site(&good).0, rsa(RsaKeySize::_4096).serialize_pem()));
    assert!(check(&config).contains("certificate and private key can't be used together"));
    write(&node, public.site(&good));
    std::fs::set_permissions(node.path("tls.key"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert!(check(&config).contains("set its mode to 600"));

    let text = std::fs::read_to_string(&config).unwrap();
    let lines = |keep: &dyn Fn(&str) -> bool| text.lines().filter(|line| keep(line)).collect::<Vec<_>>().join("\n");
    std::fs::write(&config, lines(&|line| !line.contains("-file = \"tls.key\""))).unwrap();
    assert!(check(&config).contains("belong together"));
    let plain = lines(&|line| !line.contains("\"tls.") && !line.contains("components-ca-file"));
    std::fs::write(&config, plain.replace("listen = \"127.0.0.1", "listen = \"0.0.0.0")).unwrap();
    assert!(check(&config).contains("plain HTTP is served to this machine only"));
}
