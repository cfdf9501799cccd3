//! Whoever runs beside a hostile connector: there is no switch for what protects them, so the attack goes on all the while.

use std::sync::Arc;

use consentry_host_api::stop::StopReason;
use consentry_tests::collecting::{Collecting, Reaction, collector, told};
use sample_bank::{MARIE, SampleBank};

use crate::bank;
use crate::suite::{Came, Coming, HONEST};

fn spinner_at(bank: &SampleBank, mode: &str, aim: &str) -> Collecting {
    let spinner = Collecting::with("probe").unwrap().at(&bank.site_url).wanting(&["person.name"]);
    spinner.field("mode", mode).field("aim", aim).field("login", MARIE.login).field("password", MARIE.password)
}

/// Four of them, on two threads: twice, since there are two ways to spin.
pub fn beside() -> Coming<'static> {
    Box::pin(async move {
        let first = beside_these("spins", "").await;
        if first.harm { first } else { beside_these("spins-between-waits", "3000000").await }
    })
}

fn beside_these(mode: &'static str, aim: &'static str) -> Coming<'static> {
    Box::pin(async move {
        let (collector, bank) = (Arc::new(collector().unwrap()), bank().await);
        let spinners: Vec<_> = (0..4)
            .map(|_| {
                let (spinner, collector) = (spinner_at(&bank, mode, aim), collector.clone());
                (spinner.stopper(), tokio::spawn(async move { spinner.collect(&collector).await.unwrap() }))
            })
            .collect();
        let honest = Collecting::with("sample-bank").unwrap().at(&bank.site_url).answering(|_| Reaction::Expire);
        let honest = honest.field("login", MARIE.login).field("password", MARIE.password).wanting(&["person.name"]);
        let told = told(&honest.collect(&collector).await.unwrap());
        for (stopper, spinner) in spinners {
            assert!(!spinner.is_finished(), "it was to spin all the while");
            stopper.stop(StopReason::Cancelled);
            assert_eq!(consentry_tests::collecting::told(&spinner.await.unwrap()), "cancelled");
        }
        Came { harm: told != HONEST, told, said: String::new() }
    })
}
