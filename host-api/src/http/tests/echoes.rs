//! Answers that repeat what the request carried, and what a connector sees of them.

use consentry_contract::scrub::MASK;
use http::header::{ETAG, HeaderName, LOCATION, SET_COOKIE};

use super::*;

const PASSWORD: &str = "Correct-Horse-7!";

/// Answers by the path that is asked for.
struct Site(fn(&str, &Outgoing) -> Incoming);

#[async_trait]
impl Network for Site {
    async fn fetch(&self, request: Outgoing) -> Result<Incoming, NetworkError> {
        Ok((self.0)(request.url.path(), &request))
    }
}

fn says(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Incoming {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    Incoming { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
}

fn with(mut answer: Incoming, headers: &[(HeaderName, &str)]) -> Incoming {
    answer.headers.extend(headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())));
    answer
}

/// A run whose person typed this password and whose login is `marie.dupont`.
fn run(password: &str, site: fn(&str, &Outgoing) -> Incoming) -> HostCtx {
    let mut ctx = context(Site(site));
    for (name, value) in [("password", password), ("login", "marie.dupont")] {
        ctx.vault.put(Leaf::new(LeafKind::Field, name), Zeroizing::new(value.into())).unwrap();
    }
    ctx
}

/// What goes into one field of a form.
enum Part<'p> {
    Own(&'p str),
    Secret(Leaf),
}

fn field(name: &str) -> Part<'static> {
    Part::Secret(Leaf::new(LeafKind::Field, name))
}

fn request(
    ctx: &mut HostCtx,
    path: &str,
    fields: Vec<(&str, Part<'_>)>,
    manual: bool,
) -> Resource<super::super::Request> {
    let url = format!("https://bank.example{path}");
    let request = wit::HostRequest::new(ctx, "POST".to_owned(), url).unwrap();
    let again = || Resource::new_borrow(request.rep());
    for (name, part) in fields {
        let piece = match part {
            Part::Own(text) => Piece::Text(text.to_owned()),
            Part::Secret(leaf) => {
                let secret = ctx.handle_if_held(leaf).unwrap().unwrap();
                Piece::Secret(Slot { secret: Resource::new_borrow(secret.rep()), encoding: "raw".to_owned() })
            }
        };
        ctx.field(again(), name.to_owned(), vec![piece]).unwrap();
    }
    if manual {
        ctx.set(again(), "redirect".to_owned(), "manual".to_owned()).unwrap();
    }
    request
}

async fn log_in(ctx: &mut HostCtx, own: &[(&str, &str)], manual: bool) -> Result<Resource<Response>, Fail> {
    let mut fields: Vec<_> = own.iter().map(|(name, text)| (*name, Part::Own(text))).collect();
    fields.extend([("login", field("login")), ("password", field("password"))]);
    let request = request(ctx, "/login", fields, manual);
    ctx.send(request).await
}

/// Everything of an answer that a connector can ask for.
fn seen(ctx: &mut HostCtx, response: &Resource<Response>) -> String {
    let again = || Resource::<Response>::new_borrow(response.rep());
    let mut all = ctx.url(again()).unwrap();
    for name in ["location", "content-length", "etag", "x-note", "link", "set-cookie", "content-md5"] {
        all += &format!("\n{name}: {:?}", wit::HostResponse::header(ctx, again(), name.to_owned()).unwrap());
    }
    all + "\n" + &visible(ctx, response)
}

#[tokio::test]
async fn an_answer_repeats_nothing_of_what_its_request_carried() {
    let site = |_: &str, request: &Outgoing| {
        let form = String::from_utf8(request.body.as_ref().unwrap().open().to_vec()).unwrap();
        assert!(form.contains("password=Correct-Horse-7%21"), "{form}");
        let page = r#"<p title="Correct-Horse-7!">marie.dupont</p><input name=password value="Correct-Horse-7&#33;">
            <!-- Q29ycmVjdC1Ib3JzZS03IQ== --><script>var p = "\u0043orrect-Horse-7!"</script><b>Correct</b>-Horse-7!"#;
        let headers = [
            (HeaderName::from_static("x-note"), "for Correct-Horse-7!, 436f72726563742d486f7273652d3721"),
            (HeaderName::from_static("link"), "</a?p=Correct%2DHorse-7!>"),
            (ETAG, "\"of the page\""),
            (HeaderName::from_static("content-length"), "1234"),
            (SET_COOKIE, "p=Correct-Horse-7!"),
        ];
        with(says(200, "text/html", page), &headers)
    };
    let mut ctx = run(PASSWORD, site);
    let response = log_in(&mut ctx, &[], false).await.unwrap();
    let all = seen(&mut ctx, &response);
    for gone in ["Correct", "Horse", "Q29y", "436f", "0043", "of the page", "1234"] {
        assert!(!all.contains(gone), "{gone}: {all}");
    }
    // Logins are no secrets, and a cookie is a handle.
    assert!(all.contains("marie.dupont") && all.contains(&format!("for {MASK}, {MASK}")), "{all}");
    assert!(ctx.cookie("https://bank.example/".to_owned(), "p".to_owned()).unwrap().is_some());
}

#[tokio::test]
async fn an_answer_looks_the_same_after_a_short_and_a_long_secret() {
    let site = |_: &str, _: &Outgoing| {
        let headers = [(ETAG, "\"a\""), (HeaderName::from_static("content-length"), "9")];
        with(says(200, "text/html", "<p TITLE='x'>broken<b>"), &headers)
    };
    let mut seen_after = Vec::new();
    for pin in ["1234", "123456"] {
        let mut ctx = run(pin, site);
        let response = log_in(&mut ctx, &[], false).await.unwrap();
        seen_after.push(seen(&mut ctx, &response));
    }
    assert_eq!(seen_after[0], seen_after[1]);
}

#[tokio::test]
async fn a_redirect_is_scrubbed_and_what_follows_it_only_if_it_carries_the_secret_on() {
    let site = |path: &str, _: &Outgoing| match path {
        "/login" => with(says(302, "text/html", ""), &[(LOCATION, "/home/Paris?p=Paris#Paris")]),
        _ => with(
            says(200, "text/html", "<p>12 rue de Rivoli, 75001 Paris"),
            &[(HeaderName::from_static("x-note"), "Paris")],
        ),
    };
    let mut ctx = run("Paris", site);
    let response = log_in(&mut ctx, &[], true).await.unwrap();
    let all = seen(&mut ctx, &response);
    assert!(
        all.starts_with("https://bank.example/login\nlocation: [\"https://bank.example/home/***?p=***#***\"]"),
        "{all}"
    );
    let response = log_in(&mut ctx, &[], false).await.unwrap();
    let all = seen(&mut ctx, &response);
    assert!(all.starts_with("https://bank.example/home/***?p=***#***") && !all.contains("Paris"), "{all}");

    let without = |path: &str, _: &Outgoing| match path {
        "/login" => with(says(302, "text/html", ""), &[(LOCATION, "/home")]),
        _ => with(
            says(200, "text/html", "<p>12 rue de Rivoli, 75001 Paris"),
            &[(HeaderName::from_static("x-note"), "Paris")],
        ),
    };
    let mut ctx = run("Paris", without);
    let response = log_in(&mut ctx, &[], false).await.unwrap();
    let all = seen(&mut ctx, &response);
    assert!(all.contains("75001 Paris") && all.contains("x-note: [\"Paris\"]"), "{all}");
    // Nor does any later answer know of it.
    let response = send(&mut ctx, "GET", "/home").await.unwrap();
    assert!(seen(&mut ctx, &response).contains("75001 Paris"));
}

#[tokio::test]
async fn a_guess_beside_the_secret_looks_the_same_whether_it_is_right_or_wrong() {
    let site = |_: &str, request: &Outgoing| {
        let body = request.body.as_ref().unwrap().open().to_vec();
        let guess = url::form_urlencoded::parse(&body).find(|(name, _)| name == "q").unwrap().1.into_owned();
        let page = format!("<input name=q value='{guess}'><a href='/login?q={guess}'>{guess}</a> for {guess}!");
        with(says(200, "text/html", page), &[(HeaderName::from_static("x-note"), &guess)])
    };
    let mut left = Vec::new();
    for guess in [PASSWORD, "Correct-Horse-8!"] {
        let mut ctx = run(PASSWORD, site);
        let response = log_in(&mut ctx, &[("q", guess)], false).await.unwrap();
        left.push(seen(&mut ctx, &response).replace(guess, "GUESS").replace(&guess.to_uppercase(), "GUESS"));
    }
    assert_eq!(left[0], left[1]);
    assert!(left[0].contains("GUESS") && !left[0].contains(MASK), "{}", left[0]);
}

#[tokio::test]
async fn guesses_are_few() {
    let mut ctx = run(PASSWORD, |_, _| says(200, "text/html", "<p>"));
    let guesses: Vec<(String, String)> = (0..200).map(|at| (format!("n{at}"), format!("guess-{at}"))).collect();
    let many: Vec<(&str, &str)> = guesses.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let Err(Fail::Fault(fault)) = log_in(&mut ctx, &many, false).await else { panic!("too many") };
    assert!(fault.code == "invalid-argument" && fault.text.contains("at most 128 texts"), "{}", fault.text);
    assert!(!ctx.facts.login_submitted, "refused before anything went out");
    assert!(log_in(&mut ctx, &many[..100], false).await.is_ok());
}

#[tokio::test]
async fn what_the_host_can_not_unpack_is_withheld_and_what_tells_a_length_is_dropped() {
    let packed = |_: &str, _: &Outgoing| {
        with(says(200, "text/html", [1, 2, 3]), &[(HeaderName::from_static("content-encoding"), "zstd")])
    };
    let Err(Fail::Fault(fault)) = log_in(&mut run(PASSWORD, packed), &[], false).await else { panic!("it was shown") };
    assert_eq!(fault.code, "source-unavailable");
    let mut ctx = run(PASSWORD, packed);
    assert!(send(&mut ctx, "GET", "/login").await.is_ok(), "no secret, no scrub");
    let request = wit::HostRequest::new(&mut ctx, "GET".to_owned(), "https://bank.example/".to_owned()).unwrap();
    let range = vec![Piece::Text("bytes=5-".to_owned())];
    crate::bindings::consentry::connector::http::HostRequest::header(
        &mut ctx,
        Resource::new_borrow(request.rep()),
        "range".to_owned(),
        range,
    )
    .unwrap();
    assert!(matches!(ctx.send(request).await, Err(Fail::Fault(_))), "half an echo is no echo");
}

#[tokio::test]
async fn a_token_may_be_captured_again_and_a_password_may_not() {
    let site = |path: &str, _: &Outgoing| match path {
        "/login" => says(200, "application/json", r#"{"password":"Correct-Horse-7!","x":1}"#),
        _ => says(200, "application/json", r#"{"refresh_token":"tok-12345","old":"tok-12345"}"#),
    };
    let mut ctx = run(PASSWORD, site);
    let response = log_in(&mut ctx, &[], false).await.unwrap();
    assert!(seen(&mut ctx, &response).contains("\"x\":1"));
    assert_eq!(ctx.vault.reveal(&Leaf::new(LeafKind::Captured, "stolen")).unwrap().as_slice(), MASK.as_bytes());

    let refresh = Leaf::new(LeafKind::Captured, "refresh");
    ctx.vault.put(refresh.clone(), Zeroizing::new(b"tok-12345".to_vec())).unwrap();
    let request = request(&mut ctx, "/refresh", vec![("refresh_token", Part::Secret(refresh.clone()))], false);
    let response = ctx.send(request).await.unwrap();
    let all = seen(&mut ctx, &response);
    assert!(all.contains(r#""refresh_token":"captured","old":"***""#) && !all.contains("tok-1"), "{all}");
    assert_eq!(ctx.vault.reveal(&refresh).unwrap().as_slice(), b"tok-12345");
}

#[tokio::test]
async fn an_answer_of_the_person_is_used_up_and_still_looked_for() {
    let mut ctx = run(PASSWORD, |_, _| says(200, "text/html", "<p>code 123456, not 1234567"));
    let code = Leaf::new(LeafKind::Answer, "code");
    ctx.vault.put(code.clone(), Zeroizing::new(b"123456".to_vec())).unwrap();
    let request = request(&mut ctx, "/otp", vec![("code", Part::Secret(code.clone()))], false);
    let response = ctx.send(request).await.unwrap();
    assert!(!ctx.vault.holds(&code));
    assert!(seen(&mut ctx, &response).contains("code ***, not 1234567"));
}

#[tokio::test]
async fn a_page_is_recognised_and_taped_as_the_connector_sees_it() {
    let (mut ctx, tape) =
        (run(PASSWORD, |_, _| says(200, "text/html", "<p id=a>Correct-Horse-7!")), Arc::new(Tape::default()));
    ctx.ports.tape = tape.clone();
    log_in(&mut ctx, &[], false).await.unwrap();
    let taped = tape.0.lock().unwrap().clone();
    assert!(taped.contains("<p id=\"a\">***</p>") && !taped.contains("Horse"), "{taped}");
}

#[derive(Default)]
struct Tape(std::sync::Mutex<String>);

impl crate::tape::TapeSink for Tape {
    fn call(&self, _: crate::tape::Call) {}
    fn refused(&self, _: u64, _: Code) {}
    fn outside(&self, what: consentry_tape::Event) {
        if let consentry_tape::Event::Http(exchange) = what {
            for hop in &exchange.hops {
                *self.0.lock().unwrap() +=
                    &format!("{} {:?} {}", exchange.url, hop.headers, String::from_utf8_lossy(&hop.body.0));
            }
        }
    }
}

#[tokio::test]
async fn why_no_answer_came_repeats_nothing_either() {
    let site = |_: &str, _: &Outgoing| {
        with(says(302, "text/html", ""), &[(LOCATION, "https://correct-horse-7.elsewhere.example/")])
    };
    let Err(Fail::Fault(fault)) = log_in(&mut run("correct-horse-7", site), &[], false).await else {
        panic!("followed")
    };
    assert!(fault.text.contains("***.elsewhere.example"), "{}", fault.text);
}
