use std::io::Write as _;

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_secret_that_is_typed_stands_in_locked_pages_and_is_counted_until_the_browser_took_it() {
    let (out, mut outgoing) = mpsc::unbounded_channel();
    let gone = CancellationToken::new();
    let shared = Arc::new(Shared { next: AtomicU64::new(1), routes: Mutex::default(), gone });
    let transport = Transport { out, shared, patience: Duration::from_millis(1) };
    let run = RunInClear::default();
    let sealed = Payload::secret_of(Zeroizing::new("pass\u{e9}\"word".as_bytes().to_vec()), run.clone()).unwrap();
    let typed = crate::browser::frame::Argument { value: Secret(&sealed) };
    assert_eq!(
        transport.call_secret::<()>(&sealed.run(), "s", "Runtime.callFunctionOn", typed).await,
        Err(CallError::Late)
    );
    let message = outgoing.try_recv().unwrap();
    let read: serde_json::Value = serde_json::from_slice(message.bytes.strip_suffix(&[0]).unwrap()).unwrap();
    assert_eq!(read["params"]["value"], "pass\u{e9}\"word");
    assert!(crate::memory::is_locked(&message.bytes) && message._clear.is_some());
    assert!(run.is_in_clear(), "of its run");
    drop(message);
    assert!(!run.is_in_clear());
    transport.post("s", "Page.reload", json!({}));
    assert!(outgoing.try_recv().unwrap()._clear.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_long_is_let_go_and_those_behind_it_are_heard() {
    let ((from, mut its), (for_it, to)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    let from = pipe::Receiver::from_owned_fd(from.into()).unwrap();
    let to = pipe::Sender::from_owned_fd(to.into()).unwrap();
    let transport = Transport::start(from, to, Duration::from_secs(60));
    let mut events = transport.listen("context");
    let (first, second) = (transport.patient(Duration::from_millis(1)), transport.clone());
    assert_eq!(first.tell("", "Page.first", json!({})).await, Err(CallError::Late));
    let browser = std::thread::spawn(move || {
        let part = vec![b'x'; 1 << 20];
        its.write_all(b"{\"id\":1,\"result\":{\"data\":\"").unwrap();
        for _ in 0..=(MESSAGE_BYTES_MAX >> 20) {
            its.write_all(&part).unwrap();
        }
        its.write_all(b"\"}}\0{\"method\":\"Browser.downloadProgress\",\"params\":{}}\0{\"id\":2,\"result\":{}}\0")
            .unwrap();
        its
    });
    assert_eq!(second.tell("", "Page.second", json!({})).await, Ok(()), "it is not taken for a part of the long one");
    assert_eq!(events.recv().await.unwrap().method, "Browser.downloadProgress");
    assert!(!transport.is_gone());
    drop((browser.join().unwrap(), for_it));
    transport.gone().await;
}
