//! `kill -9` at random points of whole collections: nothing acknowledged is lost, nothing is delivered twice, nothing of a person is
//! on the disk, and the engine starts.

use std::collections::BTreeMap;
use std::time::Duration;

use consentry_tests::canary;
use consentry_tests::journey::Journey;
use online_service::receiver::Taken;
use sample_bank::JULIE;

use super::{EVENT, LOGIN, World};

const KILLS: usize = 4;
/// As many as the project's goals name.
const MANY_KILLS: usize = 200;
/// A collection takes about this long, with everything around it.
const COLLECTION_MS: u64 = 4000;

/// Goes through one collection, as far as the engine lives. Says whether the share was confirmed.
async fn go_through(world: &World) -> (Option<Journey>, bool) {
    let Ok(person) = world.service.ask(&world.node).await else { return (None, false) };
    let shared = async {
        let notice = person.choose("sample-bank", "sample-bank").await?;
        person.agree(&notice).await?;
        let mut events = person.events(0).await?;
        person.log_in(&LOGIN).await?;
        events.until("in-review", EVENT).await?;
        person.share(&[]).await
    };
    let is_shared = shared.await.is_ok();
    (Some(person), is_shared)
}

/// Kills the engine so many times. Says in which state each session was found by the next life.
async fn kill(times: usize) -> BTreeMap<String, usize> {
    let mut world = World::new().await;
    let mut found = BTreeMap::new();
    for number in 0..times {
        // Spread over a collection, and not in step with it.
        let after = Duration::from_millis((number as u64 * 1237 + 400) % COLLECTION_MS);
        let process = world.node.process().unwrap();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(after);
            let pid = nix::unistd::Pid::from_raw(i32::try_from(process).unwrap());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        });
        let (person, is_shared) = go_through(&world).await;
        killer.join().unwrap();
        world.kill_and_restart();
        let state = match &person {
            Some(person) => person.status().await.map(|status| status["state"].as_str().unwrap_or_default().to_owned()),
            None => Ok("not begun".to_owned()),
        };
        let state = state.unwrap_or_else(|_| "unknown".to_owned());
        assert!(!is_shared || state == "delivering", "{number}: a share was confirmed, and the session is {state}");
        *found.entry(state).or_default() += 1;
    }
    // Whatever waits is delivered, each parcel once.
    let mut told = world.listen().await;
    let waiting = found.get("delivering").copied().unwrap_or_default();
    let mut received = vec![];
    for _ in 0..waiting {
        if let Ok(Taken::Received(parcel, _)) = consentry_tests::service::next(&mut told, EVENT).await.unwrap() {
            received.push(parcel.id);
        }
    }
    received.sort();
    received.dedup();
    assert_eq!(received.len(), waiting, "{found:?}");
    let values = [JULIE.login, JULIE.password, JULIE.last_name, JULIE.email, JULIE.accounts[0].iban];
    let searched = canary::search(&world.node.path(""), &values).unwrap();
    assert!(searched.files > 3 && searched.bytes > 100_000, "{searched:?}");
    assert_eq!(searched.found, []);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_kills_lose_nothing() {
    println!("{:?}", kill(KILLS).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a quarter of an hour: as many as the project's goals name"]
async fn two_hundred_kills_lose_nothing() {
    // An Online Service has a hundred open sessions here, and many of these stay open.
    for _ in 0..MANY_KILLS / 50 {
        println!("{:?}", kill(50).await);
    }
}
