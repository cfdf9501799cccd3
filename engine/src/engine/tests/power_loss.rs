//! The machine loses its power after any call that whole collections made on the disk: the engine starts, every share that was
//! confirmed is there to be fetched and is delivered once, and no value of a person is in any file.

use super::*;
use crate::fixtures::disk::{Disk, Recorded, lose_power, record};

const CHILD: &str = "engine::tests::power_loss::shares_that_are_recorded";
const SHARES: usize = 6;
/// As many as the project's goals name.
const LOSSES: usize = 50;
/// What the items say, and nothing else does.
const VALUES: [&str; 2] = ["Martin-of-the-canaries", "rent-for-the-canaries"];

async fn engine(folder: &Path) -> Result<World, crate::engine::BuildError> {
    let clock = Arc::new(ManualClock::new(now()));
    // The key file loses its power, too.
    let keys = crate::keys::software::tests::keys_in(folder);
    let builder = builder(hollow_connector(), &clock).keys(keys).store(folder.join("data"));
    Ok(World { engine: builder.build().await?, clock })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs only as the child of the test below"]
async fn shares_that_are_recorded() {
    let Some(mut recorded) = Recorded::child() else { return };
    let world = engine(&recorded.folder).await.unwrap();
    for number in 0..SHARES {
        recorded.begin();
        let session = world.session().await;
        world.review_of(&session, vec![name_item(VALUES[0]), transaction_item(VALUES[1], -90_000)]).await;
        let parcel = world.parcel(&session).await;
        // Each third is delivered at once.
        if number % 3 == 2 {
            world.deliver(parcel).await;
        }
        recorded.acknowledged();
    }
}

/// Starts on what is left, and says what is wrong with it.
async fn wrong(folder: &Path, begun: usize, acknowledged: usize) -> Option<String> {
    let world = match engine(folder).await {
        Ok(world) => world,
        Err(error) => return Some(format!("it does not start: {}", crate::causes::chain(&error))),
    };
    let waiting: Vec<_> = world.engine.sessions.all().into_iter().filter_map(|session| session.parcel()).collect();
    let delivered = |shares: usize| shares / 3;
    let (least, most) = (acknowledged - delivered(acknowledged), begun - delivered(acknowledged));
    if !(least..=most).contains(&waiting.len()) {
        return Some(format!("{} parcels wait, after {acknowledged} shares of {begun}", waiting.len()));
    }
    for parcel in waiting {
        let Ok(bytes) = world.engine.fetch_parcel(&lender(), parcel).await else {
            return Some(format!("{parcel} was shared, and is not there"));
        };
        if let Err(error) = world.engine.acknowledge(&lender(), parcel, Digest::of(&bytes)).await {
            return Some(format!("{parcel} is not delivered: {error:?}"));
        }
        if world.engine.fetch_parcel(&lender(), parcel).await.is_ok() {
            return Some(format!("{parcel} is given out after its end"));
        }
    }
    let found = crate::canary::search(folder, &VALUES).unwrap().found;
    (!found.is_empty()).then(|| format!("values of a person are in {found:?}"))
}

#[test]
fn a_share_that_was_confirmed_survives_fifty_losses_of_power() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let calls = record(CHILD, &[]);
    let wrong = lose_power(Disk::default(), &calls, LOSSES, |folder, begun, acknowledged| {
        runtime.block_on(wrong(folder, begun, acknowledged))
    });
    println!("{LOSSES} losses of power in {} calls, {} went wrong", calls.len(), wrong.len());
    assert!(wrong.is_empty(), "{} of {LOSSES}:\n{}", wrong.len(), wrong.join("\n"));
}
