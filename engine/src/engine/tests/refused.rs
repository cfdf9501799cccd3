//! Logins that are none, a person's word against what goes on at the same moment, and what the log says of a refusal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consentry_contract::failure::{Blame, Code};
use consentry_host_api::ports::Observer as _;

use super::super::ports::Watch;
use super::*;
use crate::api::problem::Problem;

/// The token with one bit of one part flipped.
fn damaged(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&parts[part]).unwrap();
    bytes[0] ^= 1;
    parts[part] = URL_SAFE_NO_PAD.encode(bytes);
    parts.join(".")
}

/// Every way for a login with our key's name to be none.
async fn none(world: &World, session: &Session, which: usize) -> String {
    let good = world.sealed(session.id(), &LOGIN).await;
    match which {
        0 => damaged(&good, 4),
        1 => damaged(&good, 1),
        2 => damaged(&good, 3),
        3 => world.sealed(id(3), &LOGIN).await,
        _ => {
            let key = RecipientKey::from_public(world.engine.intake_keys().await.unwrap().remove(0)).unwrap();
            entropy().with(|rng| jwe::seal(b"no fields", jwe::Content::Plain, &key, rng)).unwrap()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_none_is_refused_alike_and_another_may_be_given() {
    let world = world().await;
    let mut seen = vec![];
    for which in 0..5 {
        let session = world.agreed().await;
        let none = none(&world, &session, which).await;
        let error = world.engine.open_login(&session, &none, NAVIGATION).await.unwrap_err();
        let problem = Problem::from(error);
        assert_eq!((problem.status, problem.failure.as_ref().unwrap().blame), (400, Blame::Person), "{problem:?}");
        assert_eq!(session.state(), State::AwaitingCredentials { rejected: 1 }, "{which}");
        let receipts = world.receipts(&session).await;
        assert_eq!(receipts[0].code.as_deref(), Some("decrypt-failed"), "a grant was used");
        let told: Vec<String> = {
            let mut reader = session.subscribe(0);
            session.close();
            let mut told = vec![];
            while let Some(event) = reader.next().await {
                if let What::State { .. } = event.what {
                    told.push(serde_json::to_string(&event.what).unwrap());
                }
            }
            told
        };
        seen.push((serde_json::to_string(&problem).unwrap(), told, events(&receipts[0])));

        let good = world.sealed(session.id(), &LOGIN).await;
        world.engine.open_login(&session, &good, NAVIGATION).await.unwrap();
    }
    assert!(seen.iter().all(|each| *each == seen[0]), "{seen:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_login_that_is_none_ends_it_and_the_platform_is_not_to_blame() {
    let world = world().await;
    let session = world.agreed().await;
    for which in 0..3 {
        let none = none(&world, &session, which).await;
        assert!(world.engine.open_login(&session, &none, NAVIGATION).await.is_err());
    }
    assert_eq!(session.state(), State::Failed { code: Code::DecryptFailed });
    assert_eq!(session.failure().unwrap().blame, Blame::Person);
    assert_eq!(session.receipts().len(), 3);
    let consent = world.engine.consents.record(session.consent().unwrap()).await.unwrap();
    assert_eq!(consent.logins_opened(), 3, "each used up its grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_login_by_its_look_uses_nothing_up() {
    let world = world().await;
    let session = world.agreed().await;
    let good = world.sealed(session.id(), &LOGIN).await;
    let (header, rest) = good.split_once('.').unwrap();
    let other = String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap().replace("A256GCM", "A128GCM");
    for none in [String::new(), "a.b.c.d.e".to_owned(), format!("{}.{rest}", URL_SAFE_NO_PAD.encode(other))] {
        assert!(matches!(world.engine.open_login(&session, &none, NAVIGATION).await, Err(EngineError::Sealed)));
    }
    assert_eq!(session.state(), State::AwaitingCredentials { rejected: 0 });
    assert!(session.receipts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_meets_a_share_or_a_login_is_a_withdrawal() {
    let world = world().await;
    // The record says so, and the session has not followed yet: whoever comes now ends it as what it is.
    let session = world.in_review().await;
    world.engine.consents.withdraw(session.consent().unwrap(), world.clock.now()).await.unwrap();
    assert!(world.engine.share(&session, &Decision::all()).await.is_err());
    assert_eq!(session.state(), State::Withdrawn);
    assert_eq!(world.receipts(&session).await[0].outcome, "withdrawn");
    world.engine.withdraw(&session).await.unwrap();

    for round in 0..60 {
        let session = world.in_review().await;
        let (engine, shared) = (world.engine.clone(), session.clone());
        let share = tokio::spawn(async move {
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
            engine.share(&shared, &Decision::all()).await
        });
        for _ in 0..round / 7 {
            tokio::task::yield_now().await;
        }
        let withdrawal = world.engine.withdraw(&session).await.unwrap();
        assert_eq!((withdrawal.sending, withdrawal.noted), (None, true));
        let parcel = share.await.unwrap().ok();
        assert_eq!(session.state(), State::Withdrawn, "{round}: {parcel:?}");
        states(&session).await;
        let receipt = world.receipts(&session).await.pop().unwrap();
        assert_eq!(receipt.outcome, "withdrawn", "{round}");
        if let Some(parcel) = parcel.or(receipt.parcel.map(|parcel| parcel.id)) {
            assert!(world.engine.fetch_parcel(&lender(), parcel).await.is_err());
            assert!(!world.engine.outbox.holds(parcel).await.unwrap());
        }

        let session = world.agreed().await;
        let sealed = world.sealed(session.id(), &LOGIN).await;
        let (engine, opened) = (world.engine.clone(), session.clone());
        let login = tokio::spawn(async move { engine.open_login(&opened, &sealed, NAVIGATION).await.is_ok() });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        world.engine.withdraw(&session).await.unwrap();
        let opened = login.await.unwrap();
        // A connector that fails by itself may have been faster.
        let failed = opened && matches!(session.state(), State::Failed { .. });
        assert!(session.state() == State::Withdrawn || failed, "{round}: {:?}", session.state());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_that_meets_a_yes_ends_it_whichever_was_faster() {
    let world = world().await;
    for _ in 0..20 {
        let session = world.session().await;
        let notice = world.engine.choose_source(&session, "sample-bank", "sample-bank").await.unwrap();
        let all = notice.facts().asked.iter().map(|asked| asked.category).collect();
        let (engine, given) = (world.engine.clone(), session.clone());
        let yes = tokio::spawn(async move { engine.give_consent(&given, &notice.digest(), &all).await.is_ok() });
        world.engine.withdraw(&session).await.unwrap();
        yes.await.unwrap();
        assert_eq!(session.state(), State::Withdrawn);
        let record = world.engine.consents.record(session.consent().unwrap()).await.unwrap();
        assert!(matches!(record.status(), Status::Withdrawn | Status::Refused), "{:?}", record.status());
        world.engine.withdraw(&session).await.unwrap();
    }
}

/// What a connector asks for may be what it has read.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_in_its_own_words_in_development_only() {
    let world = world().await;
    let text = "https://marie-dupont.example is not a declared origin";
    for development in [true, false] {
        let watch = Watch {
            session: world.session().await,
            clock: world.clock.clone(),
            run: id(1),
            connector: "probe".to_owned(),
            development,
        };
        let mut log = tempfile::NamedTempFile::new().unwrap();
        let subscriber = tracing_subscriber::fmt().with_writer(Arc::new(log.reopen().unwrap())).finish();
        tracing::subscriber::with_default(subscriber, || {
            watch.refused(Code::CapabilityDenied, text);
            watch.log("info", text);
        });
        let mut told = String::new();
        std::io::Read::read_to_string(&mut log, &mut told).unwrap();
        assert!(told.contains("capability-denied") && told.contains("probe"), "{told}");
        assert_eq!(told.contains("marie"), development, "{told}");
    }
}
