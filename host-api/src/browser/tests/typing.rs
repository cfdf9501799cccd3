//! Whatever a page may do to have a secret typed or pressed elsewhere than it was looked for: each way is tried on hands that look first and act
//! in another call, and it succeeds; and on those of this host.

use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use super::*;
use crate::browser::frame::Seen;
use crate::network::Payload;

/// A login with a frame of another site in it, which is named behind `to=`. It says what is typed where.
const LOGIN: &str = "<input id=password type=password><input id=own><iframe width=300 height=60></iframe><script>
for (const each of document.querySelectorAll('input')) each.oninput = () => fetch('/' + each.id + '?' + each.value);
const asked = new URLSearchParams(location.search);
if (asked.has('to')) document.querySelector('iframe').src = asked.get('to') + '/thief';
own.onfocus = () => fetch('/took');
if (asked.has('own')) setInterval(() => own.focus(), 0);
if (asked.has('goes')) password.onfocus = () => setTimeout(() => { location.href = asked.get('goes') + '/goes'; }, 0);
</script>";
/// Takes the focus again and again, and says what it is given.
const THIEF: &str = "<input id=own><script>
own.oninput = () => fetch('/own?' + own.value);
own.onfocus = () => fetch('/took');
setInterval(() => own.focus(), 0);
onpointerdown = press => fetch('/own?' + press.clientX);
</script>";
/// A keypad; with `to=`, that frame comes over it as soon as the pointer does, with `over=` before.
const PAD: &str = "<body style=margin:0><div id=keys></div><iframe style='position:absolute;left:0;top:0;width:600px;height:300px;border:0;display:none'></iframe><script>
for (let digit = 0; digit < 10; digit++) {
    const key = Object.assign(document.createElement('button'), { textContent: digit, style: 'width:40px;height:40px' });
    key.onclick = () => fetch('/pressed?' + digit);
    document.querySelector('#keys').append(key);
}
const asked = new URLSearchParams(location.search);
const frame = document.querySelector('iframe');
if (asked.has('to')) {
    frame.src = asked.get('to') + '/thief';
    onmousemove = () => { frame.style.display = 'block'; };
    if (asked.has('over')) onmousemove();
}
if (asked.has('last')) onclick = () => { location.href = '/last'; };
</script>";

async fn site() -> Site {
    Site::start(|request| match request.split('?').next().unwrap_or_default() {
        "GET /login" => page(LOGIN),
        "GET /goes" => page(&format!("<p id=gone></p>{LOGIN}")),
        "GET /thief" => page(THIEF),
        "GET /pad" => page(PAD),
        "GET /last" => page("<p id=gone></p>"),
        _ => page("<p>.</p>"),
    })
    .await
}

fn secret(text: &str) -> Payload {
    Payload::secret(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
}

fn count(site: &Site, start: &str) -> usize {
    site.seen().iter().filter(|head| head.starts_with(start)).count()
}

async fn hears(site: &Site, start: &str) -> bool {
    until(|| count(site, start) > 0).await
}

impl Context {
    /// Which document a page shows.
    async fn shows(&self, at: &At, origin: &str) -> Seen {
        let began = self.read(at, false, 1 << 20).await.unwrap().began;
        Seen { origin: origin.to_owned(), began }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_typed_into_its_field_whoever_takes_the_focus_meanwhile() {
    let (site, other, desk) = (site().await, site().await, Desk::new().await);
    let port = other.address().split(':').nth(1).unwrap().to_owned();
    let elsewhere = format!("http://localhost:{port}");
    // A frame of another origin in the page's own process and in another, and another field of the page.
    for (late, (how, thief)) in
        [(format!("to={}", other.origin()), &other), (format!("to={elsewhere}"), &other), ("own=1".to_owned(), &site)]
            .into_iter()
            .enumerate()
    {
        let origins = [site.origin(), other.origin(), elsewhere.clone()].map(|origin| Origin::parse(&origin).unwrap());
        let context = desk.reaching(&origins).await;
        let at = context.at(&site.url(&format!("/login?{how}"))).await.unwrap();
        let of = context.shows(&at, &site.origin()).await;
        let took = count(thief, "GET /took");
        context.fill(&at, "#password", Text::None, Some(&of)).await.unwrap();
        assert!(until(|| count(thief, "GET /took") > took).await, "{how}: somebody takes the focus");
        let (session, text) = (context.session(&at.page).unwrap(), json!({ "text": format!("late-{late}") }));
        let mut hears_it = false;
        // While one process hands the focus to another, nobody gets it.
        for _ in 0..5 {
            context.transport().tell(&session, "Input.insertText", text.clone()).await.unwrap();
            hears_it = hears(thief, &format!("GET /own?late-{late}")).await;
            if hears_it {
                break;
            }
        }
        assert!(hears_it, "{how}: and gets what is typed by another call");
        assert_eq!(count(&site, "GET /password?late"), 0, "{how}");
        for time in 0..20 {
            let text = secret(&format!("s3cret-{late}-{time}"));
            context.fill(&at, "#password", Text::Secret(&text), Some(&of)).await.unwrap();
        }
        for time in 0..20 {
            assert!(hears(&site, &format!("GET /password?s3cret-{late}-{time} ")).await, "{how}: {time}");
        }
        assert_eq!(count(thief, "GET /own?s3cret"), 0, "{how}");
        drop(context);
    }
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_typed_into_no_document_but_the_one_that_was_recognised() {
    let (site, other, desk) = (site().await, site().await, Desk::new().await);
    for goes in [&site, &other] {
        let context = desk.context(&[&site, &other]).await;
        let at = context.at(&site.url(&format!("/login?goes={}", goes.origin()))).await.unwrap();
        let of = context.shows(&at, &site.origin()).await;
        context.fill(&at, "#password", Text::None, Some(&of)).await.unwrap();
        assert!(context.is_seen(&at, "#gone", true, soon()).await.unwrap());
        let refused = context.fill(&at, "#password", Text::Secret(&secret("s3cret")), Some(&of)).await;
        assert_eq!(refused, Err(PageError::Moved));
        context.fill(&at, "#password", Text::Secret(&secret("late")), None).await.unwrap();
        assert!(hears(goes, "GET /password?late").await, "that document takes what it is given");
        assert_eq!(count(goes, "GET /password?s3cret"), 0);
    }
    desk.end().await;
}

async fn presses(context: &Context, at: &At, code: &str, of: &Seen) -> Result<Option<()>, PageError> {
    let keys: Vec<(String, String)> =
        (0..10).map(|digit| (digit.to_string(), format!("#keys button:nth-child({})", digit + 1))).collect();
    let keys = context.keys(at, &keys, &["#keys".to_owned()], of).await?;
    context.press(at, &keys, &secret(code), of).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_that_another_frame_takes_ends_the_run() {
    let (site, other, desk) = (site().await, site().await, Desk::new().await);
    let context = desk.context(&[&site, &other]).await;
    let covered = site.url(&format!("/pad?to={}", other.origin()));
    let at = context.at(&covered).await.unwrap();
    context.click(&at, "#keys button:nth-child(4)").await.unwrap();
    assert!(hears(&other, "GET /own?140").await, "it learns which key was clicked");
    let (at, before) = (context.at(&covered).await.unwrap(), count(&other, "GET /own?"));
    let of = context.shows(&at, &site.origin()).await;
    let begun = Instant::now();
    assert_eq!(presses(&context, &at, "733", &of).await, Err(PageError::Elsewhere));
    assert!(begun.elapsed() < Duration::from_secs(10));
    // The first press was one too many, and there was no other.
    assert!(until(|| count(&other, "GET /own?") == before + 1).await);
    context.cut();
    // Without TLS the refusal of its own proxy is what a page shows.
    let asked = count(&site, "GET /");
    let _ = context.at(&site.url("/pad")).await;
    assert_eq!(count(&site, "GET /"), asked, "and pages reach nothing any more");
    assert_eq!(count(&site, "GET /pressed"), 0);
    drop(context);
    // An honest one hears all, and may go on with the last.
    let context = desk.context(&[&site]).await;
    let at = context.at(&site.url("/pad")).await.unwrap();
    let of = context.shows(&at, &site.origin()).await;
    assert_eq!(presses(&context, &at, "733", &of).await, Ok(Some(())));
    assert!(until(|| (count(&site, "GET /pressed?7"), count(&site, "GET /pressed?3")) == (1, 2)).await);
    for _ in 0..5 {
        let at = context.at(&site.url("/pad?last=1")).await.unwrap();
        let of = context.shows(&at, &site.origin()).await;
        assert_eq!(presses(&context, &at, "5", &of).await, Ok(Some(())));
        assert!(context.is_seen(&at, "#gone", true, soon()).await.unwrap());
        assert_eq!(presses(&context, &at, "5", &of).await.err(), Some(PageError::Nothing));
        context.close_page(&at.page);
    }
    drop(context);
    desk.end().await;
}

/// Such a frame is hit where the last picture of the browser had it. So one that comes with the pointer is late, and one that was there is seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_in_a_process_of_its_own_takes_no_press() {
    let (site, other, desk) = (site().await, site().await, Desk::new().await);
    let from = other.origin().replace("127.0.0.1", "localhost");
    let origins = [site.origin(), from.clone()].map(|origin| Origin::parse(&origin).unwrap());
    let context = desk.reaching(&origins).await;
    let at = context.at(&site.url(&format!("/pad?to={from}&over=1"))).await.unwrap();
    assert!(hears(&other, "GET /thief").await);
    let targets: serde_json::Value = context.transport().call("", "Target.getTargets", json!({})).await.unwrap();
    assert!(targets.to_string().contains(&format!("{from}/thief")), "it has a process of its own: {targets}");
    let session = context.session(&at.page).unwrap();
    let press = json!({ "type": "mousePressed", "x": 150, "y": 20, "button": "left", "clickCount": 1 });
    let taken = async || {
        // As soon as there is a picture with it.
        context.transport().tell(&session, "Input.dispatchMouseEvent", press.clone()).await.unwrap();
        tokio::task::yield_now().await;
        count(&other, "GET /own?150") > 0
    };
    let mut is_taken = false;
    for _ in 0..3000 {
        is_taken = is_taken || taken().await;
        if is_taken {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(is_taken, "it takes what a hand presses that does not look");
    let of = context.shows(&at, &site.origin()).await;
    assert_eq!(presses(&context, &at, "733", &of).await, Err(PageError::Unusable("covered by something else")));
    for _ in 0..10 {
        let at = context.at(&site.url(&format!("/pad?to={from}"))).await.unwrap();
        let of = context.shows(&at, &site.origin()).await;
        let pressed = presses(&context, &at, "733", &of).await;
        assert!(matches!(pressed, Ok(Some(())) | Err(PageError::Elsewhere | PageError::Unusable(_))), "{pressed:?}");
        context.close_page(&at.page);
        if pressed == Err(PageError::Elsewhere) {
            break;
        }
    }
    let others = count(&other, "GET /own?") - count(&other, "GET /own?150");
    assert!(others <= 1, "one press at most, which ends the run");
    drop(context);
    desk.end().await;
}

/// A document of another kind than HTML, which knows no typing by script, and fields that nobody types into.
const OTHERS: &str = "<html xmlns='http://www.w3.org/1999/xhtml'><body><input id='text'/><input id='box' type='checkbox'/><input id='day' type='date'/><p id='said'></p>
<script>document.oninput = told => { document.querySelector('#said').textContent += told.target.value + ' '; };</script></body></html>";

#[tokio::test(flavor = "multi_thread")]
async fn days_are_set_and_so_are_the_fields_of_documents_that_know_no_typing() {
    let kinds = ["application/xhtml+xml", "text/html"];
    let site = Site::start(move |request| {
        let kind = kinds[usize::from(request.ends_with("html"))];
        site::answer("200 OK", &format!("Content-Type: {kind}\r\n"), OTHERS.as_bytes())
    });
    let (site, desk) = (site.await, Desk::new().await);
    for path in ["/xml", "/html"] {
        let context = desk.context(&[&site]).await;
        let at = context.at(&site.url(path)).await.unwrap();
        context.fill(&at, "#text", Text::Open("one"), None).await.unwrap();
        context.fill(&at, "#text", Text::Open(""), None).await.unwrap();
        context.fill(&at, "#text", Text::Open("two"), None).await.unwrap();
        let of = context.shows(&at, &site.origin()).await;
        context.fill(&at, "#day", Text::Secret(&secret("1990-12-31")), Some(&of)).await.unwrap();
        let refused = context.fill(&at, "#box", Text::Open("three"), None).await;
        assert_eq!(refused, Err(PageError::Unusable("no field of this kind")));
        let html = context.html(&at).await;
        assert!(html.contains("one  two 1990-12-31 </p>"), "{path}: {html}");
        assert!(!html.contains("value=\"1990"), "{path}: {html}");
        drop(context);
    }
    desk.end().await;
}
