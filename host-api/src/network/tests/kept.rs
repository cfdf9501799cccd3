//! Connections that are kept, and closed by the site at the moment at which they are used again.

use zeroize::Zeroizing;

use super::*;

/// How the site leaves.
#[derive(Debug, Clone, Copy)]
enum Leaves {
    /// In order: the end of the stream.
    Closing,
    /// By a reset.
    Reset,
    /// In the middle of the head of an answer.
    Halfway,
}

async fn leave(stream: BufReader<TcpStream>, how: Leaves) -> std::io::Result<()> {
    let mut stream = stream.into_inner();
    match how {
        Leaves::Closing => {}
        Leaves::Reset => stream.set_zero_linger()?,
        Leaves::Halfway => stream.write_all(b"HTTP/1.1 200 O").await?,
    }
    Ok(())
}

/// A site that answers this often on a connection with the number of that connection, reads one request more and leaves; and how many
/// requests it has read.
async fn leaving(answers: usize, how: Leaves) -> (Site, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = asked.clone();
    let site = Site::doing(move |number, stream| {
        let seen = seen.clone();
        async move {
            let mut stream = BufReader::new(stream);
            for _ in 0..answers {
                stream = request_of(stream.into_inner()).await?;
                seen.fetch_add(1, SeqCst);
                stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}").as_bytes()).await?;
            }
            stream = request_of(stream.into_inner()).await?;
            seen.fetch_add(1, SeqCst);
            leave(stream, how).await
        }
    })
    .await;
    (site, asked)
}

const BROKEN: &str = "no answer from the source: the exchange broke off";

#[tokio::test]
async fn what_may_be_asked_twice_is_asked_once_more_on_a_new_connection() {
    for how in [Leaves::Closing, Leaves::Reset, Leaves::Halfway] {
        for method in [Method::GET, Method::HEAD] {
            let (site, asked) = leaving(1, how).await;
            let network = towards(&site.url(), patient());
            let mut told_of = Vec::new();
            for _ in 0..3 {
                let request = Outgoing { method: method.clone(), ..asking(&site.url()) };
                told_of.push(told(&network, request).await);
            }
            let expected = if method == Method::HEAD { ["200 ", "200 ", "200 "] } else { ["200 0", "200 1", "200 2"] };
            assert_eq!(told_of, expected, "{how:?} {method}");
            assert_eq!((site.connections(), asked.load(SeqCst)), (3, 5), "{how:?} {method}");
        }
    }
}

#[tokio::test]
async fn what_may_have_been_done_is_never_asked_again() {
    for how in [Leaves::Closing, Leaves::Reset, Leaves::Halfway] {
        for (what, method, body, repeatable) in [
            ("a login", Method::POST, Some(b"pin=1".as_slice()), true),
            ("a POST without a body", Method::POST, None, true),
            ("a PUT", Method::PUT, None, true),
            ("a DELETE", Method::DELETE, None, true),
            ("a GET with a body", Method::GET, Some(b"x".as_slice()), true),
            ("a GET with a password in it", Method::GET, None, false),
        ] {
            let (site, asked) = leaving(1, how).await;
            let network = towards(&site.url(), patient());
            assert_eq!(told(&network, asking(&site.url())).await, "200 0");
            let body = body.map(|body| Payload::plain(Zeroizing::new(body.to_vec())));
            let request = Outgoing { method, body, repeatable, ..asking(&site.url()) };
            assert_eq!(told(&network, request).await, BROKEN, "{what} {how:?}");
            assert_eq!((site.connections(), asked.load(SeqCst)), (1, 2), "{what} {how:?}");
        }
    }
}

#[tokio::test]
async fn a_site_that_leaves_a_new_connection_is_not_asked_again() {
    for how in [Leaves::Closing, Leaves::Reset, Leaves::Halfway] {
        let (site, asked) = leaving(0, how).await;
        assert_eq!(told(&towards(&site.url(), patient()), asking(&site.url())).await, BROKEN, "{how:?}");
        assert_eq!((site.connections(), asked.load(SeqCst)), (1, 1), "{how:?}");
    }
}

#[tokio::test]
async fn a_repeat_that_breaks_off_is_the_end() {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = asked.clone();
    let site = Site::doing(move |number, stream| {
        let seen = seen.clone();
        async move {
            let mut stream = stream;
            if number == 0 {
                let mut first = request_of(stream).await?;
                seen.fetch_add(1, SeqCst);
                first.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
                stream = first.into_inner();
            }
            let last = request_of(stream).await?;
            seen.fetch_add(1, SeqCst);
            leave(last, Leaves::Closing).await
        }
    })
    .await;
    let network = towards(&site.url(), patient());
    assert_eq!(told(&network, asking(&site.url())).await, "200 ok");
    assert_eq!(told(&network, asking(&site.url())).await, BROKEN);
    assert_eq!((site.connections(), asked.load(SeqCst)), (2, 3));
}
