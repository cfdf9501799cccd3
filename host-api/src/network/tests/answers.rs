//! Answers that are wrong, too large, or packed to be.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use tokio::sync::Notify;

use super::*;

async fn of(bytes: impl Into<Vec<u8>>) -> String {
    let site = Site::saying(bytes).await;
    told(&towards(&site.url(), patient()), asking(&site.url())).await
}

#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_is_not_read() {
    let no_http = "no answer from the source: the answer is no HTTP";
    let two_ways = "no answer from the source: the answer says its length in two ways";
    let broken = "no answer from the source: the exchange broke off";
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "200 ok"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok", "200 ok"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "200 ok"),
        ("HTTP/1.1 200 OK\r\n\r\nok", "200 ok"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nokk", no_http),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nokk", no_http),
        ("HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok", no_http),
        ("HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok", no_http),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nok", no_http),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", two_ways),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\nok", two_ways),
        ("HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok", no_http),
        ("HTTP/1.1 200 OK\r\nset-cookie: a=b\0c\r\n\r\nok", no_http),
        ("HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\nok", no_http),
        ("HTTP/1.1 200 OK\r\nlocation: /a\rset-cookie: b\r\n\r\nok", no_http),
        ("ok", no_http),
        ("HTTP/0.9 200 OK\r\n\r\nok", no_http),
        ("HTTP/1.1 2000 OK\r\n\r\nok", no_http),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", broken),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok", broken),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nok", broken),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n", broken),
        ("", broken),
    ] {
        assert_eq!(of(answer).await, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn what_follows_an_answer_is_not_the_answer_to_the_next_request() {
    // Two answers to the first request, in one piece and in two.
    for pause in [0, 30] {
        let left = Arc::new(Notify::new());
        let gone = left.clone();
        let site = Site::doing(move |number, stream| {
            let gone = gone.clone();
            async move {
                let mut stream = request_of(stream).await?;
                if number > 0 {
                    return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhonest").await;
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst").await?;
                tokio::time::sleep(Duration::from_millis(pause)).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged").await?;
                let left = request_of(stream).await.map(drop);
                gone.notify_one();
                left
            }
        })
        .await;
        let network = towards(&site.url(), patient());
        assert_eq!(told(&network, asking(&site.url())).await, "200 first");
        // Whoever got the forged one has left that connection.
        tokio::time::timeout(Duration::from_secs(20), left.notified()).await.expect("it stayed on that connection");
        assert_eq!(told(&network, asking(&site.url())).await, "200 honest");
        assert_eq!(site.connections(), 2);
    }
}

#[tokio::test]
async fn heads_are_bounded_in_bytes_and_in_fields() {
    let too_large = "the head of the answer is longer than 65536 bytes, or has more than 256 fields";
    let fields = |count: usize| (0..count).map(|number| format!("x-{number}: y\r\n")).collect::<String>();
    for (head, expected) in [
        (fields(200), "200 ok"),
        (fields(300), too_large),
        (format!("x: {}\r\n", "y".repeat(60_000)), "200 ok"),
        (format!("x: {}\r\n", "y".repeat(70_000)), too_large),
        (format!("set-cookie: a={}\r\n", "y".repeat(9_000)).repeat(10), too_large),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}content-length: 2\r\n\r\nok");
        assert_eq!(of(answer).await, expected, "{} bytes", head.len());
    }
}

#[tokio::test]
async fn what_never_ends_is_ended() {
    let endless = |head: &'static str, piece: &'static [u8]| {
        Site::doing(move |_, stream| async move {
            let mut stream = request_of(stream).await?;
            stream.write_all(head.as_bytes()).await?;
            let many = piece.repeat(64);
            loop {
                stream.write_all(&many).await?;
            }
        })
    };
    let body = "the answer is longer than 100000 bytes";
    for (head, piece, expected) in [
        ("HTTP/1.1 200 OK\r\n\r\n", b"body ".as_slice(), body),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"5\r\nbody \r\n", body),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n", b"body ", body),
        (
            "HTTP/1.1 200 OK\r\n",
            b"x: y\r\n",
            "the head of the answer is longer than 65536 bytes, or has more than 256 fields",
        ),
        ("", b"HTTP/1.1 102 Processing\r\n\r\n", "the source sent more than this run may receive"),
        (
            "",
            b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n",
            "the source sent more than this run may receive",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            b"x: y\r\n",
            "no answer from the source: the exchange broke off",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;",
            b"extension;",
            "no answer from the source: the exchange broke off",
        ),
    ] {
        let site = endless(head, piece).await;
        let way = Way { wire_bytes_max: 3_000_000, ..patient() };
        assert_eq!(told(&towards(&site.url(), way), asking(&site.url())).await, expected, "{head:?} {piece:?}");
    }
}

#[tokio::test]
async fn what_a_run_receives_is_counted_over_all_its_connections() {
    let body = "x".repeat(50_000);
    let site = Site::saying(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}")).await;
    let network = towards(&site.url(), Way { wire_bytes_max: 120_000, ..patient() });
    for _ in 0..2 {
        assert!(told(&network, asking(&site.url())).await.starts_with("200 xxx"));
    }
    assert_eq!(told(&network, asking(&site.url())).await, "the source sent more than this run may receive");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 9, ..Default::default() };
    brotli::BrotliCompress(&mut &bytes[..], &mut packed, &parameters).unwrap();
    packed
}

fn packed(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n", bytes.len())
            .into_bytes();
    answer.extend_from_slice(bytes);
    answer
}

#[tokio::test]
async fn a_packed_answer_counts_as_what_it_unpacks_to() {
    let (small, huge) = (b"ok".as_slice(), vec![b'x'; 10 << 20]);
    for (encoding, pack) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("br", brotli)] {
        assert_eq!(of(packed(encoding, &pack(small))).await, "200 ok", "{encoding}");
        let bomb = pack(&huge);
        assert!(bomb.len() < 60_000, "{encoding}: {} bytes are no bomb", bomb.len());
        assert_eq!(of(packed(encoding, &bomb)).await, "the answer is longer than 100000 bytes", "{encoding}");
    }
}

#[tokio::test]
async fn what_can_not_be_unpacked_is_no_answer() {
    let foreign = "no answer from the source: the answer is packed in a way that was not asked for";
    let broken = "no answer from the source: the exchange broke off";
    let twice = gzip(&gzip(b"ok"));
    let whole = gzip(&[b'x'; 1000]);
    for (encoding, bytes, expected) in [
        ("identity", b"ok".to_vec(), "200 ok"),
        ("gzip, gzip", twice, foreign),
        ("zstd", b"ok".to_vec(), foreign),
        ("compress", b"ok".to_vec(), foreign),
        ("gzip", b"ok".to_vec(), broken),
        ("gzip", whole[..whole.len() / 2].to_vec(), broken),
        ("br", deflate(b"something else"), broken),
    ] {
        assert_eq!(of(packed(encoding, &bytes)).await, expected, "{encoding}");
    }
}

#[tokio::test]
async fn an_answer_without_a_body_needs_none() {
    for (status, method) in
        [("200 OK", Method::HEAD), ("204 No Content", Method::GET), ("304 Not Modified", Method::GET)]
    {
        let site = Site::saying(format!("HTTP/1.1 {status}\r\ncontent-encoding: gzip\r\n\r\n")).await;
        let request = Outgoing { method, ..asking(&site.url()) };
        assert_eq!(told(&towards(&site.url(), patient()), request).await, format!("{} ", &status[..3]));
    }
}

#[tokio::test]
async fn an_answer_may_be_as_long_as_the_limit_and_no_longer() {
    for (length, fits) in [(BODY_MAX, true), (BODY_MAX + 1, false)] {
        let body = "x".repeat(length as usize);
        for head in [format!("content-length: {length}\r\n"), String::new()] {
            let told = of(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}")).await;
            let expected =
                if fits { format!("200 {body}") } else { "the answer is longer than 100000 bytes".to_owned() };
            assert!(told == expected, "{length} {head:?}: {}", &told[..told.len().min(80)]);
        }
    }
}

/// It says how much will come, and then nothing: nobody waits for what may not be read.
#[tokio::test]
async fn an_answer_that_says_it_is_too_long_is_not_waited_for() {
    let site = Site::doing(|_, stream| async move {
        let mut stream = request_of(stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n").await?;
        // Until the other side hangs up.
        request_of(stream).await.map(drop)
    })
    .await;
    let told = told(&towards(&site.url(), patient()), asking(&site.url())).await;
    assert_eq!(told, "the answer is longer than 100000 bytes");
}

#[tokio::test]
async fn the_question_how_long_an_answer_would_be_may_be_asked_of_a_long_one() {
    let site = Site::saying("HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n").await;
    let request = Outgoing { method: Method::HEAD, ..asking(&site.url()) };
    assert_eq!(told(&towards(&site.url(), patient()), request).await, "200 ");
}

#[tokio::test]
async fn every_field_of_a_head_counts_with_what_stands_around_it() {
    for (length, expected) in
        [(976, "200 ok"), (977, "the head of the answer is longer than 1000 bytes, or has more than 256 fields")]
    {
        let site =
            Site::saying(format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 2\r\n\r\nok", "y".repeat(length))).await;
        let way = Way { head_bytes_max: 1000, ..patient() };
        assert_eq!(told(&towards(&site.url(), way), asking(&site.url())).await, expected, "{length}");
    }
}
