//! What people do, wherever the machine dies in it: each flow goes on from where its session stands.

use super::*;

/// Where a session stands, as coarse as the histogram of deaths tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Requested, up to the consent and the wait for a login.
    Requested,
    /// A connector is at work, or waits for the person.
    Collecting,
    /// The person decides what to share.
    InReview,
    /// The parcel waits for its receiver.
    Delivering,
    /// The session has ended; what it held is being closed and erased.
    Ended,
}

/// How a flow is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The person takes the consent back.
    Withdrawal,
    /// The session's hour passes.
    Hour,
}

/// One flow. Its deaths are counted from the moment `from` on. A moment is the name of the session's state, or `fetched`.
#[derive(Clone, Copy)]
pub(super) struct Flow {
    pub(super) name: &'static str,
    pub(super) from: &'static str,
    /// How often the person chooses another source than before.
    pub(super) second_thoughts: usize,
    /// A first login is refused because a field is missing.
    pub(super) misfit: bool,
    /// The connector asks for a one-time password.
    pub(super) asks: bool,
    /// The connector crashes.
    pub(super) crashes: bool,
    /// The connector misses something.
    pub(super) shortfall: bool,
    /// The person leaves the first item out.
    pub(super) leaves_out: bool,
    /// The Online Service is told of the parcel.
    pub(super) told: bool,
    /// How often the parcel is fetched.
    pub(super) fetches: usize,
    /// It is broken off at this moment.
    pub(super) stop: Option<(&'static str, Stop)>,
}

/// The plain one: a login, a review, a fetch, an acknowledgement.
pub(super) const FLOW: Flow = Flow {
    name: "all goes well",
    from: "requested",
    second_thoughts: 0,
    misfit: false,
    asks: false,
    crashes: false,
    shortfall: false,
    leaves_out: false,
    told: false,
    fetches: 1,
    stop: None,
};

/// What the world outside knows. It survives the engine.
#[derive(Default)]
pub(super) struct Outside {
    pub(super) session: Mutex<Option<Arc<Session>>>,
    /// A receiver that honours the id: what it has under it is never another thing.
    pub(super) received: Mutex<BTreeMap<ParcelId, Vec<u8>>>,
    /// Acknowledgements that were answered.
    pub(super) acknowledged: AtomicUsize,
    /// Withdrawals that were answered.
    pub(super) withdrawn: AtomicUsize,
    /// Answers to a connector's question.
    pub(super) answers: AtomicUsize,
    misfits: AtomicUsize,
    second_thoughts: AtomicUsize,
    /// Of all lives, by the receipt's token.
    receipts: Mutex<Vec<String>>,
    /// Arms the store's death, once, when the flow stands where its deaths begin.
    armed: Mutex<Option<(Arc<Faulty>, usize)>>,
}

/// An engine over this store, as it is after a start.
pub(in crate::engine::tests) async fn world_over(
    store: &Arc<Faulty>,
    clock: &Arc<ManualClock>,
    keys: &Arc<dyn KeyProvider>,
) -> World {
    let mut catalogue = Catalogue::default();
    assert_eq!(catalogue.add(hollow_connector()), None);
    let entropy = Arc::new(Entropy::system());
    let shelves = shelves_over(store, keys, &entropy, clock).await;
    let mut builder = Engine::builder()
        .compiler(Compiler::in_process())
        .clock(clock.clone())
        .entropy(entropy)
        .keys(keys.clone())
        .catalogue(catalogue)
        .operator(operator())
        .online_service(lender())
        .sandbox(SandboxSettings { concurrent_runs: 1, guest_threads: 1 });
    builder.shelves = Some(shelves);
    World { engine: builder.build().await.unwrap(), clock: clock.clone() }
}

/// Shelves over this store, as they are after a start.
pub(super) async fn shelves_over(
    store: &Arc<Faulty>,
    keys: &Arc<dyn KeyProvider>,
    entropy: &Arc<Entropy>,
    clock: &Arc<ManualClock>,
) -> Shelves {
    let files = Arc::new(store.clone());
    let store = Box::new(store.clone());
    Shelves::open(store, files.clone(), files, keys.clone(), entropy.clone(), clock.clone()).await.unwrap()
}

impl Stage {
    pub(super) fn of(state: &State) -> Self {
        match state {
            State::Requested | State::AwaitingConsent | State::AwaitingCredentials { .. } => Self::Requested,
            State::Collecting { .. } | State::AwaitingPerson { .. } => Self::Collecting,
            State::InReview => Self::InReview,
            State::Delivering => Self::Delivering,
            _ => Self::Ended,
        }
    }
}

impl Outside {
    /// A store that dies `at` operations after the flow stood where its deaths begin.
    pub(super) fn arm(&self, store: &Arc<Faulty>, at: usize) {
        *self.armed.lock().unwrap() = Some((store.clone(), at));
    }

    pub(super) fn session(&self) -> Option<Arc<Session>> {
        self.session.lock().unwrap().clone()
    }

    /// Where the session stands, as far as anybody knows.
    pub(super) fn stage(&self) -> Stage {
        self.session().map_or(Stage::Requested, |session| Stage::of(&session.state()))
    }

    /// The person reads what a life of the session says.
    pub(super) fn read_receipts(&self) {
        if let Some(session) = self.session() {
            let told = session.receipts().into_iter().map(|(_, token)| token);
            let mut known = self.receipts.lock().unwrap();
            for token in told {
                if !known.contains(&token) {
                    known.push(token);
                }
            }
        }
    }

    pub(super) async fn facts(&self, world: &World) -> Vec<Facts> {
        let keys = world.engine.signing_keys().await.unwrap();
        let tokens = self.receipts.lock().unwrap().clone();
        tokens.iter().map(|token| Receipt::verify(token, &keys).unwrap().facts().clone()).collect()
    }

    /// Goes on from wherever the session stands, to its end. Says whether there was a session to go on with.
    pub(super) async fn drive(&self, world: &World, flow: &Flow) -> Result<bool, EngineError> {
        let id = self.session().map(|session| session.id());
        self.begin_dying_at("requested", flow);
        let session = match id {
            None => world.engine.create_session(&lender(), REQUEST.as_bytes()).await?.session,
            Some(id) => match world.engine.session(id) {
                Some(session) => session,
                None => return Ok(false),
            },
        };
        *self.session.lock().unwrap() = Some(session.clone());
        while !session.state().is_end() {
            self.step(world, &session, flow).await?;
        }
        self.read_receipts();
        Ok(true)
    }

    fn begin_dying_at(&self, moment: &str, flow: &Flow) {
        if let Some((store, at)) = self.armed.lock().unwrap().take_if(|_| flow.from == moment) {
            store.fail_in(at);
        }
    }

    async fn step(&self, world: &World, session: &Arc<Session>, flow: &Flow) -> Result<(), EngineError> {
        let (engine, state) = (&world.engine, session.state());
        if self.is_stopped_at(world, session, flow, state.name()).await? {
            return Ok(());
        }
        match state {
            State::Requested => {
                engine.choose_source(session, "sample-bank", "sample-bank").await?;
            }
            State::AwaitingConsent if once(&self.second_thoughts, flow.second_thoughts) => {
                engine.choose_source(session, "sample-bank", "sample-bank").await?;
            }
            State::AwaitingConsent => {
                let notice = session.notice().unwrap();
                let all = notice.facts().asked.iter().map(|asked| asked.category).collect();
                engine.give_consent(session, &notice.digest(), &all).await?;
            }
            State::AwaitingCredentials { .. } if once(&self.misfits, flow.misfit.into()) => {
                let sealed = world.sealed(session.id(), &LOGIN[..1]).await;
                let refused = engine.open_login(session, &sealed, NAVIGATION).await;
                assert!(matches!(refused, Err(EngineError::Fields(_))), "{refused:?}");
            }
            State::AwaitingCredentials { .. } => self.collect(world, session, flow).await?,
            State::InReview => {
                let decision = Decision::all();
                let decision = if flow.leaves_out { decision.without_item(0) } else { decision };
                engine.share(session, &decision).await?;
            }
            State::Delivering => self.deliver(world, session, flow).await?,
            state => panic!("nobody drives {state:?}"),
        }
        Ok(())
    }

    /// Breaks the flow off if this is the moment.
    async fn is_stopped_at(
        &self,
        world: &World,
        session: &Arc<Session>,
        flow: &Flow,
        moment: &str,
    ) -> Result<bool, EngineError> {
        self.begin_dying_at(moment, flow);
        match flow.stop {
            Some((at, Stop::Withdrawal)) if at == moment => {
                world.engine.withdraw(session).await?;
                self.withdrawn.fetch_add(1, Ordering::SeqCst);
            }
            Some((at, Stop::Hour)) if at == moment => {
                world.pass(60);
                world.engine.sweep().await?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A login, and what its connector does, as `Engine::collect` does it.
    async fn collect(&self, world: &World, session: &Arc<Session>, flow: &Flow) -> Result<(), EngineError> {
        let engine = &world.engine;
        let sealed = world.sealed(session.id(), &LOGIN).await;
        if flow.crashes {
            engine.open_login(session, &sealed, NAVIGATION).await?;
            states(session).await;
            return Ok(());
        }
        let crate::engine::run::Opened { run, grant, .. } = engine.begin(session, &sealed, NAVIGATION.into()).await?;
        if flow.asks {
            self.answer(world, session, flow).await?;
        }
        self.is_stopped_at(world, session, flow, "collecting").await?;
        let data = found(&grant, run.name().run, flow.shortfall);
        session.note(|notes| {
            notes.collected = data.counts();
            notes.alive.data = Some(data.presence());
        });
        let data = data.minimise(&grant, &[], crate::fixtures::now());
        match session.hold_review(Review { run, data }, world.clock.now()) {
            Ok(()) => engine.save(session).await,
            Err(review) => {
                let Review { run, data } = *review;
                drop(data);
                engine.end_run(session, run, None).await;
            }
        }
        Ok(())
    }

    async fn answer(&self, world: &World, session: &Arc<Session>, flow: &Flow) -> Result<(), EngineError> {
        let package = hollow_connector();
        let answers = package.manifest().answers();
        let person = AskPerson::new(session.clone(), world.clock.clone(), entropy(), answers);
        let asked = person.ask(Question { kind: "otp".to_owned(), details: vec![], image: None }).unwrap();
        let State::AwaitingPerson { question, .. } = session.state() else { panic!("nobody was asked") };
        if self.is_stopped_at(world, session, flow, "awaiting-person").await? {
            return Ok(());
        }
        let code = Zeroizing::new(b"123456".to_vec());
        let message = crate::credentials::write(session.id(), Some(question), &[("code".to_owned(), code)]);
        let sealed = world.seal(&message).await;
        self.answers.fetch_add(1, Ordering::SeqCst);
        world.engine.answer(session, &sealed).await?;
        assert!(matches!(asked.answer.await.unwrap(), Answer::Given(_)));
        Ok(())
    }

    async fn deliver(&self, world: &World, session: &Arc<Session>, flow: &Flow) -> Result<(), EngineError> {
        let (engine, parcel) = (&world.engine, session.parcel().unwrap());
        if flow.told {
            for event in engine.outbox.lease_events(1, world.clock.now()).await? {
                engine.outbox.told(event, true, world.clock.now()).await?;
            }
        }
        let mut digest = None;
        for _ in 0..flow.fetches {
            let bytes = engine.fetch_parcel(&lender(), parcel).await?;
            digest = Some(Digest::of(&bytes));
            let known = self.received.lock().unwrap().insert(parcel, bytes.clone());
            assert!(known.is_none_or(|known| known == bytes), "other bytes under the same id");
        }
        if self.is_stopped_at(world, session, flow, "fetched").await? {
            return Ok(());
        }
        engine.acknowledge(&lender(), parcel, digest.unwrap()).await?;
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Whether this is still to be done, which it is `times` times.
fn once(done: &AtomicUsize, times: usize) -> bool {
    done.fetch_add(1, Ordering::SeqCst) < times
}

/// What the connector found.
fn found(grant: &crate::consent::Grant, run: RunId, shortfall: bool) -> crate::data::Data<crate::data::Collected> {
    let items = vec![name_item("Martin"), transaction_item("rent", -90_000)];
    if !shortfall {
        return collected(grant, run, items);
    }
    let dataset = |name: &str, quality| Dataset { category: name.to_owned(), count: 1, quality };
    let missing = Failure::new(Code::PageUnrecognised);
    let datasets =
        vec![dataset("person.name", Quality::Complete), dataset("bank.transaction", Quality::Partial(missing.code))];
    crate::data::Data::collected(
        grant,
        items,
        Gathered { datasets, shortfall: Some(missing) },
        crate::fixtures::provenance(run),
    )
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "requested, consented",
            Self::Collecting => "collecting",
            Self::InReview => "in review",
            Self::Delivering => "delivering",
            Self::Ended => "ended",
        })
    }
}
