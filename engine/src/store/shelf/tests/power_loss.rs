//! The machine loses its power after any call that a record, its key, or an erasure made: what was acknowledged is there and
//! opens, what was erased opens never again, also not in what the disk kept from before.

use std::path::Path;

use super::*;
use crate::fixtures::disk::{Disk, Recorded, lose_power, record};

const WRITER: &str = "store::shelf::tests::power_loss::writer_that_is_recorded";
const LOSSES: usize = 40;
const MANY_LOSSES: usize = 2000;
const STEPS: usize = 40;

async fn open(folder: &Path) -> Result<Shelves, StoreError> {
    // The same key file for the child and for whoever checks it: it loses its power, too.
    let keys = crate::keys::software::tests::keys_in(folder);
    let entropy = Arc::new(Entropy::system());
    Shelves::sled(&folder.join("data"), keys, entropy, crate::fixtures::clock()).await
}

/// Step `number` writes one record, and each third step erases the record before.
fn is_erasure(number: usize) -> bool {
    number % 3 == 2
}

fn name(number: usize) -> String {
    format!("n{number}")
}

#[tokio::test]
#[ignore = "runs only as the child of the tests below"]
async fn writer_that_is_recorded() {
    let Some(mut recorded) = Recorded::child() else { return };
    let shelves = open(&recorded.folder).await.unwrap();
    let shelf = shelves.shelf::<R16RightsRequest>();
    for number in 0..STEPS {
        recorded.begin();
        if is_erasure(number) {
            shelf.delete::<Request>(&name(number - 1)).await.unwrap();
            shelves.destroy_due(crate::fixtures::now()).await.unwrap();
        } else {
            let request = Request(name(number));
            shelf.put(&name(number), &request, Expect::Absent, Term::open()).await.unwrap();
        }
        recorded.acknowledged();
    }
}

async fn wrong(folder: &Path, begun: usize, acknowledged: usize) -> Option<String> {
    let shelves = match open(folder).await {
        Ok(shelves) => shelves,
        Err(error) => return Some(format!("it does not open: {error:?}")),
    };
    let shelf = shelves.shelf::<R16RightsRequest>();
    for number in (0..begun).filter(|number| !is_erasure(*number)) {
        let there = match shelf.get::<Request>(&name(number)).await {
            Ok(there) => there.is_some(),
            Err(error) => return Some(format!("{number} can't be read: {error:?}")),
        };
        let (erasing, erased) =
            (is_erasure(number + 1) && number + 1 < begun, is_erasure(number + 1) && number + 1 < acknowledged);
        if erased && there || !erasing && number < acknowledged && !there {
            return Some(format!("{number} is there: {there}, after {acknowledged} of {begun}"));
        }
    }
    let next = shelf.put("next", &Request("next".into()), Expect::Absent, Term::open()).await;
    next.err().map(|error| format!("it does not go on: {error:?}"))
}

fn check(losses: usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let wrong = lose_power(Disk::default(), &record(WRITER, &[]), losses, |folder, begun, acknowledged| {
        runtime.block_on(wrong(folder, begun, acknowledged))
    });
    assert!(wrong.is_empty(), "{} of {losses}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn records_and_their_keys_survive_a_loss_of_power_and_what_was_erased_does_not() {
    check(LOSSES);
}

#[test]
#[ignore = "takes minutes: the same with many more losses of power, to be run by hand after a change of the tables"]
fn records_and_their_keys_survive_many_losses_of_power() {
    check(MANY_LOSSES);
}
