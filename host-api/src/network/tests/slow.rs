//! Sites that take their time. The times here are short; what is tested is which of them ends the wait.

use std::time::Instant;

use super::*;

/// Says the head, then the piece again and again with a pause after each.
async fn dripping(head: &'static str, piece: &'static str, pause: u64) -> Site {
    Site::doing(move |_, stream| async move {
        let mut stream = request_of(stream).await?;
        stream.write_all(head.as_bytes()).await?;
        loop {
            stream.write_all(piece.as_bytes()).await?;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_slow_answer_is_not_waited_for() {
    const BODY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n";
    for (what, head, piece, pause, from, to) in [
        ("a head that never comes", "", "", 50, 600, 5_000),
        ("a head in drops", "HTTP/1.1 200 OK\r\nx: ", "y", 20, 600, 5_000),
        ("informational answers, one after the other", "", "HTTP/1.1 102 Processing\r\n\r\n", 20, 600, 5_000),
        ("a body that stops", BODY, "", 50, 400, 5_000),
        ("a body in drops", BODY, "y", 20, 300, 5_000),
    ] {
        let site = dripping(head, piece, pause).await;
        let network = towards(&site.url(), Way { patience: hasty(), ..Way::default() });
        let begun = Instant::now();
        assert_eq!(told(&network, asking(&site.url())).await, "the source did not answer in time", "{what}");
        let waited = begun.elapsed().as_millis();
        assert!((from..to).contains(&waited), "{what}: {waited} ms");
    }
}

#[tokio::test]
async fn a_body_that_keeps_its_pace_is_waited_for_until_its_whole_time_is_over() {
    let site = dripping("HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n", "0123456789", 1).await;
    let patience = Patience { whole: Duration::from_millis(900), bytes_per_second: 100, ..hasty() };
    let network = towards(&site.url(), Way { patience, ..Way::default() });
    let begun = Instant::now();
    assert_eq!(told(&network, asking(&site.url())).await, "the source did not answer in time");
    assert!(begun.elapsed() >= Duration::from_millis(900), "it was ended for its pace");
}

#[tokio::test]
async fn a_site_that_takes_no_connection_is_given_up() {
    // Bound, not listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap()).parse().unwrap();
    let network = towards(&url, patient());
    assert_eq!(told(&network, asking(&url)).await, "no answer from the source: no connection");
}
