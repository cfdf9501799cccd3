use jiff::SignedDuration;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::keys::software::tests::keys;

const NAVIGATION: Navigation = Navigation { device: Device::Phone, language: Language(*b"fr\0") };

fn lender() -> OnlineServiceId {
    "osv_01JD8Z3M7K0000000000000000".parse().unwrap()
}

struct World {
    traces: Traces,
    shelves: Shelves,
    keys: Arc<dyn KeyProvider>,
    clock: Arc<ManualClock>,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new("2026-11-21T10:11:12Z".parse().unwrap()));
    let entropy = Arc::new(Entropy::from(StdRng::seed_from_u64(1)));
    let keys = keys();
    let shelves = Shelves::memory(keys.clone(), entropy.clone(), clock.clone());
    World { traces: Traces::new(&shelves, keys.clone(), entropy), shelves, keys, clock }
}

#[tokio::test]
async fn a_trace_is_five_fields_and_no_more() {
    let World { traces, clock, .. } = world();
    let id = traces.keep("bank", "Ada@example.org", lender(), NAVIGATION, clock.now()).await.unwrap();
    let trace = traces.get(id).await.unwrap().unwrap();
    let mut json = serde_json::to_value(&trace).unwrap();
    let tag = json["login"].take();
    assert_eq!(tag.as_str().unwrap().len(), 64);
    assert_eq!(
        json.to_string(),
        r#"{"data_source":"bank","login":null,"online_service":"osv_01JD8Z3M7K0000000000000000","navigation":{"device":"phone","language":"fr"},"date":"2026-11-21"}"#
    );
    assert_eq!(id.made_at().to_string(), "2026-11-21T00:00:00Z", "the hour is not kept, not even in the name");
    assert!(!format!("{trace:?}").contains(tag.as_str().unwrap()));
}

#[tokio::test]
async fn one_login_has_one_tag_however_it_is_typed_and_another_at_each_source() {
    let World { traces, clock, .. } = world();
    let tag = async |source, login| traces.tag(source, login, Month::of(clock.now()), clock.now()).await.unwrap();
    let wanted = tag("bank", "stra\u{df}e-\u{e9}").await;
    for same in [" stra\u{df}e-\u{e9}\n", "STRASSE-\u{c9}", "Strasse-e\u{301}", "stra\u{1e9e}e-E\u{301}"] {
        assert!(tag("bank", same).await == wanted, "{same:?}");
    }
    for other in ["strasse-e", "strasse -\u{e9}"] {
        assert!(tag("bank", other).await != wanted, "{other:?}");
    }
    assert!(tag("telecom", "stra\u{df}e-\u{e9}").await != wanted);
    assert!(tag("ban", "kx").await != tag("bank", "x").await);
}

#[tokio::test]
async fn a_trace_can_not_be_tied_to_a_login_once_its_months_key_is_dead() {
    let World { traces, shelves, keys, clock } = world();
    let id = traces.keep("bank", "ada", lender(), NAVIGATION, clock.now()).await.unwrap();
    let month = Month::of(clock.now());
    clock.set("2027-12-01T00:00:00Z".parse().unwrap());
    assert!(traces.get(id).await.unwrap().is_some());
    let dead = traces.tag("bank", "ada", month, clock.now()).await;
    assert!(matches!(dead, Err(TraceError::Keys(KeyError::Destroyed(_)))));
    assert_eq!(keys.destroy_due(clock.now()).await.unwrap().len(), 1);
    clock.advance(SignedDuration::from_hours(20 * 24));
    assert_eq!(traces.get(id).await.unwrap(), None, "and gone on the day, thirteen months later");
    assert_eq!(shelves.expired(clock.now()).await.unwrap().len(), 1);
}

#[test]
fn of_a_browser_its_class_is_kept_and_of_languages_the_first() {
    for (agent, device) in [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148", Device::Phone),
        ("Mozilla/5.0 (Linux; Android 16) Chrome/156.0 Mobile Safari/537.36", Device::Phone),
        ("Mozilla/5.0 (Linux; Android 16) Chrome/156.0 Safari/537.36", Device::Tablet),
        ("Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) Mobile/15E148", Device::Tablet),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0 Safari/537.36", Device::Desktop),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/150.0", Device::Desktop),
        ("curl/8", Device::Other),
        ("", Device::Other),
    ] {
        assert_eq!(Device::of_user_agent(agent), device, "{agent}");
    }
    for (header, language) in [
        ("fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        ("EN", "en"),
        ("gsw-CH", "gsw"),
        ("*", "und"),
        ("", "und"),
        ("français", "und"),
    ] {
        assert_eq!(Language::of_accept_language(header).as_str(), language, "{header}");
    }
}
