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
    // Lets whoever reads there go: opening waits for the reader, and closing is the end of what it reads.
    let opened = tokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(decisions));
    drop(tokio::time::timeout(Duration::from_secs(20), opened).await.unwrap().unwrap().unwrap());
    let looked = tokio::time::timeout(Duration::from_secs(20), world.engine.connectors.looking.lock()).await;
    assert!(looked.is_ok(), "the look comes to an end");
    assert_eq!(swept, [true, true]);
    assert_eq!(waiting.state(), State::Expired);
}
