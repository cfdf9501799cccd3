//! The folder of connectors is looked at beside everything else: what hangs there keeps nothing from being done.

use super::catalogue::Folder;
use super::*;
use crate::collect::signature::Trust;

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_goes_on_while_a_look_at_the_folder_hangs() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever reads the decisions waits for somebody who writes them.
    let decisions = folder.path().join("decisions");
    rustix::fs::mkfifoat(rustix::fs::CWD, &decisions, rustix::fs::Mode::RWXU).unwrap();
    let hangs = Folder { decisions: Some(decisions.clone()), ..Folder::of(folder.path(), Trust::default()) };
    let clock = Arc::new(ManualClock::new(now()));
    let engine = builder(hollow_connector(), &clock).watch(hangs).build().await.unwrap();
    let world = World { engine, clock };
    let waiting = world.agreed().await;
    world.pass(60);
    let mut swept = vec![];
    for _ in 0..2 {
        swept.push(tokio::time::timeout(Duration::from_secs(20), world.engine.sweep()).await.is_ok());
    }
    // Lets whoever reads there go.
    while world.engine.connectors.looking.try_lock().is_err() {
        drop(std::fs::OpenOptions::new().read(true).write(true).open(&decisions).unwrap());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(swept, [true, true]);
    assert_eq!(waiting.state(), State::Expired);
}
