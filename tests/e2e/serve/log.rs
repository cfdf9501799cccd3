//! The most verbose log, with the lines of every library that the engine is built of.

use std::collections::BTreeSet;

use consentry::canary;
use consentry_tests::node::Node;
use consentry_tests::service::{BEARER, Service};
use sample_bank::{Change, JULIE, SampleBank};

use super::flow::nothing_of_the_person;
use super::{EVENT, World};
use crate::wire::Wire;

#[tokio::test(flavor = "multi_thread")]
async fn it_holds_no_value_no_cookie_and_no_key() {
    let any = "127.0.0.1:0".parse().unwrap();
    let bank = SampleBank::start(any, any).await.unwrap();
    bank.change(Change { operations: Some([5, 0, 0]), ..Change::default() });
    let wire = Wire::to(&bank.site_url).await;
    let service = Service::new().unwrap();
    let registered = service.registered().unwrap();
    let node = tokio::task::block_in_place(|| Node::start(&wire.url, &registered)).unwrap();
    let mut world = World { bank, service, node };
    let mut told = world.listen().await;
    let (person, mut events, question) = world.asked().await;
    let code = world.answer(&person, &question).await;
    events.until("in-review", EVENT).await.unwrap();
    person.share(&[]).await.unwrap();
    assert!(told.recv().await.unwrap().is_ok());
    events.until("completed", EVENT).await.unwrap();

    // A peer is named by its network. The bank and the engine are at 127.0.0.1 themselves, so somebody asks from elsewhere.
    let elsewhere = reqwest::Client::builder().local_address(Some([127, 9, 8, 7].into())).build().unwrap();
    let refused = elsewhere.post(format!("{}/v1/sessions", world.node.url)).bearer_auth("nobody").send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 401);
    let log = std::fs::read_to_string(world.node.path("stderr")).unwrap();
    let networks: BTreeSet<_> = log.split("network=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(networks, BTreeSet::from(["127.0.0.0/16", "127.9.0.0/16"]));
    assert_eq!(canary::search(&world.node.path(""), &["127.9.8.7"]).unwrap().found, []);

    let cookies = wire.cookies();
    assert!(cookies.iter().any(|cookie| cookie.len() >= 16), "the bank knows its sessions by a cookie");
    let mut values: Vec<&str> = cookies.iter().map(String::as_str).collect();
    values.extend([code.as_str(), person.token(), BEARER]);
    values.extend(JULIE.accounts.iter().map(|account| account.iban));
    nothing_of_the_person(&world, &values);
}
