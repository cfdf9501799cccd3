//! Where connections go: names that answer with what they should not, proxies, source addresses. A proxy of the test writes down where it is
//! asked to go, so that even connections to addresses that nobody here has can be seen.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::*;

const NAME: &str = "bank.example";
const ADDRESS_REFUSED: &str = "bank.example resolves to no public address";

fn url() -> Url {
    format!("https://{NAME}/").parse().unwrap()
}

/// A site with TLS and a certificate for this name, and who trusts it.
async fn secure(name: &str) -> (Site, TlsSettings) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = signing_key.serialize_der().try_into().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let site = Site::doing(move |_, stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = request_of(acceptor.accept(stream).await?).await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
            request_of(stream).await.map(drop)
        }
    })
    .await;
    (site, TlsSettings::trusting(roots).unwrap())
}

/// Where a proxy was asked to go, word by word.
type Asked = Arc<Mutex<Vec<String>>>;

/// An HTTP proxy that takes everybody who asks for `open` to the site, and nobody else.
async fn http_proxy(site: SocketAddr, open: &'static str) -> (Site, Asked) {
    let asked = Asked::default();
    let seen = asked.clone();
    let proxy = Site::doing(move |_, stream| {
        let seen = seen.clone();
        async move {
            let mut stream = BufReader::new(stream);
            let (mut head, mut line) = (String::new(), String::new());
            while stream.read_line(&mut line).await? > 2 {
                head += &std::mem::take(&mut line);
            }
            let goes = head.starts_with(&format!("CONNECT {open} "));
            seen.lock().unwrap().push(head);
            if !goes {
                return stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            let mut there = TcpStream::connect(site).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut there).await.map(drop)
        }
    })
    .await;
    (proxy, asked)
}

/// A SOCKS 5 proxy that wants a login, and takes everybody to the site.
async fn socks_proxy(site: SocketAddr) -> (Site, Asked) {
    let asked = Asked::default();
    let seen = asked.clone();
    let proxy = Site::doing(move |_, mut stream| {
        let seen = seen.clone();
        async move {
            let mut greeting = [0; 3];
            stream.read_exact(&mut greeting).await?;
            stream.write_all(&[5, 2]).await?;
            let mut login = vec![0; 2 + 4 + 1 + 6];
            stream.read_exact(&mut login).await?;
            stream.write_all(&[1, 0]).await?;
            let mut request = [0; 10];
            stream.read_exact(&mut request).await?;
            seen.lock().unwrap().push(format!("{greeting:?} {} {request:?}", String::from_utf8_lossy(&login)));
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
            let mut there = TcpStream::connect(site).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut there).await.map(drop)
        }
    })
    .await;
    (proxy, asked)
}

fn proxied(scheme: &str, proxy: &Site, login: Option<&str>, names: Arc<Names>) -> Way {
    let at = format!("{scheme}://{}", proxy.address).parse().unwrap();
    let proxy = Proxy::new(&at, login.and_then(ProxyLogin::parse)).unwrap();
    Way { route: Route { proxy: Some(proxy), source: None }, resolver: names, ..patient() }
}

fn network(way: Way, tls: &TlsSettings, development: bool) -> LiveNetwork {
    let egress = Egress::new(&[Origin::of(&url()).unwrap()], development);
    LiveNetwork::by(way, &egress, tls, "tests").unwrap()
}

fn targets(asked: &Asked) -> Vec<String> {
    asked.lock().unwrap().iter().map(|head| head.split(' ').nth(1).unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_name_that_means_a_private_address_is_not_connected_to() {
    let (site, tls) = secure(NAME).await;
    let port = site.address.port();
    let url: Url = format!("https://{NAME}:{port}/").parse().unwrap();
    for (address, development, expected) in [
        ("127.0.0.1", false, ADDRESS_REFUSED),
        ("::ffff:127.0.0.1", true, ADDRESS_REFUSED),
        ("::127.0.0.1", true, ADDRESS_REFUSED),
        ("64:ff9b::7f00:1", true, ADDRESS_REFUSED),
        ("0.0.0.0", true, ADDRESS_REFUSED),
        ("169.254.169.254", true, ADDRESS_REFUSED),
        ("fd00:ec2::254", true, ADDRESS_REFUSED),
        // What the others are kept from is there.
        ("127.0.0.1", true, "200 ok"),
    ] {
        let before = site.connections();
        let way = Way { resolver: Names::answering(&[&[address]]), ..patient() };
        let egress = Egress::new(&[Origin::of(&url).unwrap()], development);
        let network = LiveNetwork::by(way, &egress, &tls, "tests").unwrap();
        assert_eq!(told(&network, asking(&url)).await, expected, "{address}");
        assert_eq!(site.connections() > before, expected == "200 ok", "{address}");
    }
}

#[tokio::test]
async fn of_a_mixed_answer_only_the_public_addresses_are_tried() {
    let (site, tls) = secure(NAME).await;
    let mixed: &[&str] = &[
        "10.0.0.1",
        "8.8.8.8",
        "127.0.0.1",
        "169.254.169.254",
        "::ffff:9.9.9.9",
        "2001:4860:4860::8888",
        "192.168.1.1",
        "1.1.1.1",
        "64:ff9b::101:101",
    ];
    let (proxy, asked) = http_proxy(site.address, "1.1.1.1:443").await;
    let network = network(proxied("http", &proxy, None, Names::answering(&[mixed])), &tls, false);
    assert_eq!(told(&network, asking(&url())).await, "200 ok");
    assert_eq!(targets(&asked), ["8.8.8.8:443", "[2001:4860:4860::8888]:443", "1.1.1.1:443"]);
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_checked_for_each_connection() {
    let (site, tls) = secure(NAME).await;
    let names = Names::answering(&[&["8.8.8.8"], &["10.0.0.1"]]);
    let (proxy, asked) = http_proxy(site.address, "8.8.8.8:443").await;
    let network = network(proxied("http", &proxy, None, names.clone()), &tls, false);
    assert_eq!(told(&network, asking(&url())).await, "200 ok");
    // The site hangs up at the second request on a connection, so that it needs another.
    let second = told(&network, asking(&url())).await;
    let third = told(&network, asking(&url())).await;
    assert!(second == ADDRESS_REFUSED || third == ADDRESS_REFUSED, "{second}, {third}");
    assert_eq!(targets(&asked), ["8.8.8.8:443"], "and nowhere else");
    assert!(names.asked() >= 2);
}

#[tokio::test]
async fn a_connection_that_is_used_again_stays_where_it_was_checked() {
    let site = Site::doing(|_, stream| async move {
        let mut stream = request_of(stream).await?;
        loop {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
            stream = request_of(stream.into_inner()).await?;
        }
    })
    .await;
    let names = Names::answering(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let url: Url = format!("http://localhost:{}/", site.address.port()).parse().unwrap();
    let network = towards(&url, Way { resolver: names.clone(), ..patient() });
    for _ in 0..3 {
        assert_eq!(told(&network, asking(&url)).await, "200 ok");
    }
    assert_eq!((site.connections(), names.asked()), (1, 1));
}

#[tokio::test]
async fn without_tls_a_name_leads_to_this_machine_or_nowhere() {
    let url: Url = "http://localhost:1/".parse().unwrap();
    let network = towards(&url, Way { resolver: Names::answering(&[&["8.8.8.8"]]), ..patient() });
    assert_eq!(told(&network, asking(&url)).await, "localhost resolves to no public address");
}

#[tokio::test]
async fn a_proxy_hears_the_checked_address_and_its_login_and_nothing_of_the_request() {
    let (site, tls) = secure(NAME).await;
    let names = || Names::answering(&[&["8.8.8.8"]]);
    let (http, asked_http) = http_proxy(site.address, "8.8.8.8:443").await;
    let network_http = network(proxied("http", &http, Some("node:s3cret"), names()), &tls, false);
    assert_eq!(told(&network_http, asking(&url())).await, "200 ok");
    let head = asked_http.lock().unwrap().concat();
    assert!(head.contains("Proxy-Authorization: Basic bm9kZTpzM2NyZXQ=\r\n"), "{head}");
    assert!(!head.contains(NAME), "{head}");
    let (socks, asked_socks) = socks_proxy(site.address).await;
    let network_socks = network(proxied("socks5", &socks, Some("node:s3cret"), names()), &tls, false);
    assert_eq!(told(&network_socks, asking(&url())).await, "200 ok");
    // Version 5, connect, IPv4, 8.8.8.8, port 443.
    let expected = "[5, 1, 2] \u{1}\u{4}node\u{6}s3cret [5, 1, 0, 1, 8, 8, 8, 8, 1, 187]";
    assert_eq!(*asked_socks.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn a_proxy_leads_to_no_address_that_may_not_be_reached_without_it() {
    let (site, tls) = secure(NAME).await;
    for scheme in ["http", "socks5"] {
        let (proxy, asked) = http_proxy(site.address, "10.0.0.1:443").await;
        let network = network(proxied(scheme, &proxy, None, Names::answering(&[&["10.0.0.1"]])), &tls, false);
        assert_eq!(told(&network, asking(&url())).await, ADDRESS_REFUSED);
        assert!(asked.lock().unwrap().is_empty() && proxy.connections() == 0);
    }
}

#[tokio::test]
async fn whoever_stands_in_for_the_source_behind_a_proxy_has_no_certificate_for_its_name() {
    let (site, tls) = secure("evil.example").await;
    let (proxy, asked) = http_proxy(site.address, "8.8.8.8:443").await;
    let network = network(proxied("http", &proxy, None, Names::answering(&[&["8.8.8.8"]])), &tls, false);
    assert_eq!(told(&network, asking(&url())).await, "no answer from the source: the exchange broke off");
    assert_eq!(targets(&asked), ["8.8.8.8:443"]);
}

#[tokio::test]
async fn a_proxy_that_says_no_is_ours_to_mend() {
    let (site, tls) = secure(NAME).await;
    let (proxy, _) = http_proxy(site.address, "nowhere:1").await;
    let names = Names::answering(&[&["8.8.8.8"]]);
    let network = network(proxied("http", &proxy, None, names), &tls, false);
    assert_eq!(told(&network, asking(&url())).await, "no connection through the operator's proxy");
}

#[tokio::test]
async fn a_connection_starts_at_the_address_that_the_operator_set() {
    let site = Site::saying("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok").await;
    for source in [None, Some("127.0.0.77")] {
        let source: Option<IpAddr> = source.map(|address| address.parse().unwrap());
        let way = Way { route: Route { proxy: None, source }, ..patient() };
        assert_eq!(told(&towards(&site.url(), way), asking(&site.url())).await, "200 ok");
        let seen = *site.peers.lock().unwrap().last().unwrap();
        assert_eq!(seen, source.unwrap_or_else(|| "127.0.0.1".parse().unwrap()));
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_told_from_one_that_may_not_be_reached() {
    let way = Way { resolver: Names::answering(&[&[]]), ..patient() };
    let expected = "no answer from the source: the name has no address";
    assert_eq!(told(&network(way, &no_roots(), true), asking(&url())).await, expected);
}
