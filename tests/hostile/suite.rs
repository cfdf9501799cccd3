//! What an attack is, and how one is run: once with its defence, and once more, the same guest and the same code, with that defence
//! switched off by means that operators and authors have. Only an attack that then succeeds has shown what stops it.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use consentry::collect::package::{Package, PackageError};
use consentry::collect::signature::Trust;
use consentry::collect::{Collection, Collector};
use consentry_contract::failure::Code;
use consentry_contract::limits::{Beyond, LimitName};
use consentry_host_api::ports::Question;
use consentry_tests::collecting::{Collecting, Reaction, collector, connector, lock, told};
use consentry_tests::versions::changed;

use crate::limits::allowing;
use crate::raw;

/// What a secret is in these attacks.
pub const PASSWORD: &str = "Correct-Horse-7!";
/// What a run is told as that brought what was asked for, and nothing else.
pub const HONEST: &str = "person.name=1";
/// What a guest in text is told as that came to its end: it has brought nothing.
pub const ENDED: &str = "page-unrecognised";

/// What an attack is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Reading,
    Escaping,
    Starving,
    Crossing,
    Lying,
}

/// What must come of an attack.
#[derive(Debug, Clone, Copy)]
pub enum Verdict {
    /// The run goes on and brings what was asked for. Whoever attacked has learned nothing.
    Nothing,
    /// The run ends with this code, and the author reads why.
    Refused(&'static str, &'static str),
    /// The run ends by this limit.
    Limit(LimitName),
    /// The guest crashes.
    Trap,
    /// It is not even loaded, and the operator reads why.
    NotLoaded(&'static str),
    /// The run ends so.
    Told(&'static str),
}

/// How its defence is switched off.
#[derive(Debug, Clone, Copy)]
pub enum Off {
    /// So; and what the run is told as then.
    By(&'static str, &'static str),
    /// By nobody: it is part of how things are made. So the attack itself is not shown to succeed; but what it is after is there to be had,
    /// and would be seen if it were: in this way, and what is told as then.
    Shown(&'static str, &'static str),
    /// In no way, because.
    Never(&'static str),
}

/// Whether the defence is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defence {
    On,
    Off,
}

impl Defence {
    /// One of two.
    pub fn pick<T>(self, on: T, off: T) -> T {
        match self {
            Self::On => on,
            Self::Off => off,
        }
    }
}

/// What came of a run.
pub struct Came {
    /// What it is told as.
    pub told: String,
    /// The attack got what it was after: measured by what the guest or another site learned, or by what the host spent.
    pub harm: bool,
    /// All that anybody was told about it.
    pub said: String,
}

impl Came {
    pub fn not_loaded(error: PackageError) -> Self {
        Self { told: format!("not loaded: {:#}", anyhow::Error::from(error)), harm: false, said: String::new() }
    }
}

pub type Coming<'w> = Pin<Box<dyn Future<Output = Came> + Send + 'w>>;

/// How it is run.
pub enum Run {
    /// A probe that wants so much; what the operator allows less of, and how much: the usual, if nothing stands there. Without the
    /// defence the operator allows what the table of limits has as maximum. It has won when it comes to its end.
    Takes { mode: &'static str, aim: &'static str, limit: LimitName, allowed: Option<u64> },
    /// A guest in text with this in its place, and what there is instead of its defence. It has won when it gets past.
    Edge { place: raw::Place, edge: &'static str, without: Without },
    /// Rules that have no switch: none of the guests that break one gets past, and each that keeps it does.
    Rules(&'static [Rule]),
    /// A secret where the manifest does not have it: what the manifest says instead, and what is heard then. `{second}` is another site,
    /// which is declared all the while.
    Fills { aim: &'static str, change: [&'static str; 2], heard: &'static str },
    /// What a capture rule cuts out of an answer; the rule's request, which is another one without the defence.
    Fetches { aim: &'static str, from: &'static str },
    /// A story of its own.
    Story(for<'w> fn(&'w mut World, Defence) -> Coming<'w>),
}

/// What there is instead of a defence against a guest in text.
#[derive(Clone, Copy)]
pub enum Without {
    /// The same guest has moved the bound: it did this before, in this place.
    Before(raw::Place, &'static str),
    /// The operator allows the maximum of this limit, which is lower otherwise.
    Raised(LimitName, u64),
    /// It does the same where nobody looks.
    Elsewhere(&'static str),
}

/// A rule of wasm or of the component model: where it is broken, how, how it is kept, and what the run is told as then.
pub struct Rule(pub raw::Place, pub &'static str, pub &'static str, pub &'static str);

/// A named attack.
pub struct Attack {
    pub name: &'static str,
    /// "A connector …"
    pub tries: &'static str,
    pub stopped_by: &'static str,
    pub verdict: Verdict,
    pub off: Off,
    pub run: Run,
}

/// What the runs of one theme share.
pub struct World {
    pub collector: Collector,
}

/// A probe on its way out.
pub struct Probe {
    pub mode: &'static str,
    pub aim: String,
    pub site: String,
    pub password: String,
    pub wanted: &'static [&'static str],
    /// What stands otherwise in its manifest.
    pub manifest: Vec<(String, String)>,
    /// What the operator allows otherwise.
    pub limits: Vec<(LimitName, u64)>,
    /// What the person answers to every question, if anything.
    pub answer: Option<(&'static str, &'static str)>,
    pub since: Option<jiff::civil::Date>,
}

/// This attack at this site.
pub fn probe(mode: &'static str, site: &str) -> Probe {
    Probe {
        mode,
        aim: String::new(),
        site: site.to_owned(),
        password: PASSWORD.to_owned(),
        wanted: &["person.name"],
        manifest: Vec::new(),
        limits: Vec::new(),
        answer: None,
        since: None,
    }
}

/// What was seen of a run.
pub struct Ran {
    pub told: String,
    pub lines: Vec<String>,
    pub steps: Vec<String>,
    /// What the person was asked: kind and details.
    pub asked: Vec<String>,
    pub collection: Collection,
}

impl Ran {
    /// Everything that was said about it.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.lines.join("\n"), self.collection.trace.join("\n"))
    }

    pub fn came(self, harm: bool) -> Came {
        Came { harm, said: self.said(), told: self.told }
    }
}

impl Probe {
    pub fn aim(self, aim: impl Into<String>) -> Self {
        Self { aim: aim.into(), ..self }
    }

    pub fn password(self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self }
    }

    pub fn wanting(self, wanted: &'static [&'static str]) -> Self {
        Self { wanted, ..self }
    }

    /// Changes its manifest where the condition holds.
    pub fn manifest(mut self, condition: bool, from: &str, to: impl Into<String>) -> Self {
        if condition {
            self.manifest.push((from.to_owned(), to.into()));
        }
        self
    }

    /// Adds a table to its manifest where the condition holds.
    pub fn declaring(self, condition: bool, table: impl Into<String>) -> Self {
        let login = "[[page]]\nid = \"login\"";
        self.manifest(condition, login, table.into() + "\n" + login)
    }

    /// The password is a handle and no secret.
    pub fn not_secret(self, condition: bool) -> Self {
        self.manifest(condition, "name = \"password\"\nkind = \"secret\"", "name = \"password\"\nkind = \"identifier\"")
    }

    pub fn allowing(mut self, limit: LimitName, amount: u64) -> Self {
        self.limits.push((limit, amount));
        self
    }

    pub fn answering(self, name: &'static str, value: &'static str) -> Self {
        Self { answer: Some((name, value)), ..self }
    }

    fn package(&self) -> Package {
        if self.manifest.is_empty() {
            return connector("probe").unwrap();
        }
        let changes: Vec<(&str, &str)> = self.manifest.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        Package::read(changed("tests/hostile/probe", &changes).unwrap(), &Trust::default().or_unsigned()).unwrap()
    }
}

impl World {
    pub fn new() -> Self {
        Self { collector: collector().unwrap() }
    }

    pub async fn run(&mut self, probe: Probe) -> Ran {
        let Probe { answer, .. } = probe;
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let heard = asked.clone();
        let reply = move |question: &Question| {
            lock(&heard).push(format!("{} {:?}", question.kind, question.details));
            answer.map_or(Reaction::Expire, |(name, value)| Reaction::Answer(vec![(name.to_owned(), value.to_owned())]))
        };
        let collecting = Collecting::by(probe.package()).at(&probe.site).wanting(probe.wanted).answering(reply);
        let collecting = match probe.since {
            Some(day) => collecting.since(day),
            None => collecting,
        };
        let collecting = collecting.field("login", "marie").field("password", &probe.password);
        let collecting = collecting.field("mode", probe.mode).field("aim", &probe.aim);
        let ran = self.ran(collecting, &probe.limits).await;
        let asked = lock(&asked).clone();
        Ran { asked, ..ran }
    }

    pub async fn ran(&mut self, collecting: Collecting, limits: &[(LimitName, u64)]) -> Ran {
        self.collector.limits = allowing(limits);
        let seen = collecting.seen.clone();
        let collection = collecting.collect(&self.collector).await.unwrap();
        let (lines, steps) = (lock(&seen.lines).clone(), lock(&seen.steps).clone());
        Ran { told: told(&collection), lines, steps, asked: Vec::new(), collection }
    }

    /// A guest in text with these in their places. It did harm if it came past the one that counts.
    async fn edge(&mut self, place: raw::Place, texts: &[(raw::Place, &str)], limits: &[(LimitName, u64)]) -> Came {
        let package = match Package::read(raw::edge(texts), &Trust::default().or_unsigned()) {
            Ok(package) => package,
            Err(error) => return Came::not_loaded(error),
        };
        let ran = self.ran(Collecting::by(package), limits).await;
        // What it says behind the place in question; what is behind its end can't say anything.
        let past = ran.lines.contains(&"info: past".to_owned()) && !place.is_end();
        let harm = past || place.is_end() && ran.told != "trap";
        ran.came(harm)
    }

    async fn came(&mut self, attack: &Attack, defence: Defence) -> Came {
        match &attack.run {
            Run::Takes { mode, aim, limit, allowed } => {
                let row = limit.row();
                let amount = defence.pick(allowed.unwrap_or(row.default), row.maximum);
                let site = crate::bank().await;
                let taking = probe(mode, &site.site_url).aim(*aim).allowing(*limit, amount);
                let ran = self.run(taking).await;
                let harm = ran.told == HONEST;
                ran.came(harm)
            }
            Run::Edge { place, edge, without } => {
                let (mut texts, mut limits) = (vec![(*place, *edge)], vec![(LimitName::Cpu, 500)]);
                match (without, defence) {
                    (Without::Raised(limit, lower), _) => {
                        limits.push((*limit, defence.pick(*lower, limit.row().maximum)))
                    }
                    (Without::Before(place, text), Defence::Off) => texts.insert(0, (*place, text)),
                    (Without::Elsewhere(text), Defence::Off) => texts = vec![(*place, text)],
                    (_, Defence::On) => {}
                }
                self.edge(*place, &texts, &limits).await
            }
            Run::Rules(rules) => {
                for Rule(place, broken, kept, told) in *rules {
                    let came =
                        self.edge(*place, &[(*place, defence.pick(broken, kept))], &[(LimitName::Cpu, 500)]).await;
                    if came.harm == (defence == Defence::On) || came.told != defence.pick("trap", *told) {
                        return Came { told: format!("{}: {broken}", came.told), ..came };
                    }
                }
                let told = defence.pick("trap", ENDED).to_owned();
                Came { told, harm: defence == Defence::Off, said: String::new() }
            }
            Run::Fills { aim, change, heard } => crate::reading::fill(self, defence, aim, *change, heard).await,
            Run::Fetches { aim, from } => crate::reading::fetch(self, defence, aim, from).await,
            Run::Story(story) => story(self, defence).await,
        }
    }
}

impl Verdict {
    fn fits(self, came: &Came) -> bool {
        match self {
            Self::Nothing => came.told == HONEST,
            Self::Refused(code, text) => came.told.split(' ').next() == Some(code) && came.said.contains(text),
            Self::Limit(limit) => {
                came.told.starts_with(told_by(limit).name()) && came.told.ends_with(&format!("limit={limit}"))
            }
            Self::Trap => came.told == "trap",
            Self::NotLoaded(text) => came.told.starts_with("not loaded: ") && came.told.contains(text),
            Self::Told(told) => came.told == told,
        }
    }

    /// For people.
    pub fn shown(self) -> String {
        match self {
            Self::Nothing => "goes on, gains nothing".to_owned(),
            Self::Refused(code, _) => format!("`{code}`"),
            Self::Limit(limit) => format!("`{}`, `{limit}`", told_by(limit)),
            Self::Trap => "`trap`".to_owned(),
            Self::NotLoaded(_) => "not loaded".to_owned(),
            Self::Told(told) => format!("`{told}`"),
        }
    }
}

/// The code of a limit that ends a run.
fn told_by(limit: LimitName) -> Code {
    let Beyond::Ends(code) = limit.row().beyond else { panic!("{limit} ends nothing") };
    code
}

/// Runs every attack of a theme, with and without its defence.
pub async fn attacks(attacks: &[Attack]) {
    let (mut world, mut wrong) = (World::new(), Vec::new());
    for attack in attacks {
        let defended = world.came(attack, Defence::On).await;
        if defended.harm || !attack.verdict.fits(&defended) {
            wrong.push(format!(
                "{}: with its defence: {}, harm {}\n{}\n  expected {:?}",
                attack.name, defended.told, defended.harm, defended.said, attack.verdict
            ));
        }
        let (Off::By(how, expected) | Off::Shown(how, expected)) = attack.off else { continue };
        let open = world.came(attack, Defence::Off).await;
        if !open.harm || open.told != expected {
            wrong.push(format!(
                "{}: where {how}: {}, harm {}\n{}\n  expected {expected} and harm",
                attack.name, open.told, open.harm, open.said
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}
