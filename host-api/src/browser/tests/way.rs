//! The way out of a page is that of a request of ours: names are looked up here, an operator's proxy stands in between, and what is sent is
//! counted.

use std::net::IpAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::egress::{EgressError, Resolver};
use crate::network::{Proxy, ProxyLogin, Route};

/// Every name has this address.
struct At(IpAddr, Mutex<Vec<String>>);

#[async_trait]
impl Resolver for At {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        self.1.lock().unwrap().push(host.to_owned());
        Ok(vec![self.0])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_a_private_address_is_reached_by_no_page() {
    let desk = Desk::new().await;
    for address in ["10.0.0.7", "192.168.1.1", "169.254.169.254", "fd00::7", "::ffff:10.0.0.7"] {
        let names = Arc::new(At(address.parse().unwrap(), Mutex::default()));
        let way = Way { resolver: names.clone(), ..Way::default() };
        let context = desk.by(&[Origin::parse("https://bank.example").unwrap()], way).await;
        let refused = context.at("https://bank.example/").await.err();
        assert!(matches!(refused, Some(PageError::Failed(_))), "{address}: {refused:?}");
        let expected = NetworkError::Egress(EgressError::Address { host: "bank.example".to_owned() });
        assert_eq!(context.proxy.take_failed(), Some(expected), "{address}");
        assert!(names.1.lock().unwrap().iter().all(|name| name == "bank.example"));
    }
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_no_collection_reaches_nothing() {
    let _alone = ALONE.lock().await;
    let process = Process::start(&BrowserSettings::at_a_desk()).await.unwrap();
    let listener = process.ground.listen().await.unwrap();
    let call = |session: String, method, asked| {
        let transport = process.transport.clone();
        async move { transport.call::<serde_json::Value>(&session, method, asked).await }
    };
    let leave = json!({ "autoAttach": false, "waitForDebuggerOnStart": false, "flatten": true });
    call(String::new(), "Target.setAutoAttach", leave).await.unwrap();
    let made = call(String::new(), "Target.createTarget", json!({ "url": "about:blank" })).await.unwrap();
    let asked = json!({ "targetId": made["targetId"], "flatten": true });
    let attached = call(String::new(), "Target.attachToTarget", asked).await.unwrap();
    let session = attached["sessionId"].as_str().unwrap().to_owned();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let went = call(session, "Page.navigate", json!({ "url": url })).await.unwrap();
    assert_eq!(went["errorText"], "net::ERR_PROXY_CONNECTION_FAILED");
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let ground = process.ground.clone();
    drop(process);
    ground.run(|| Ok(())).await.unwrap();
}

/// An HTTP proxy of an operator's that takes everybody who has the login where they ask to go; what it was asked, head by head.
async fn operators_proxy() -> (url::Url, Arc<Mutex<Vec<String>>>, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let seen = asked.clone();
    let serves = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let (mut head, mut line) = (String::new(), String::new());
                while stream.read_line(&mut line).await? > 2 {
                    head += &std::mem::take(&mut line);
                }
                seen.lock().unwrap().push(head.clone());
                if !head.contains("Basic bm9kZTpzM2NyZXQ=") {
                    return stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
                }
                let mut there = TcpStream::connect(head.split(' ').nth(1).unwrap_or_default()).await?;
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                tokio::io::copy_bidirectional(&mut stream, &mut there).await.map(drop)
            });
        }
    });
    (url, asked, AbortOnDropHandle::new(serves))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_through_the_operators_proxy_which_is_told_addresses_and_no_names() {
    let site = Site::start(|request| match request {
        "GET /" => page("<p id=fine>fine</p><img src=/picture>"),
        _ => site::missing(),
    })
    .await;
    let (proxy, asked, _serves) = operators_proxy().await;
    let desk = Desk::new().await;
    let port = site.address().split(':').nth(1).unwrap().to_owned();
    let origin = Origin::parse(&format!("http://localhost:{port}")).unwrap();
    let by = |login: &str| {
        let proxy = Proxy::new(&proxy, ProxyLogin::parse(login)).unwrap();
        let names = Arc::new(At("127.0.0.1".parse().unwrap(), Mutex::default()));
        Way { route: Route { proxy: Some(proxy), source: None }, resolver: names, ..Way::default() }
    };
    let context = desk.by(std::slice::from_ref(&origin), by("node:s3cret")).await;
    let at = context.at(&format!("http://localhost:{port}/")).await.unwrap();
    assert!(context.html(&at).await.contains("fine"));
    assert!(until(|| site.seen().iter().any(|head| head.starts_with("GET /picture "))).await);
    let connects = std::mem::take(&mut *asked.lock().unwrap());
    assert!(connects.len() >= 2, "each connection of a page: {connects:?}");
    let there = format!("CONNECT 127.0.0.1:{port} ");
    assert!(connects.iter().all(|head| head.starts_with(&there) && !head.contains("localhost")), "{connects:?}");
    // One that lets nothing through is told as that, and nothing goes past it.
    drop(context);
    let before = site.seen().len();
    let context = desk.by(&[origin], by("node:wrong")).await;
    // Without TLS the refusal of its own proxy is what a page shows.
    let shown = context.at(&format!("http://localhost:{port}/")).await;
    assert!(shown.is_err() || !context.html(&shown.unwrap()).await.contains("fine"));
    assert_eq!(context.proxy.take_failed(), Some(NetworkError::Proxy));
    assert_eq!(site.seen().len(), before);
    drop(context);
    desk.end().await;
}
