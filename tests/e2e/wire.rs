//! What really goes over the wire, and what of it a connector can see: the first is the yardstick for the second.

use std::sync::{Arc, Mutex};

use consentry_contract::failure::Code;
use consentry_host_api::tape::{Call, TapeSink};
use consentry_tape::Event;
use consentry_tests::collecting::lock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What went in one direction of one connection.
type Heard = Arc<Mutex<Vec<u8>>>;

/// A listener in the middle of the wire, which changes nothing.
pub struct Wire {
    /// Where connectors reach the application through it.
    pub url: String,
    sent: Arc<Mutex<Vec<Heard>>>,
    received: Arc<Mutex<Vec<Heard>>>,
    listening: JoinHandle<()>,
}

impl Wire {
    /// Listens to what goes to this application and comes back.
    pub async fn to(application: &str) -> Self {
        let upstream = application.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sent, received) = (Arc::default(), Arc::default());
        let connections = (Arc::clone(&sent), Arc::clone(&received));
        let listening = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let Ok(to) = TcpStream::connect(&upstream).await else { continue };
                let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
                tokio::spawn(pass(from_read, to_write, heard(&connections.0)));
                tokio::spawn(pass(to_read, from_write, heard(&connections.1)));
            }
        });
        Self { url, sent, received, listening }
    }

    /// Method and target of every request, in order within a connection.
    pub fn requests(&self) -> Vec<String> {
        let request = |before: &str| {
            let start = ["GET /", "POST /", "DELETE /"].into_iter().filter_map(|method| before.rfind(method)).max()?;
            Some(before[start..].to_owned())
        };
        let sent = text(&self.sent);
        let mut heads: Vec<&str> = sent.split(" HTTP/1.1\r\n").collect();
        heads.pop();
        heads.into_iter().filter_map(request).collect()
    }

    /// All that was sent, as text.
    pub fn sent(&self) -> String {
        text(&self.sent)
    }

    /// The values of all cookies that the application set.
    pub fn cookies(&self) -> Vec<String> {
        let received = text(&self.received);
        let set = received.lines().filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("set-cookie").then_some(value)
        });
        let values = set.filter_map(|cookie| cookie.split_once('=')?.1.split(';').next());
        // One that is taken back is set to nothing, which may stand in quotes.
        values.map(|value| value.trim_matches('"')).filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    /// The last that the application said between these two texts.
    pub fn said(&self, before: &str, after: &str) -> String {
        let received = text(&self.received);
        let (_, rest) = received.rsplit_once(before).unwrap_or_else(|| panic!("never heard: {before}"));
        rest.split_once(after).unwrap_or_else(|| panic!("never heard after {before}: {after}")).0.to_owned()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn heard(all: &Mutex<Vec<Heard>>) -> Heard {
    let heard = Heard::default();
    lock(all).push(heard.clone());
    heard
}

fn text(all: &Mutex<Vec<Heard>>) -> String {
    lock(all).iter().map(|heard| String::from_utf8_lossy(&lock(heard)).into_owned()).collect()
}

/// Heard first, passed on then: what somebody has received has been heard.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, heard: Heard) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(size @ 1..) = from.read(&mut buffer).await {
        lock(&heard).extend_from_slice(&buffer[..size]);
        if to.write_all(&buffer[..size]).await.is_err() {
            break;
        }
    }
}

/// Takes down every answer as a connector can see it, and does something the moment that a login is declared done.
#[derive(Default)]
pub struct Tape {
    shown: Mutex<String>,
    once_logged_in: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Tape {
    /// Does this at `credentials.authenticated`.
    pub fn once_logged_in(act: impl Fn() + Send + Sync + 'static) -> Self {
        Self { once_logged_in: Some(Box::new(act)), ..Self::default() }
    }

    /// URLs and bodies of all answers.
    pub fn shown(&self) -> String {
        lock(&self.shown).clone()
    }
}

impl TapeSink for Tape {
    fn refused(&self, _: u64, _: Code) {}

    fn call(&self, call: Call) {
        if (call.capability, call.function) == ("credentials", "authenticated")
            && let Some(act) = &self.once_logged_in
        {
            act();
        }
    }

    fn outside(&self, what: Event) {
        let Event::Http(exchange) = what else { return };
        let mut text = format!("{} {} {:?}\n", exchange.method, exchange.url, exchange.failure);
        for hop in &exchange.hops {
            text += &format!("{:?}\n{}\n", hop.headers, String::from_utf8_lossy(&hop.body.0));
        }
        lock(&self.shown).push_str(&text);
    }
}
