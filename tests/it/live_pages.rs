//! What pages do of themselves while a connector is at work on them: they ask and send, which counts as the run's own, and they are replaced
//! while a secret is pressed on them.

use std::time::{Duration, Instant};

use consentry::collect::Collector;
use consentry_contract::limits::{LimitName, Wishes};
use consentry_tests::collecting::{collector, collector_of};
use consentry_tests::echoing::{Answer, EchoSite, Sent};

use super::pages::{HONEST, KEYPAD, Steps, end, html, steps};

/// A keypad that has another of the same look in its place as soon as a key of it is pressed; who presses on is heard.
const TURNS: &str = "<div id=keys></div><script>
for (let digit = 0; digit < 10; digit++) {
    const key = Object.assign(document.createElement('button'), { textContent: digit, style: 'width:40px;height:40px' });
    key.addEventListener('click', () => {
        const first = !new URLSearchParams(location.search).has('again');
        fetch((first ? '/pressed?' : '/stolen?') + digit, { method: 'POST', keepalive: true });
        if (first) location.replace('/turns?again');
        // The next key is not pressed before the other keypad is there.
        if (first) for (const from = Date.now(); Date.now() - from < 300;);
    });
    document.querySelector('#keys').append(key);
}
</script>";
/// Asks from a worker, of which the browser tells nobody, one time after the other.
const ASKING: &str = "<script>
const once = location.search === '?once';
const says = `(async () => { do { await fetch('${location.origin}/asked', { mode: 'no-cors' }).catch(() => {}); } while (!${once}); postMessage(''); })()`;
new Worker(URL.createObjectURL(new Blob([says]))).onmessage = () => { document.body.innerHTML = '<p class=once>.'; };
</script>";
/// Sends much in few requests.
const POSTING: &str = "<script>
const once = location.search === '?once';
(async () => {
    do { await fetch('/posted', { method: 'POST', body: 'x'.repeat(once ? 1 : 1 << 18) }).catch(() => {}); } while (!once);
    document.body.innerHTML = '<p class=once>.';
})();
</script>";

fn site(sent: &Sent) -> Answer {
    match sent.path.as_str() {
        "/pad" => html(KEYPAD),
        "/turns" => html(TURNS),
        "/asking" => html(ASKING),
        "/posting" => html(POSTING),
        _ => html("<p>nothing here</p>"),
    }
}

/// What a guest does with a code of six digits on the keypad of this path.
fn pressing(site: &EchoSite, path: &str, then: &str) -> Steps {
    let steps = steps(&site.url, &format!("go {path}; waits page pad; keypad #keys button{then}"));
    steps
        .password("271828")
        .page("pad", &format!("{{base}}{path}"), "#keys button")
        .sink("page = \"pad\"", "keypad:#keys")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keypad_that_is_replaced_while_it_is_pressed_gets_no_other_character() {
    let (site, collector) = (EchoSite::start(site).await.unwrap(), collector().unwrap());
    let (told, said) = pressing(&site, "/turns", "").run(&collector).await;
    assert_eq!(told, "secret-unusable", "{said}");
    let heard = site.heard();
    let first = heard.iter().filter(|request| request.starts_with("POST /pressed?"));
    assert!(first.count() >= 1 && heard.iter().any(|request| request.contains("GET /turns?again")), "{heard:?}");
    assert!(!heard.iter().any(|request| request.contains("/stolen?")), "{heard:?}");
    end(&collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_characters_stand_on_a_page_no_rule_of_the_manifest_says_what_is_there() {
    let (site, collector) = (EchoSite::start(site).await.unwrap(), collector().unwrap());
    // The rule fits what is there, before it is pressed and while it is; and again when it is another document.
    let then = "; doubts page pad; go /pad; waits page pad";
    let (told, said) = pressing(&site, "/pad", then).run(&collector).await;
    assert_eq!(told, HONEST, "{said}");
    assert!(said.contains("doubts page pad false"), "{said}");
    assert_eq!(said.matches("waits page pad true").count(), 2, "{said}");
    end(&collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_asks_for_and_sends_by_itself_counts_as_the_runs_own() {
    let (site, collector) = (EchoSite::start(site).await.unwrap(), collector().unwrap());
    for (path, limit) in [("/asking", LimitName::Requests), ("/posting", LimitName::BytesOut)] {
        let limits = Wishes::from_iter([(LimitName::Requests, 40), (LimitName::BytesOut, 1 << 20)]);
        let limited = Collector { limits, ..collector_of(4).unwrap() };
        let begun = Instant::now();
        let (told, said) = steps(&site.url, &format!("go {path}; waits selector #never")).run(&limited).await;
        assert_eq!(told, format!("limit-exceeded limit={limit}"), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(25), "at once, and not when it has waited for nothing");
        end(&limited).await;
        // A page that does it once is within them.
        let (told, said) = steps(&site.url, &format!("go {path}?once; sees .once")).run(&collector).await;
        assert_eq!(told, HONEST, "{said}");
    }
    let asked = site.heard().iter().filter(|request| request.contains("/asked")).count();
    assert!((30..=45).contains(&asked), "{asked} of the 40 that it may ask for");
    end(&collector).await;
}
