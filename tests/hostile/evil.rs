//! Sites that were written to harm whoever reads them, as plain TCP on this machine.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use consentry_tests::collecting::lock;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A site, and what it was asked, head by head.
pub struct EvilSite {
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
    most: Arc<AtomicUsize>,
}

impl EvilSite {
    /// Says `answer` to everybody, then `again` and again until they hang up.
    pub async fn saying(answer: impl Into<String>, again: &'static str) -> Self {
        let more = if again.is_empty() { 0 } else { usize::MAX };
        Self::sending(answer.into(), Arc::from(again.repeat(64).as_bytes()), more, Duration::ZERO, "").await
    }

    /// Says `answer` to everybody, then `again` so many times, each after this pause, and this `last`.
    pub async fn sending(
        answer: impl Into<Vec<u8>>,
        again: Arc<[u8]>,
        times: usize,
        pause: Duration,
        last: &'static str,
    ) -> Self {
        let (answer, asked) = (answer.into(), Arc::<Mutex<Vec<String>>>::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, now, most) = (asked.clone(), Arc::new(AtomicUsize::new(0)), Arc::<AtomicUsize>::default());
        let highest = most.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (answer, again) = (answer.clone(), again.clone());
                let (seen, now, highest) = (seen.clone(), now.clone(), highest.clone());
                tokio::spawn(async move {
                    let (read, mut write) = stream.split();
                    let (mut head, mut read) = (String::new(), BufReader::new(read));
                    while read.read_line(&mut head).await? > 2 {}
                    lock(&seen).push(head);
                    highest.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                    // Long enough for whoever comes at the same time.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    now.fetch_sub(1, SeqCst);
                    write.write_all(&answer).await?;
                    for _ in 0..times {
                        if !pause.is_zero() {
                            tokio::time::sleep(pause).await;
                        }
                        write.write_all(&again).await?;
                    }
                    write.write_all(last.as_bytes()).await?;
                    write.shutdown().await
                });
            }
        });
        Self { url, asked, most }
    }

    pub fn most_at_once(&self) -> usize {
        self.most.load(SeqCst)
    }

    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }
}

/// What a client without any check sends to a site, byte for byte, and all that it is answered: what a defence that has no switch stands
/// against.
pub async fn bare(url: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
