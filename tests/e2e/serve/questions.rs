//! Questions that are answered in the engine: whether the account's holder is the one who applies, for one. The person said that they may use
//! the account; the answer backs that up, and the holder's name itself goes nowhere.

use consentry_tests::journey::{Journey, client, send};
use consentry_tests::service::{BEARER, next};
use online_service::inbox::Kept;
use online_service::receiver::Taken;
use reqwest::{Method, StatusCode};
use sample_bank::{Change, JULIE};
use serde_json::{Value, json};

use super::{EVENT, LOGIN, World};

const REGISTERED: &str = "
[online-service.purpose.predicates]
holder-matches = { en = \"to see that the account is yours.\", fr = \"pour voir que le compte est le vôtre.\" }
";

/// A node that may answer for the Online Service whether a name is the holder's.
async fn world() -> World {
    let mut world = World::prepared().await;
    world.bank.change(Change { operations: Some([2, 0, 0]), ..Change::default() });
    let path = world.node.path("consentry.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config + REGISTERED).unwrap();
    tokio::task::block_in_place(|| world.node.serve()).unwrap();
    world
}

async fn asked(world: &World, name: &str) -> Journey {
    let request = json!({ "purpose": "tenant-check", "categories": ["person.email"], "predicates": [format!("holder-matches({name})")] });
    let made = client().unwrap().post(format!("{}/v1/sessions", world.node.url)).bearer_auth(BEARER);
    let made = made.header("content-type", "application/json").body(request.to_string());
    let made = send(made).await.unwrap().good().unwrap();
    Journey::new(&world.node.url, made["session"].as_str().unwrap(), made["token"].as_str().unwrap()).unwrap()
}

fn yes(notice: &Value, attests: bool) -> Value {
    json!({
        "decision": "given", "notice": notice["digest"], "categories": ["person.email"], "predicates": ["holder-matches"],
        "attests_access": attests,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holders_name_is_compared_here_and_backs_up_what_the_person_says() {
    let mut world = world().await;
    let mut told = world.listen().await;
    for (name, is_theirs) in
        [(format!("{} {}", JULIE.first_names, JULIE.last_name), true), ("Paul Durand".to_owned(), false)]
    {
        let person = asked(&world, &name).await;
        let notice = person.choose("sample-bank", "sample-bank").await.unwrap();
        assert_eq!(notice["facts"]["predicates"][0]["predicate"], "holder-matches", "{notice}");
        assert!(!notice.to_string().contains(&name), "a notice is kept, and this is personal: {notice}");
        // Nobody gives a login who did not say that they may use the account.
        let unsaid = person.call(Method::POST, "consent", Some(yes(&notice, false))).await.unwrap();
        assert!(unsaid.status.is_client_error(), "{unsaid:?}");
        let early = person.seal(None, &LOGIN).await.unwrap();
        let early = person.call(Method::POST, "credentials", Some(early.into())).await.unwrap();
        assert_eq!(early.status, StatusCode::CONFLICT, "{early:?}");
        person.call(Method::POST, "consent", Some(yes(&notice, true))).await.unwrap().good().unwrap();
        let mut events = person.events().await.unwrap();
        person.log_in(&LOGIN).await.unwrap();
        if !is_theirs {
            // In somebody else's name: nothing is shown to whoever signed in, and nothing is handed over.
            events.until("failed", EVENT).await.unwrap();
            assert_eq!(person.status().await.unwrap()["code"], "subject-mismatch");
            assert!(person.preview().await.is_err());
            let receipt = world.service.receipts(&world.node, &person).await.unwrap().remove(0);
            assert_eq!((receipt.outcome.as_str(), receipt.code.as_deref()), ("failed", Some("subject-mismatch")));
            assert!(receipt.parcel.is_none() && receipt.categories.iter().all(|each| each.shared == 0));
            continue;
        }
        events.until("in-review", EVENT).await.unwrap();
        // The person sees the answer first, and what it was made of is gone.
        let preview = person.preview().await.unwrap();
        let answer = json!([{ "predicate": "holder-matches", "holds": true }]);
        assert_eq!(preview["predicates"], answer, "{preview}");
        assert!(!preview["items"].to_string().contains("bank.account"), "{preview}");
        person.share(&[]).await.unwrap();
        let taken = next(&mut told, EVENT).await.unwrap();
        let Ok(Taken::Received(parcel, Kept::New)) = taken else { panic!("not received") };
        assert_eq!(parcel.content["predicates"], answer, "{}", parcel.content);
        let content = parcel.content.to_string();
        assert!(
            content.contains(JULIE.email) && !content.contains("FR76") && !content.contains(JULIE.last_name),
            "{content}"
        );
        events.until("completed", EVENT).await.unwrap();
    }
    let log = std::fs::read_to_string(world.node.path("stderr")).unwrap();
    assert!(!log.contains("Durand") && !log.contains(JULIE.last_name), "a name stands in the log");
}
