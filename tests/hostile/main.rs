//! The attack suite: hostile connectors and hostile sites against the real sandbox. Each attack has a name, an expected verdict and a row in
//! `SECURITY.md`; each is run a second time without what stops it, and must succeed then.
#![expect(clippy::unwrap_used, reason = "a test that can not go on fails where it stands")]

mod suite;

mod reading;
mod browsing;
mod escaping;
mod starving;
mod crossing;
mod lying;
mod remaining;
mod listed;

mod cache;
mod compiler;
mod echoes;
mod evil;
mod limits;
mod neighbours;
mod pool;
mod raw;
mod switchless;

use sample_bank::SampleBank;

async fn bank() -> SampleBank {
    let any = "127.0.0.1:0".parse().unwrap();
    SampleBank::start(any, any).await.unwrap()
}
