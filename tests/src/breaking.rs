//! A Data Source that changes overnight: a server between a connector and the site it was written for, which lets everything through but
//! what a test breaks.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One answer of the site on its way.
pub struct Passing {
    /// Path and query of the request.
    pub path: String,
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, unpacked.
    pub body: Vec<u8>,
}

impl Passing {
    /// Puts one text in place of another, wherever it stands.
    pub fn replace(&mut self, from: &str, to: &str) {
        if let Ok(text) = std::str::from_utf8(&self.body) {
            self.body = text.replace(from, to).into_bytes();
        }
    }

    /// Another page, as HTML.
    pub fn page(&mut self, html: &str) {
        self.headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
        self.body = html.as_bytes().to_vec();
    }
}

/// What is done to each answer.
pub type Break = Arc<dyn Fn(&mut Passing) + Send + Sync>;

/// The server; dropping it ends it.
pub struct Broken {
    /// Where it listens.
    pub url: String,
    task: JoinHandle<()>,
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Site {
    upstream: String,
    here: String,
    client: reqwest::Client,
    breaks: Break,
}

impl Broken {
    /// Stands before this site and breaks it so.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn before(upstream: &str, breaks: impl Fn(&mut Passing) + Send + Sync + 'static) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        // Another test may have installed it before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        let (upstream, here) = (upstream.trim_end_matches('/').to_owned(), url.clone());
        let site = Site { upstream, here, client, breaks: Arc::new(breaks) };
        let router = Router::new().fallback(pass).with_state(site);
        let task = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, task })
    }
}

async fn pass(State(site): State<Site>, request: Request) -> Response<Body> {
    match passed(&site, request).await {
        Ok(response) => response,
        Err(error) => {
            let mut response = Response::new(Body::from(format!("{error:#}")));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    }
}

async fn passed(site: &Site, request: Request) -> anyhow::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let body = axum::body::to_bytes(body, 1 << 20).await?;
    let mut headers = head.headers;
    // The site answers to its own name, unpacked.
    for name in [header::HOST, header::ACCEPT_ENCODING, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    let upstream = format!("{}{path}", site.upstream);
    let answer = site.client.request(head.method, upstream).headers(headers).body(body).send().await?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
        headers.remove(name);
    }
    if let Some(location) = headers.get_mut(header::LOCATION) {
        *location = location.to_str()?.replace(&site.upstream, &site.here).parse()?;
    }
    let mut body = answer.bytes().await.context("no body")?.to_vec();
    // Whatever names its own address names this one.
    if let Ok(text) = std::str::from_utf8(&body)
        && text.contains(&site.upstream)
    {
        body = text.replace(&site.upstream, &site.here).into_bytes();
    }
    let mut passing = Passing { path, status, headers, body };
    (site.breaks)(&mut passing);
    let mut response = Response::new(Body::from(passing.body));
    (*response.status_mut(), *response.headers_mut()) = (passing.status, passing.headers);
    Ok(response)
}
