use super::*;
use crate::fixtures::{both, category, id};

fn purpose() -> Purpose {
    let categories = BTreeMap::from([(category("person.name"), both("to write to you."))]);
    Purpose {
        why: both("to see."),
        keep_days: 1,
        history_days_max: Some(HISTORY_DAYS_MAX),
        categories,
        needs: [Need::Contact].into(),
        predicates: BTreeMap::new(),
        third_parties: None,
    }
}

fn registration() -> Registration {
    Registration {
        id: id(1),
        name: "Lettings".to_owned(),
        contact: "data@lettings.example".to_owned(),
        role: Role::Joint,
        events: None,
        callbacks: Vec::new(),
        purposes: BTreeMap::from([("check".to_owned(), purpose())]),
        bearer: None,
        partner: Partner::default(),
    }
}

/// What is wrong with a registration after this was done to it; nothing if it is right.
fn told(change: impl FnOnce(&mut Registration)) -> String {
    let mut registration = registration();
    change(&mut registration);
    let registered = OnlineService::register(registration, crate::jose::tests::recipient());
    registered.map_or_else(|error| error.to_string(), |_| String::new())
}

/// As [`told`], of its one purpose.
fn told_of(change: impl FnOnce(&mut Purpose)) -> String {
    told(|registration| change(registration.purposes.get_mut("check").unwrap()))
}

#[test]
fn every_text_of_a_registration_is_there_short_and_in_one_line() {
    let longest = "é".repeat(TEXT_BYTES_MAX / 2);
    for (text, right) in [
        ("x", true),
        (longest.as_str(), true),
        ("", false),
        ("  ", false),
        (&format!("{longest}x"), false),
        ("two\nlines", false),
        ("\u{7}", false),
    ] {
        let of = |field: &str| if right { String::new() } else { format!("{field} must have 1 to 500 bytes") };
        assert_eq!(told(|all| all.name = text.to_owned()), of("name"), "{text:?}");
        assert_eq!(told(|all| all.contact = text.to_owned()), of("contact"), "{text:?}");
        assert_eq!(told_of(|all| all.why.en = text.to_owned()), of("purpose check: why.en"), "{text:?}");
        assert_eq!(told_of(|all| all.why.fr = text.to_owned()), of("purpose check: why.fr"), "{text:?}");
        let why = |all: &mut Purpose, put: fn(&mut Localised, String)| {
            put(all.categories.values_mut().next().unwrap(), text.to_owned())
        };
        assert_eq!(
            told_of(|all| why(all, |why, text| why.en = text)),
            of("purpose check: person.name: en"),
            "{text:?}"
        );
        assert_eq!(
            told_of(|all| why(all, |why, text| why.fr = text)),
            of("purpose check: person.name: fr"),
            "{text:?}"
        );
    }
}

#[test]
fn an_online_service_has_purposes_that_ask_for_something_and_not_for_too_much() {
    let purposes = |count: usize| (0..count).map(|at| (at.to_string(), purpose())).collect();
    for (count, right) in [(0, false), (1, true), (PURPOSES_MAX, true), (PURPOSES_MAX + 1, false)] {
        let expected = if right { "" } else { "an Online Service has 1 to 32 purposes" };
        assert_eq!(told(|all| all.purposes = purposes(count)), expected, "{count}");
    }
    assert_eq!(told_of(|all| all.categories.clear()), "purpose check names no category");
    let more = "purpose check asks for more than 3653 days of history";
    for (days, expected) in [(None, ""), (Some(0), ""), (Some(3653), ""), (Some(3654), more), (Some(u16::MAX), more)] {
        assert_eq!(told_of(|all| all.history_days_max = days), expected, "{days:?}");
    }
}

#[test]
fn addresses_are_https_or_this_machine_and_nothing_but_an_address() {
    for (address, right) in [
        ("https://lettings.example/apply", true),
        ("https://localhost/apply", true),
        ("http://localhost:8080/apply", true),
        ("http://127.0.0.2/apply", true),
        ("http://[::1]/apply", true),
        ("http://lettings.example/apply", false),
        ("http://128.0.0.1/apply", false),
        ("http://[::2]/apply", false),
        ("ftp://localhost/apply", false),
        ("mailto:data@lettings.example", false),
        ("https://me@lettings.example/", false),
        ("https://:secret@lettings.example/", false),
        ("https://lettings.example/?a", false),
        ("https://lettings.example/#a", false),
    ] {
        let url: Url = address.parse().unwrap();
        let of = |field: &str| match right {
            true => String::new(),
            false => format!("{field} must be an https address without user name, query or fragment"),
        };
        assert_eq!(told(|all| all.events = Some(url.clone())), of("events"), "{address}");
        assert_eq!(told(|all| all.callbacks = vec![url.clone()]), of("callbacks"), "{address}");
    }
}

#[test]
fn a_person_is_sent_back_to_a_registered_place_or_below_it() {
    let registration =
        Registration { callbacks: vec!["https://lettings.example/apply/".parse().unwrap()], ..registration() };
    let lettings = OnlineService::register(registration, crate::jose::tests::recipient()).unwrap();
    for (url, right) in [
        ("https://lettings.example/apply", true),
        ("https://lettings.example/apply/", true),
        ("https://lettings.example/apply/done?a=b#c", true),
        ("https://lettings.example/applying", false),
        ("https://lettings.example/", false),
        ("https://lettings.example/apply/../other", false),
        ("http://lettings.example/apply", false),
        ("https://lettings.example:8443/apply", false),
        ("https://other.example/apply", false),
        ("https://me@lettings.example/apply", false),
        ("https://:secret@lettings.example/apply", false),
    ] {
        assert_eq!(lettings.may_call_back(&url.parse().unwrap()), right, "{url}");
    }
}

#[test]
fn a_registration_is_what_was_registered() {
    let events: Url = "https://lettings.example/events".parse().unwrap();
    let bearer = Some(KeyHash::of("the key"));
    let commitment = Some(Commitment::new(id(1), "Ada Martin", crate::fixtures::now()));
    let partner = Partner { commitment, ..Partner::default() };
    let registration = Registration { events: Some(events.clone()), bearer, partner, ..registration() };
    let lettings = OnlineService::register(registration, crate::jose::tests::recipient()).unwrap();
    assert_eq!((lettings.id(), lettings.name(), lettings.contact()), (id(1), "Lettings", "data@lettings.example"));
    assert_eq!((lettings.role(), lettings.events()), (Role::Joint, Some(&events)));
    assert_eq!((lettings.purposes().len(), lettings.purpose("check")), (1, Some(&purpose())));
    assert_eq!(lettings.purpose("other"), None);
    assert!(lettings.knows("the key") && !lettings.knows("the kez") && !lettings.knows(""));
    assert_eq!(format!("{lettings:?}"), format!("OnlineService {{ id: {:?}, name: \"Lettings\", .. }}", lettings.id()));
}

#[test]
fn a_hash_knows_its_key_and_is_written_as_hexadecimal() {
    let hash = KeyHash::of("abc");
    let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!((hash.to_hex().as_str(), String::from(hash.clone()).as_str()), (hex, hex));
    assert!(hash.matches("abc") && !hash.matches("abd"));
    assert!(hash.is(&KeyHash::from_hex(&hex.to_uppercase()).unwrap()) && !hash.is(&KeyHash::of("abd")));
    for text in ["", &hex[1..], &format!("{hex}00"), &hex.replace('b', "g")] {
        assert_eq!(KeyHash::try_from(text.to_owned()), Err(NotAHash), "{text}");
    }
    assert_eq!(format!("{hash:?}"), "KeyHash(..)");
}

#[test]
fn a_category_that_no_declared_need_explains_is_not_asked_for() {
    let ask = |names: &[&str]| {
        told_of(|all| all.categories = names.iter().map(|name| (category(name), both("to see."))).collect())
    };
    assert_eq!(ask(&["person.name", "person.email"]), "");
    assert!(ask(&["person.name", "bank.transaction"]).contains("asks for bank.transaction"));
    assert!(told_of(|all| all.needs.clear()).contains("asks for person.name"));
}

#[test]
fn no_key_works_before_the_code_of_trust_is_signed_and_no_address_leads_elsewhere() {
    let identity = || Identity {
        legal_name: "Lettings Ltd".to_owned(),
        registered: "RCS Nanterre 123 456 789".to_owned(),
        address: "1 rue Exemple, 92000 Nanterre".to_owned(),
        country: "FR".to_owned(),
    };
    let register = |commitment| {
        let partner = Partner { commitment, ..Partner::default() };
        let registration = Registration { bearer: Some(KeyHash::of("key")), partner, ..registration() };
        OnlineService::register(registration, crate::jose::tests::recipient()).unwrap()
    };
    assert!(!register(None).knows("key"));
    let signed = register(Some(Commitment::new(id(1), "Ada Martin", crate::fixtures::now())));
    assert!(signed.knows("key") && !signed.knows("another"));
    let at = |host: &str| {
        told(|all| {
            all.partner = Partner { identity: Some(identity()), hosts: vec![host.to_owned()], ..Partner::default() };
            all.events = Some("https://lettings.example/events".parse().unwrap());
        })
    };
    assert_eq!(at("lettings.example"), "");
    assert_eq!(at("other.example"), "events names lettings.example, which is not among the Online Service's hosts");
}
