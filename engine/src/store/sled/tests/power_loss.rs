//! The machine loses its power after any call that the store made: everything acknowledged is there, everything that is there
//! is right, and the store goes on.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::*;
use crate::fixtures::disk::{Call, Disk, Recorded, lose_power, record};

/// The child's test.
const WRITER: &str = "store::sled::tests::power_loss::writer_that_is_recorded";
/// Takes our own sync away from the child.
const WITHOUT_SYNC: &str = "CONSENTRY_TEST_POWER_WITHOUT_SYNC";
/// Says to the child which steps it takes. What sled does depends on what is where in its file.
const SEED: &str = "CONSENTRY_TEST_POWER_SEED";
/// How many losses of power are tried; the test that is run by hand tries many times as many, with other steps each time.
const LOSSES: usize = 60;
const MANY_LOSSES: usize = 150;
const MANY_STEPS: u64 = 40;
/// How many writes the child does, so many at once. It opens the store anew now and then.
const STEPS: usize = 120;
const AT_ONCE: usize = 3;
const STEPS_BETWEEN_STARTS: usize = 24;

/// A write of the child.
struct Step {
    key: String,
    /// None deletes.
    body: Option<Vec<u8>>,
}

/// What the store should hold.
type Model = BTreeMap<String, Vec<u8>>;

/// The same steps for the child and for whoever checks them: small records and large ones, made, changed and deleted.
fn steps(seed: u64) -> Vec<Step> {
    let mut rng = StdRng::seed_from_u64(seed);
    let step = |number: usize| {
        let key = format!("R{}/record/{}", rng.random_range(1..4), rng.random_range(0..5));
        let length = [100, 1000, 20_000, 70_000, 150_000][rng.random_range(0..5)];
        let body = (!rng.random_ratio(1, 5)).then(|| {
            let mut body = vec![0; length];
            rng.fill(body.as_mut_slice());
            body[..8].copy_from_slice(&number.to_le_bytes());
            body
        });
        Step { key, body }
    };
    (0..STEPS).map(step).collect()
}

fn model_after(steps: &[Step]) -> Model {
    let mut model = Model::new();
    for Step { key, body } in steps {
        match body {
            Some(body) => model.insert(key.clone(), body.clone()),
            None => model.remove(key),
        };
    }
    model
}

/// The child: does the steps, and notes beside the store what it begins and what was acknowledged.
#[tokio::test]
#[ignore = "runs only as the child of the tests below"]
async fn writer_that_is_recorded() {
    let Some(mut recorded) = Recorded::child() else { return };
    let folder = recorded.folder.join("store");
    let sync: SyncFile = if std::env::var_os(WITHOUT_SYNC).is_some() { |_| Ok(()) } else { File::sync_all };
    let mut store = None;
    let seed = std::env::var_os(SEED).unwrap().to_str().unwrap().parse().unwrap();
    for (number, steps) in steps(seed).chunks(AT_ONCE).enumerate() {
        if (number * AT_ONCE).is_multiple_of(STEPS_BETWEEN_STARTS) {
            drop(store.take());
        }
        if store.is_none() {
            store = Some(SledStore::open_with(&folder, Fit::Must, 0, sync).await.unwrap());
        }
        let store = store.as_ref().unwrap();
        let writes = steps.iter().map(|Step { key, body }| async move {
            match body {
                Some(body) => put(store, key, body.clone()).await.map(drop).unwrap(),
                None => store.delete(key, Expect::Any).await.unwrap(),
            }
        });
        steps.iter().for_each(|_| recorded.begin());
        // They come in this order, and the later ones share a sync.
        futures_util::future::join_all(writes).await;
        steps.iter().for_each(|_| recorded.acknowledged());
    }
}

/// Opens the store as the power loss left it, and says what is wrong with it.
async fn wrong(folder: &Path, steps: &[Step], begun: usize, acknowledged: usize) -> Option<String> {
    let store = match SledStore::open_with(folder, Fit::Must, 0, File::sync_all).await {
        Ok(store) => store,
        Err(error) => return Some(format!("it does not open: {error:?}")),
    };
    let keys = match store.scan("").await {
        Ok(listed) => listed.into_iter().map(|(key, ..)| key),
        Err(error) => return Some(format!("it lists nothing: {error:?}")),
    };
    let mut found = Model::new();
    for key in keys {
        match store.get(&key).await {
            Ok(Some(entry)) => found.insert(key, entry.body),
            other => return Some(format!("{key} is listed and reads {other:?}")),
        };
    }
    // What was under way may have happened or not.
    let right = (acknowledged..=begun).any(|done| found == model_after(&steps[..done]));
    if !right {
        let wanted = model_after(&steps[..acknowledged]);
        let differs = |key: &&String| found.get(*key) != wanted.get(*key);
        let keys: Vec<_> = found.keys().chain(wanted.keys()).filter(differs).collect();
        return Some(format!("after {acknowledged} acknowledged writes of {begun} these are others: {keys:?}"));
    }
    put(&store, "next", vec![7; 100_000]).await.unwrap();
    drop(store);
    let store = SledStore::open_with(folder, Fit::Must, 0, File::sync_all).await.unwrap();
    let next = store.get("next").await.unwrap().map(|entry| entry.body);
    (next.as_deref() != Some(&[7; 100_000])).then(|| "it does not go on".to_owned())
}

/// Lets the power fail at `losses` places of what the writer does, and tells what went wrong where.
fn losses(disk: Disk, calls: &[Call], seed: u64, losses: usize) -> Vec<String> {
    let (steps, runtime) = (steps(seed), tokio::runtime::Runtime::new().unwrap());
    lose_power(disk, calls, losses, |folder, begun, acknowledged| {
        runtime.block_on(wrong(&folder.join("store"), &steps, begun, acknowledged))
    })
}

fn recorded(seed: u64, other: &[(&str, &str)]) -> Vec<Call> {
    record(WRITER, &[&[(SEED, seed.to_string().as_str())], other].concat())
}

/// sled blanks what the summary before needed as soon as it has written the next: the names come first.
fn summaries_have_durable_names_before_the_data_changes(calls: &[Call]) {
    let is_named = |call: &Call| matches!(call, Call::Rename(_, to) if to.starts_with("store/snap."));
    let named = (0..calls.len()).filter(|at| is_named(&calls[*at]));
    let matters = |call: &&Call| match call {
        Call::Write { path, .. } => path == "store/db",
        Call::Sync(path) => path == "store",
        _ => false,
    };
    let next: Vec<_> = named.filter_map(|at| calls[at..].iter().find(matters)).collect();
    assert!(next.len() >= STEPS / STEPS_BETWEEN_STARTS - 2, "{}", next.len());
    assert!(next.iter().all(|call| matches!(call, Call::Sync(_))));
}

fn check(seed: u64, number: usize) {
    let calls = recorded(seed, &[]);
    let count = |which: fn(&Call) -> bool| calls.iter().filter(|call| which(call)).count();
    let writes = count(|call| matches!(call, Call::Write { .. }));
    let syncs = count(|call| matches!(call, Call::Sync(_)));
    println!("steps {seed}: {} calls, {writes} writes, {syncs} syncs, {number} losses of power", calls.len());
    assert!(syncs > STEPS / AT_ONCE, "{syncs}");
    summaries_have_durable_names_before_the_data_changes(&calls);
    let wrong = losses(Disk::default(), &calls, seed, number);
    assert!(wrong.is_empty(), "steps {seed}, {} of {number}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn whatever_was_acknowledged_survives_a_loss_of_power() {
    check(0, LOSSES);
}

#[test]
#[ignore = "takes minutes: the same with many more losses of power, to be run by hand after a change of the store"]
fn whatever_was_acknowledged_survives_many_losses_of_power() {
    (0..MANY_STEPS).for_each(|seed| check(seed, MANY_LOSSES));
}

#[test]
fn without_our_own_sync_a_loss_of_power_loses_what_was_acknowledged() {
    let wrong = losses(Disk::default(), &recorded(0, &[(WITHOUT_SYNC, "")]), 0, LOSSES / 2);
    assert!(wrong.len() > LOSSES / 8, "sled syncs more than was thought: {wrong:?}");
}

#[test]
fn on_a_disk_that_ignores_syncs_a_loss_of_power_loses_what_was_acknowledged() {
    let wrong = losses(Disk::that_ignores_syncs(), &recorded(0, &[]), 0, LOSSES / 2);
    assert!(wrong.len() > LOSSES / 8, "{wrong:?}");
}
