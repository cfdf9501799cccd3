//! Data Sources that are bound to fail here: it is said when they are chosen, and no login is opened.

use super::doors::MANIFEST;
use super::*;
use crate::api::problem::Problem;
use crate::fixtures::{damaged_connector, hollow_connector_with};

const OPERATOR: &str = r#"
[[operator]]
name = "client-id"
[[operator.sink]]
request = "POST {base}/token"
slot = "form:client_id"
recipe = "raw"
max = 1
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_connector_is_told_when_its_source_is_chosen() {
    let clock = Arc::new(ManualClock::new(now()));
    let engine = builder(damaged_connector(), &clock).build().await.unwrap();
    let world = World { engine, clock };
    let session = world.session().await;
    let error = world.engine.choose_source(&session, "sample-bank", "sample-bank").await.unwrap_err();
    assert_eq!((error.code(), session.state()), (Code::IncompatibleWorld, State::Requested), "{error}");
    assert_eq!(session.consent(), None, "nobody was asked for a consent that leads nowhere");
    let problem = Problem::from(error);
    assert_eq!((problem.status, problem.kind.as_str()), (503, "urn:consentry:failure:incompatible-world"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lacks_its_secret_since_it_was_chosen_uses_no_grant_up() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let lacking = hollow_connector_with(&format!("{MANIFEST}{OPERATOR}"));
    let secret = |builder: Builder| builder.secret("sample-bank", "sample-bank", "client-id", b"x".to_vec().into());
    let keys = crate::keys::software::tests::keys();
    let start = |builder: Builder| builder.keys(keys.clone()).store(folder.path().to_owned()).build();
    let world = World { engine: start(secret(builder(lacking.clone(), &clock))).await.unwrap(), clock: clock.clone() };
    let session = world.agreed().await.id();
    drop(world);

    let world = World { engine: start(builder(lacking, &clock)).await.unwrap(), clock };
    let session = world.engine.session(session).unwrap();
    let sealed = world.sealed(session.id(), &LOGIN).await;
    let error = world.engine.open_login(&session, &sealed, NAVIGATION).await.unwrap_err();
    assert_eq!(error.code(), Code::OperatorRejected);
    assert_eq!(session.state(), State::Failed { code: Code::OperatorRejected });
    assert!(session.receipts().is_empty(), "nothing was opened");
    let consent = world.engine.consents.record(session.consent().unwrap()).await.unwrap();
    assert_eq!(consent.logins_opened(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_secret_that_is_not_set_is_named_when_its_source_is_chosen() {
    let clock = Arc::new(ManualClock::new(now()));
    let builder = builder(hollow_connector_with(&format!("{MANIFEST}{OPERATOR}")), &clock);
    let engine = builder.build().await.unwrap();
    let world = World { engine, clock };
    let session = world.session().await;
    let error = world.engine.choose_source(&session, "sample-bank", "sample-bank").await.unwrap_err();
    for told in ["client-id", "secret-files", r#"connector = "sample-bank""#, r#"id = "sample-bank""#] {
        assert!(error.to_string().contains(told), "{error}");
    }
    assert_eq!(session.state(), State::Requested, "another one can be chosen");
    let problem = Problem::from(error);
    assert_eq!((problem.status, problem.kind.as_str()), (503, "urn:consentry:failure:operator-rejected"));
    assert!(problem.detail.is_none() && problem.failure.is_some());
}
