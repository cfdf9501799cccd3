//! What the tape of a collection that goes well costs: the same collection with it and without it.

use std::sync::Arc;

use consentry::collect::Collector;
use consentry_host_api::tape::Recorder;
use consentry_tests::collecting::told;
use sample_bank::SiteState;

use crate::{Bank, COLLECTED, ROUNDS, Times, WARM_UP, collecting, percentile};

pub async fn compare(collector: &Collector) -> anyhow::Result<()> {
    let bank = Bank::in_state(SiteState::Ok)?;
    let [mut taped, mut untaped] = [const { Times::new() }; 2];
    for round in 0..ROUNDS + WARM_UP {
        let recorder = Arc::new(Recorder::default());
        for (times, run) in
            [(&mut untaped, collecting(&bank)), (&mut taped, collecting(&bank).taping(recorder.clone()))]
        {
            let told = told(&times.add(run.collect(collector)).await??);
            anyhow::ensure!(told == COLLECTED, "{told}");
        }
        anyhow::ensure!(recorder.take().is_some(), "there is no tape");
        if round + 1 == WARM_UP {
            [taped, untaped] = [const { Times::new() }; 2];
        }
    }
    for (percent, name) in [(50, "median"), (10, "lowest tenth")] {
        let [taped, untaped] = [&taped, &untaped].map(|times| percentile(&times.cpu, percent));
        let more = (taped / untaped - 1.0) * 100.0;
        println!("CPU of a taped collection, {name}: {taped:.2} ms; without its tape: {untaped:.2} ms; {more:+.1} %");
    }
    Ok(())
}
