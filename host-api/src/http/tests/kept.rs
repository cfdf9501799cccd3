//! What a run keeps for the next one of its connection: captured secrets, cookies and notes, sealed; nothing of a login.

use http::header::SET_COOKIE;

use super::*;
use crate::bindings::consentry::connector::credentials::Host as _;
use crate::bindings::consentry::connector::session_state::Host as _;
use crate::session_state::{SealedState, StateKey, Synchronised};

const TOKEN: &str = "s3cret-refresh";
const COOKIE: &str = "s3cret-session";

/// Gives a token and a cookie, and keeps the last request.
#[derive(Clone, Default)]
struct Bank(Arc<std::sync::Mutex<Option<Outgoing>>>);

#[async_trait]
impl Network for Bank {
    async fn fetch(&self, asked: Outgoing) -> Result<Incoming, NetworkError> {
        *self.0.lock().unwrap() = Some(asked);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(SET_COOKIE, HeaderValue::from_str(&format!("sid={COOKIE}; Path=/; Secure; HttpOnly")).unwrap());
        let body = format!(r#"{{"refresh_token":"{TOKEN}"}}"#).into_bytes();
        Ok(Incoming { status: StatusCode::OK, headers, body })
    }
}

fn key() -> StateKey {
    StateKey::new(Zeroizing::new([9; 32]))
}

fn granted(network: Bank, last: Option<SealedState>, attended: bool) -> HostCtx {
    let mut ctx = context(network);
    ctx.grants.capabilities.insert("session-state".to_owned());
    ctx.grants.synchronised = Some(Synchronised::new(key(), last));
    ctx.grants.attended = attended;
    ctx.restore_state();
    ctx
}

fn code(fail: Fail) -> String {
    match fail {
        Fail::Fault(fault) => fault.code,
        Fail::Stop(error) => format!("{error}"),
    }
}

fn noted(ctx: &mut HostCtx) -> Result<Option<String>, Fail> {
    crate::bindings::consentry::connector::session_state::Host::note(ctx, "page".to_owned())
}

/// A run that keeps all that there is to keep.
async fn keeps() -> SealedState {
    let mut ctx = granted(Bank::default(), None, true);
    ctx.vault.put(Leaf::new(LeafKind::Field, "password"), Zeroizing::new(b"Correct-Horse-7!".to_vec())).unwrap();
    let answer = send(&mut ctx, "POST", "/refresh").await.unwrap();
    let captured = wit::HostResponse::captured(&mut ctx, answer, "refresh".to_owned()).unwrap().unwrap();
    ctx.keep_secret("refresh".to_owned(), captured).unwrap();
    ctx.keep_note("page".to_owned(), "seen up to 17".to_owned()).unwrap();
    ctx.keep_cookies(vec!["https://bank.example".to_owned()]).unwrap();
    let password = ctx.get("password".to_owned()).unwrap().unwrap();
    assert_eq!(code(ctx.keep_secret("login".to_owned(), password).unwrap_err()), "invalid-argument");
    let refused = ctx.keep_cookies(vec!["https://elsewhere.example".to_owned()]).unwrap_err();
    assert_eq!(code(refused), "invalid-argument");
    ctx.into_remains().kept.unwrap()
}

#[tokio::test]
async fn what_a_run_keeps_leaves_the_host_sealed_and_is_there_in_the_next_one() {
    let kept = keeps().await;
    let shown = String::from_utf8_lossy(kept.as_bytes()).into_owned();
    for value in [TOKEN, COOKIE, "seen up to", "Correct-Horse"] {
        assert!(!shown.contains(value), "{value}");
    }
    let network = Bank::default();
    let mut next = granted(network.clone(), Some(kept.clone()), false);
    assert_eq!(noted(&mut next).unwrap().as_deref(), Some("seen up to 17"));
    assert!(next.kept_secret("refresh".to_owned()).unwrap().is_some());
    assert_eq!(next.vault.reveal(&Leaf::new(LeafKind::Captured, "refresh")).unwrap().as_slice(), TOKEN.as_bytes());
    send(&mut next, "GET", "/me").await.unwrap();
    let asked = network.0.lock().unwrap().take().unwrap();
    assert_eq!(asked.headers["cookie"], format!("sid={COOKIE}"));
    // A login that is needed is one that nobody gives.
    assert!(next.get("login".to_owned()).is_err());
    assert_eq!(next.into_remains().facts.host, Some(Code::PersonAbsent));

    let mut other = granted(Bank::default(), Some(kept.clone()), false);
    other.forget().unwrap();
    let forgotten = other.into_remains().kept.unwrap();
    let mut after = granted(Bank::default(), Some(forgotten), false);
    assert!(noted(&mut after).unwrap().is_none() && after.kept_secret("refresh".to_owned()).unwrap().is_none());

    let mut foreign = context(Bank::default());
    foreign.grants.capabilities.insert("session-state".to_owned());
    foreign.grants.synchronised = Some(Synchronised::new(StateKey::new(Zeroizing::new([8; 32])), Some(kept)));
    foreign.restore_state();
    assert!(noted(&mut foreign).unwrap().is_none(), "another connection's key opens nothing");
}

#[tokio::test]
async fn without_the_consent_nothing_is_kept_and_with_it_no_more_than_the_limits() {
    let mut ctx = context(Bank::default());
    ctx.grants.capabilities.insert("session-state".to_owned());
    assert_eq!(code(noted(&mut ctx).unwrap_err()), "capability-denied");
    assert_eq!(code(ctx.keep_note("page".to_owned(), String::new()).unwrap_err()), "capability-denied");
    assert!(ctx.into_remains().kept.is_none());
    let mut ctx = granted(Bank::default(), None, true);
    let large = "x".repeat(crate::session_state::STATE_BYTES_MAX);
    assert_eq!(code(ctx.keep_note("page".to_owned(), large).unwrap_err()), "invalid-argument");
    for number in 0..crate::session_state::STATE_ENTRIES_MAX {
        ctx.keep_note(format!("n{number}"), "x".to_owned()).unwrap();
    }
    assert_eq!(code(ctx.keep_note("more".to_owned(), "x".to_owned()).unwrap_err()), "invalid-argument");
}
