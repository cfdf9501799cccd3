//! `kill -9` at random points of whole collections: nothing acknowledged is lost, nothing is delivered twice, nothing of a person is
//! on the disk, and the engine starts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use consentry_tests::canary;
use consentry_tests::journey::Journey;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sample_bank::JULIE;

use super::{EVENT, LOGIN, World};

const KILLS: usize = 4;
/// As many as the project's goals name.
const MANY_KILLS: usize = 200;
/// Of so many at the most there is one world: an Online Service has a hundred open sessions, and many of these stay open.
const IN_ONE_WORLD: usize = 50;
/// A seed that was printed by a run before, to kill at the same points again.
const SEED: Option<u64> = None;

/// Longest wait until a parcel is told again: the first rests are a minute or two apart.
const TOLD_AGAIN: Duration = Duration::from_secs(600);

/// One person's way, as far as the engine lives: the session, its consent once the person has given it, and whether the share was
/// confirmed.
#[derive(Default)]
struct Way {
    person: Option<Journey>,
    consent: Option<String>,
    is_shared: bool,
}

impl Way {
    async fn go(&mut self, world: &World) -> anyhow::Result<()> {
        let person = self.person.insert(world.service.ask(&world.node).await?);
        let notice = person.choose("sample-bank", "sample-bank").await?;
        person.agree(&notice).await?;
        let session = person.call(reqwest::Method::GET, "", None).await?.good()?;
        self.consent = session["consent"].as_str().map(str::to_owned);
        let mut events = person.events().await?;
        person.log_in(&LOGIN).await?;
        events.until("in-review", EVENT).await?;
        person.share(&[]).await?;
        self.is_shared = true;
        // Until it is delivered: that is a part of it.
        events.until("completed", EVENT).await.map(drop)
    }
}

/// Kills the engine so many times. Says in which state each session was found by the next life.
async fn kill(times: usize) -> BTreeMap<String, usize> {
    let seed = SEED.unwrap_or_else(rand::random);
    println!("seed {seed}");
    let mut points = StdRng::seed_from_u64(seed);
    let mut world = World::new().await;
    let mut heard = world.listen().await;
    // Whoever listens goes on listening while the engine dies.
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move { while heard.recv().await.is_some_and(|_| tell.send(()).is_ok()) {} });
    let (mut found, mut confirmed) = (BTreeMap::new(), BTreeSet::new());
    let begun = Instant::now();
    let mut first = Way::default();
    first.go(&world).await.unwrap();
    confirmed.insert(first.consent.unwrap());
    let mut whole = begun.elapsed();
    for number in 0..times {
        let after = whole.mul_f64(points.random_range(0.0..1.0));
        let process = world.node.process().unwrap();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(after);
            let pid = nix::unistd::Pid::from_raw(i32::try_from(process).unwrap());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        });
        let (mut way, begun) = (Way::default(), Instant::now());
        if way.go(&world).await.is_ok() {
            // It was faster than the one before.
            whole = begun.elapsed();
        }
        killer.join().unwrap();
        tokio::task::block_in_place(|| world.node.kill()).unwrap();
        nothing_of_the_person(&world, number);
        tokio::task::block_in_place(|| world.node.serve()).unwrap();
        if way.is_shared {
            confirmed.insert(way.consent.clone().unwrap());
        }
        let state = match &way.person {
            Some(person) => person.status().await.map(|status| status["state"].as_str().unwrap_or_default().to_owned()),
            None => Ok("not begun".to_owned()),
        };
        // A session that is over is forgotten with the process.
        let state = state.unwrap_or_else(|_| "over".to_owned());
        let stands = ["delivering", "completed", "over"].contains(&state.as_str());
        assert!(!way.is_shared || stands, "{number}: a share was confirmed, and the session is {state}");
        *found.entry(state).or_default() += 1;
    }
    // Every share that was confirmed arrives, and each once, however often it was told.
    let inbox = world.service.inbox().unwrap();
    let arrived = || -> BTreeSet<String> {
        let parcels = inbox.list().unwrap();
        let consent = |parcel: &String| inbox.read(parcel).unwrap()["consent"].as_str().unwrap().to_owned();
        let consents: BTreeSet<String> = parcels.iter().map(consent).collect();
        assert_eq!(consents.len(), parcels.len(), "a share was delivered twice");
        consents
    };
    while !confirmed.is_subset(&arrived()) {
        let lost =
            || format!("{} of {} shares never arrived", confirmed.difference(&arrived()).count(), confirmed.len());
        let told = tokio::time::timeout(TOLD_AGAIN, told.recv()).await.unwrap_or_else(|_| panic!("{}", lost()));
        assert!(told.is_some(), "nobody listens any more");
    }
    println!("{} shares confirmed, {} arrived", confirmed.len(), arrived().len());
    nothing_of_the_person(&world, times);
    found
}

/// Looks through every file of the node, as it lies there after a kill.
fn nothing_of_the_person(world: &World, kills: usize) {
    let values = [JULIE.login, JULIE.password, JULIE.last_name, JULIE.email, JULIE.accounts[0].iban];
    let searched = canary::search(&world.node.path(""), &values).unwrap();
    assert!(searched.files > 3 && searched.bytes > 100_000, "{kills}: {searched:?}");
    assert_eq!(searched.found, [], "after {kills} kills");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_kills_lose_nothing() {
    println!("{:?}", kill(KILLS).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a quarter of an hour: as many as the project's goals name"]
async fn two_hundred_kills_lose_nothing() {
    for _ in 0..MANY_KILLS / IN_ONE_WORLD {
        println!("{:?}", kill(IN_ONE_WORLD).await);
    }
}
