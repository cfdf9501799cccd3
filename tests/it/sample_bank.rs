//! Every state of the sample bank, and what a collection makes of it. The states are set while the connector stays as it is.

use consentry_tests::collecting::{Collecting, Reaction, collector, told};
use sample_bank::{MARIE, SampleBank, SiteState};

async fn check(state: SiteState, expected: &str) {
    let bank = SampleBank::start("127.0.0.1:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    bank.set_state(state);
    let collecting = Collecting::with("sample-bank").unwrap().at(&bank.site_url).field("login", MARIE.login).field("password", MARIE.password);
    let collection = collecting.answering(|_| Reaction::Expire).collect(&collector().unwrap()).await.unwrap();
    assert_eq!(told(&collection), expected, "{:?}", collection.trace);
}

#[tokio::test(flavor = "multi_thread")]
async fn ok() {
    check(SiteState::Ok, "").await;
}
