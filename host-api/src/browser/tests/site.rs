//! A web site of a few lines.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Answers requests by their first line, without the version.
pub(super) struct Site {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _serves: AbortOnDropHandle<()>,
}

impl Site {
    pub(super) async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let (answer, requests) = (Arc::new(answer), seen.clone());
        let serves = tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let (answer, requests) = (answer.clone(), requests.clone());
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                        match stream.read_buf(&mut head).await {
                            Ok(read) if read > 0 => {}
                            _ => return,
                        }
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let line = head.split(" HTTP/").next().unwrap_or_default().to_owned();
                    requests.lock().unwrap().push(head);
                    let bytes = answer(&line);
                    // Nothing is an answer, too: the one who asks waits.
                    if bytes.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    let _ = stream.write_all(&bytes).await;
                });
            }
        });
        Self { address, seen, _serves: AbortOnDropHandle::new(serves) }
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of all requests.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn was_asked(&self) -> bool {
        !self.seen().is_empty()
    }
}

/// An answer.
pub(super) fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{fields}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(super) fn page(html: &str) -> Vec<u8> {
    answer("200 OK", "Content-Type: text/html; charset=utf-8\r\n", format!("<!DOCTYPE html>{html}").as_bytes())
}

pub(super) fn missing() -> Vec<u8> {
    answer("404 Not Found", "Content-Type: text/plain\r\n", b"no")
}
