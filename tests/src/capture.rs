//! What a network carries: a door in front of an address that passes everything on, both ways, and keeps a copy of it in a file.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The door. It stays open as long as the runtime lives.
#[derive(Debug)]
pub struct Capture {
    /// Its address, as a URL without a trailing slash.
    pub url: String,
}

impl Capture {
    /// Opens a door in front of this address, and keeps in `file` what passes.
    ///
    /// # Errors
    /// No port is free, or the file can't be made.
    pub async fn start(to: SocketAddr, file: &Path) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let file = Arc::new(Mutex::new(File::create(file)?));
        tokio::spawn(async move {
            while let Ok((inside, _)) = listener.accept().await {
                let file = file.clone();
                tokio::spawn(async move {
                    let Ok(outside) = TcpStream::connect(to).await else { return };
                    let ((from, mut back), (answer, mut on)) = (inside.into_split(), outside.into_split());
                    tokio::join!(pass(from, &mut on, &file), pass(answer, &mut back, &file));
                });
            }
        });
        Ok(Self { url })
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, to: &mut (impl AsyncWrite + Unpin), file: &Mutex<File>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let written = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&buffer[..length]);
        if written.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    // The other side learns of the end.
    let _ = to.shutdown().await;
}
