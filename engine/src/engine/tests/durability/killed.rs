//! The machine dies at every durable operation of every flow, just before it and just after it, and once more while the
//! next life takes up what it left.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::session::row::SessionRows;

/// What people do. Between them, each stage of a session meets many different operations.
const FLOWS: [Flow; 17] = [
    FLOW,
    Flow { name: "another source is chosen", second_thoughts: 1, from: "awaiting-consent", ..FLOW },
    Flow {
        name: "a login that does not fit, a one-time password, less is shared, two fetches",
        from: "awaiting-credentials",
        misfit: true,
        asks: true,
        leaves_out: true,
        told: true,
        fetches: 2,
        ..FLOW
    },
    Flow { name: "something is missing", from: "in-review", shortfall: true, ..FLOW },
    Flow { name: "the connector crashes", from: "awaiting-credentials", crashes: true, ..FLOW },
    Flow { name: "refused", from: "awaiting-consent", stop: withdrawn("awaiting-consent"), ..FLOW },
    Flow {
        name: "withdrawn before the login",
        from: "awaiting-credentials",
        stop: withdrawn("awaiting-credentials"),
        ..FLOW
    },
    Flow { name: "withdrawn while the connector works", from: "collecting", stop: withdrawn("collecting"), ..FLOW },
    Flow {
        name: "withdrawn instead of an answer",
        from: "awaiting-person",
        asks: true,
        stop: withdrawn("awaiting-person"),
        ..FLOW
    },
    Flow { name: "withdrawn in review", from: "in-review", stop: withdrawn("in-review"), ..FLOW },
    Flow { name: "withdrawn before the fetch", from: "delivering", stop: withdrawn("delivering"), ..FLOW },
    Flow { name: "withdrawn after the fetch", from: "fetched", stop: withdrawn("fetched"), ..FLOW },
    Flow {
        name: "the hour passes before the login",
        from: "awaiting-credentials",
        stop: late("awaiting-credentials"),
        ..FLOW
    },
    Flow {
        name: "the hour passes instead of an answer",
        from: "awaiting-person",
        asks: true,
        stop: late("awaiting-person"),
        ..FLOW
    },
    Flow { name: "the hour passes in review", from: "in-review", stop: late("in-review"), ..FLOW },
    Flow { name: "the hour passes before the fetch", from: "delivering", stop: late("delivering"), ..FLOW },
    Flow { name: "the hour passes after the fetch", from: "fetched", stop: late("fetched"), ..FLOW },
];

const fn withdrawn(at: &'static str) -> Option<(&'static str, Stop)> {
    Some((at, Stop::Withdrawal))
}

const fn late(at: &'static str) -> Option<(&'static str, Stop)> {
    Some((at, Stop::Hour))
}

/// One flow over one store that outlives its engines.
struct Lives<'a> {
    flow: &'a Flow,
    fault: Fault,
    below: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    keys: Arc<CountingKeys>,
    outside: Outside,
    deaths: AtomicUsize,
    /// A death met what is in memory only: the run may be lost.
    lost: AtomicBool,
}

impl<'a> Lives<'a> {
    fn new(flow: &'a Flow, fault: Fault, keys: &Arc<dyn KeyProvider>) -> Self {
        Self {
            flow,
            fault,
            below: memory(),
            clock: Arc::new(ManualClock::new(now())),
            keys: CountingKeys::over(keys),
            outside: Outside::default(),
            deaths: AtomicUsize::default(),
            lost: AtomicBool::default(),
        }
    }

    fn keys(&self) -> Arc<dyn KeyProvider> {
        self.keys.clone()
    }

    /// One life, to its death or to the flow's end. Says in which stage it died.
    fn live(&self, store: &Arc<Faulty>) -> Option<Stage> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let died = runtime.block_on(async {
            let life = async {
                let world = world_over(store, &self.clock, &self.keys()).await;
                self.outside.drive(&world, self.flow).await.unwrap()
            };
            tokio::select! {
                biased;
                () = store.died() => true,
                _ = life => false,
            }
        });
        runtime.shutdown_background();
        self.outside.read_receipts();
        died.then(|| self.note_death())
    }

    fn note_death(&self) -> Stage {
        let stage = self.outside.stage();
        // A copy: what looks here finishes what the death cut off, which is for the next life to do.
        let healthy = Faulty::new(self.below.copy(), Fault::Dead, usize::MAX);
        let rows = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let keys: Arc<dyn KeyProvider> = self.keys.to_look();
            let shelves = shelves_over(&healthy, &keys, &entropy(), &self.clock).await;
            SessionRows::new(shelves.shelf(), "desk").all().await
        });
        let open = rows.unwrap().iter().any(|row| row.state.is_open_run());
        self.lost.fetch_or(open || matches!(stage, Stage::Collecting | Stage::InReview), Ordering::SeqCst);
        self.deaths.fetch_add(1, Ordering::SeqCst);
        stage
    }

    /// The life that dies `at` operations after the moment where the flow's deaths begin. Says in which stage.
    fn die(&self, at: usize) -> Option<Stage> {
        let store = Faulty::new(self.below.clone(), self.fault, usize::MAX);
        self.outside.arm(&store, at);
        self.live(&store)
    }

    /// The next life, which dies at its own operation `at`. Says in which stage.
    fn die_again(&self, at: usize) -> Option<Stage> {
        self.live(&Faulty::new(self.below.clone(), self.fault, at))
    }

    /// The last life goes on to the end, and everything is as it must be.
    fn end(&self) {
        let had_ended = self.outside.session().is_some_and(|session| session.state().is_end());
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store = Faulty::new(self.below.clone(), Fault::Dead, usize::MAX);
            let world = world_over(&store, &self.clock, &self.keys()).await;
            let unheard = !self.outside.drive(&world, self.flow).await.unwrap() && !had_ended;
            // A life that ended the session, and died before anybody asked it, took the receipt with it.
            let over = self.outside.session().is_some_and(|session| world.clock.now() >= session.deadline());
            assert!(!unheard || over || self.deaths.load(Ordering::SeqCst) > 1, "a session that went on is gone");
            let may_be_lost = unheard || self.lost.load(Ordering::SeqCst);
            check(&self.outside, &world, self.flow, may_be_lost, self.fault).await;
            if let Some(session) = self.outside.session().filter(|_| !unheard) {
                check_openings(&self.outside, &world, &session, &self.keys).await;
            }
            for (key, ..) in self.below.scan("R23/").await.unwrap() {
                let parcel = key.rsplit('/').next().unwrap().parse().unwrap();
                assert!(!world.engine.outbox.holds(parcel).await.unwrap(), "a parcel that nobody waits for");
            }
            check_remains(&self.below, &world).await;
        });
    }
}

/// Runs all of a flow's deaths, and names those that went wrong.
fn all_deaths(flow: &Flow, fault: Fault, mut death: impl FnMut(usize) -> Option<Stage>) -> Vec<Stage> {
    let (mut stages, mut wrong) = (Vec::new(), Vec::new());
    // A death that went wrong may have been the last one.
    for at in 1.. {
        if wrong.len() == 3 {
            break;
        }
        match catch_unwind(AssertUnwindSafe(|| death(at))) {
            Ok(Some(stage)) => stages.push(stage),
            Ok(None) => break,
            Err(_) => wrong.push(at),
        }
    }
    assert!(wrong.is_empty(), "`{}`, {fault:?}, went wrong at operations {wrong:?}", flow.name);
    stages
}

/// Does this for every flow, on all cores.
fn for_all<T: Send>(flows: &[Flow], each: impl Fn(&Flow) -> T + Sync) -> Vec<T> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(flow) = flows.get(next.fetch_add(1, Ordering::SeqCst)) {
            let result = each(flow);
            results.lock().unwrap().push(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    results.into_inner().unwrap()
}

#[test]
fn a_machine_that_dies_at_any_durable_operation_loses_nothing_acknowledged_and_leaves_nothing_half_written() {
    let keys = crate::keys::software::tests::keys();
    let deaths = for_all(&FLOWS, |flow| {
        [Fault::Dead, Fault::DeadAfter].map(|fault| {
            all_deaths(flow, fault, |at| {
                let lives = Lives::new(flow, fault, &keys);
                let died_in = lives.die(at);
                lives.end();
                died_in
            })
        })
    });
    let mut histogram = BTreeMap::<Stage, [usize; 2]>::new();
    for flow in deaths {
        for (side, stages) in flow.into_iter().enumerate() {
            stages.into_iter().for_each(|stage| histogram.entry(stage).or_default()[side] += 1);
        }
    }
    println!("{:<22}{:>8}{:>8}", "died in", "before", "after");
    for (stage, [before, after]) in &histogram {
        println!("{:<22}{before:>8}{after:>8}", stage.to_string());
    }
    for stage in [Stage::Requested, Stage::Collecting, Stage::InReview, Stage::Delivering, Stage::Ended] {
        let died = histogram.get(&stage).copied().unwrap_or_default();
        assert!(died.into_iter().all(|deaths| deaths >= 10), "{stage}: {died:?}");
    }
}

#[test]
fn a_machine_that_dies_again_while_it_takes_up_what_it_left_loses_nothing_either() {
    let keys = crate::keys::software::tests::keys();
    let again: usize = all_first_deaths(&keys)
        .into_iter()
        .map(|(flow, at)| {
            all_deaths(flow, Fault::Dead, |second| {
                let lives = Lives::new(flow, Fault::Dead, &keys);
                lives.die(at);
                let again = lives.die_again(second);
                lives.end();
                again
            })
            .len()
        })
        .sum();
    println!("deaths while taking up: {again}");
    assert!(again >= 10, "{again}");
}

/// Deaths that leave the next life most to do: the last one in each stage of the plain flow, and of a withdrawal.
fn all_first_deaths(keys: &Arc<dyn KeyProvider>) -> Vec<(&'static Flow, usize)> {
    let mut last = BTreeMap::new();
    for (number, flow) in FLOWS.iter().enumerate().filter(|(number, _)| [0, 11].contains(number)) {
        let stages = all_deaths(flow, Fault::Dead, |at| Lives::new(flow, Fault::Dead, keys).die(at));
        for (at, stage) in stages.into_iter().enumerate() {
            last.insert((number, stage), at + 1);
        }
    }
    last.into_iter().map(|((number, _), at)| (&FLOWS[number], at)).collect()
}
