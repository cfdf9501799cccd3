//! Plain HTTP on loopback, as far as a drill or a sandbox needs it: a caller, a listener for events, and a door that passes everything on and
//! keeps a copy of it. It does not use the engine's own client: what is looked into is not what looks.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Longest wait for anything.
pub(in crate::cli) const WAIT: Duration = Duration::from_secs(120);
/// Most bytes of a head, and of an event.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// An answer.
pub(in crate::cli) struct Reply {
    pub(in crate::cli) status: u16,
    pub(in crate::cli) body: Vec<u8>,
}

/// What is asked for.
pub(in crate::cli) struct Asked<'a> {
    pub(in crate::cli) method: &'a str,
    pub(in crate::cli) path: &'a str,
    pub(in crate::cli) token: Option<&'a str>,
    /// Its media type, and what it says.
    pub(in crate::cli) body: Option<(&'a str, &'a str)>,
}

impl Asked<'_> {
    fn send(&self, to: SocketAddr) -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(to).with_context(|| format!("{to} can't be reached"))?;
        stream.set_read_timeout(Some(WAIT))?;
        let Asked { method, path, token, body } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n");
        if let Some(token) = token {
            head += &format!("authorization: Bearer {token}\r\n");
        }
        let (media, text) = body.unwrap_or_default();
        if body.is_some() || *method != "GET" {
            head += &format!("content-type: {media}\r\ncontent-length: {}\r\n", text.len());
        }
        stream.write_all(format!("{head}\r\n{text}").as_bytes())?;
        Ok(stream)
    }

    /// Asks, and reads the whole answer.
    pub(in crate::cli) fn ask(&self, to: SocketAddr) -> anyhow::Result<Reply> {
        let mut reader = BufReader::new(self.send(to)?);
        let (status, length) = head(&mut reader)?;
        let mut body = vec![];
        match length {
            Some(length) => reader.take(length).read_to_end(&mut body)?,
            None => reader.read_to_end(&mut body)?,
        };
        Ok(Reply { status, body })
    }

    /// Asks for a stream of events.
    pub(in crate::cli) fn listen(&self, to: SocketAddr) -> anyhow::Result<Events> {
        let mut reader = BufReader::new(self.send(to)?);
        let (status, _) = head(&mut reader)?;
        if status != 200 { bail!("events: {status}") } else { Ok(Events(reader)) }
    }
}

impl Reply {
    /// The body of a success.
    pub(in crate::cli) fn good(self, what: &str) -> anyhow::Result<Vec<u8>> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        // A problem says what to do, and quotes nothing.
        bail!("{what}: {} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// Reads a head: a status, or nothing that is one, and the length of the body.
fn head(reader: &mut impl std::io::BufRead) -> anyhow::Result<(u16, Option<u64>)> {
    let (mut status, mut length, mut read) = (0, None, 0);
    loop {
        let mut line = String::new();
        read += reader.take(HEAD_BYTES_MAX as u64).read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() || read > HEAD_BYTES_MAX {
            return Ok((status, length));
        }
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.get(..3).and_then(|code| code.parse().ok()).unwrap_or_default();
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
}

/// Server-sent events as they come.
pub(in crate::cli) struct Events(BufReader<TcpStream>);

impl Events {
    /// The next event.
    pub(in crate::cli) fn next(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        while self.0.read_line(&mut line).context("no event came")? > 0 {
            // An event is one chunk of the answer, so no line is cut.
            if let Some(data) = line.strip_prefix("data:") {
                return Ok(serde_json::from_str(data)?);
            }
            line.clear();
        }
        bail!("the events ended")
    }
}

/// Takes events of an engine and answers each with 204.
pub(in crate::cli) fn take_events() -> anyhow::Result<(SocketAddr, Receiver<Value>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (tell, told) = channel();
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // One that is none, or that nobody waits for any more, is nobody's loss.
            let _ = take_event(stream, &tell);
        }
    });
    Ok((address, told))
}

fn take_event(stream: TcpStream, tell: &Sender<Value>) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(WAIT))?;
    let mut reader = BufReader::new(stream);
    let (_, length) = head(&mut reader)?;
    let mut body = vec![];
    (&mut reader).take(length.unwrap_or_default().min(HEAD_BYTES_MAX as u64)).read_to_end(&mut body)?;
    reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")?;
    tell.send(serde_json::from_slice(&body)?)?;
    Ok(())
}

/// A door in front of an address. It is open as long as this process lives.
pub(in crate::cli) struct Door {
    pub(in crate::cli) address: SocketAddr,
    to: Arc<Mutex<SocketAddr>>,
}

impl Door {
    /// Opens a door that leads to this address, and keeps what passes, both ways, in `file`.
    pub(in crate::cli) fn open(to: SocketAddr, file: &Path) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let file = Arc::new(Mutex::new(File::create(file)?));
        let (address, to) = (listener.local_addr()?, Arc::new(Mutex::new(to)));
        let leads = to.clone();
        std::thread::spawn(move || {
            for outside in listener.incoming().map_while(Result::ok) {
                let to = *leads.lock().unwrap_or_else(PoisonError::into_inner);
                let Ok(inside) = TcpStream::connect(to) else { continue };
                let (Ok(from), Ok(back)) = (outside.try_clone(), inside.try_clone()) else { continue };
                for (from, to) in [(from, inside), (back, outside)] {
                    let file = file.clone();
                    std::thread::spawn(move || pass(from, to, &file));
                }
            }
        });
        Ok(Self { address, to })
    }

    /// From now on it leads elsewhere.
    pub(in crate::cli) fn leads_to(&self, address: SocketAddr) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, file: &Mutex<File>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let kept = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&buffer[..length]);
        // What can't be kept does not pass: nothing goes by unseen.
        if kept.is_err() || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // The other side learns of the end; it may have gone before.
    let _ = to.shutdown(Shutdown::Write);
}
