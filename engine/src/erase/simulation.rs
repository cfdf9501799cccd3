//! Years of forgetting in minutes: random records of every stored row, their triggers, early ends and erasures, and everything
//! that happens to a node meanwhile: restarts, days without it, clocks that jump, a backup that is put back. The store, the key
//! tables, the keys and the scheduler are the real ones; the clock and the events are not.
//!
//! What it holds them to: a record is there until the instant of its deadline and not at it; a second later its key is destroyed;
//! and with each copy of all files that was taken the midnight before, whoever has the keys of today opens nothing that is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::clock::{Clock, ManualClock, Month};
use crate::entropy::Entropy;
use crate::erase::retention::Term;
use crate::keys::{KeyError, KeyProvider, MONTH_KEY_LIFE_MONTHS};
use crate::outbox::Outbox;
use crate::store::{Expect, Mismatch, Shelves, StoreError};

mod folder;
mod kinds;
mod model;
mod report;

use folder::copy;
use model::{Model, Object, State};
pub use report::{Report, RowReport, SimulationError};

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The first instant.
    pub start: Timestamp,
    /// How many days of 24 hours.
    pub days: u32,
    /// What all chance comes from.
    pub seed: u64,
    /// How many records are made a day.
    pub records_a_day: u32,
    /// How many days lie between two copies that are tried a day later; 1 is every day.
    pub copies_every: u32,
}

/// By how much a clock that is ahead goes on from one event to the next: no clock stands still.
const AHEAD_STEP: SignedDuration = SignedDuration::from_mins(2);

#[derive(Debug, Clone, Copy)]
enum Event {
    Make,
    Trigger(usize),
    End(usize),
    Deadline(usize),
    Midnight(u32),
    Restart,
    Absence,
    Forth,
    Back,
    Restore,
}

struct World {
    folder: PathBuf,
    keys: Arc<dyn KeyProvider>,
    clock: Arc<ManualClock>,
    shelves: Option<Shelves>,
    model: Model,
    agenda: BTreeMap<(Timestamp, u64), Event>,
    entries: u64,
    rng: StdRng,
    report: Report,
    /// When the scheduler last looked: what is due by then is gone, however the clock is set.
    passed_at: Timestamp,
    /// How many events there were. What came first is told by these, not by a clock that is set back.
    events: u64,
    /// When the copy was taken that there is, and after how many events.
    copied: Option<(Timestamp, u64)>,
}

/// Simulates, in a folder that is empty. `goes_on` is told before each day how many are over, and says whether there is to be another.
///
/// # Errors
/// [`SimulationError`]; what is not as it must be is no error, but stands in the report.
pub async fn run(
    plan: &Plan,
    folder: &Path,
    keys: Arc<dyn KeyProvider>,
    mut goes_on: impl FnMut(u32) -> bool,
) -> Result<Report, SimulationError> {
    let mut world = World {
        folder: folder.to_owned(),
        keys,
        clock: Arc::new(ManualClock::new(plan.start)),
        shelves: None,
        model: Model::default(),
        agenda: BTreeMap::new(),
        entries: 0,
        rng: StdRng::seed_from_u64(plan.seed),
        report: Report { days: plan.days, ..Report::default() },
        passed_at: plan.start,
        events: 0,
        copied: None,
    };
    world.open().await?;
    world.plan(plan);
    while let Some(((at, _), event)) = world.agenda.pop_first() {
        if at >= plan.start + SignedDuration::from_hours(24 * i64::from(plan.days)) {
            break;
        }
        match event {
            Event::Midnight(day) if !goes_on(day) => return Err(SimulationError::Stopped(day)),
            _ => {}
        }
        // A clock that was set forth goes on from there, slowly, until the days have caught up with it.
        let now = world.clock.now();
        world.clock.set(if at < now { now + AHEAD_STEP } else { at });
        world.events += 1;
        world.happen(event, plan).await?;
    }
    world.finish().await
}

impl World {
    fn shelves(&self) -> Result<&Shelves, StoreError> {
        self.shelves.as_ref().ok_or(StoreError::Interrupted)
    }

    async fn open(&mut self) -> Result<(), SimulationError> {
        self.shelves = None;
        let entropy = Arc::new(Entropy::system());
        let live = self.folder.join("live");
        self.shelves = Some(Shelves::sled(&live, self.keys.clone(), entropy, self.clock.clone()).await?);
        Ok(())
    }

    /// What an operator does who put a copy back.
    async fn adopt(&mut self) -> Result<(), SimulationError> {
        let (live, entropy) = (self.folder.join("live"), Arc::new(Entropy::system()));
        match Shelves::sled(&live, self.keys.clone(), entropy.clone(), self.clock.clone()).await {
            Err(StoreError::NoStore { how: Mismatch::Older, .. }) => {}
            other => {
                let other = other.map(drop);
                self.report.wrong.push(format!("a copy of {:?} is taken for the store: {other:?}", self.copied));
            }
        }
        self.shelves = Some(Shelves::adopt(&live, self.keys.clone(), entropy, self.clock.clone()).await?);
        Ok(())
    }

    fn put_down(&mut self, at: Timestamp, event: Event) {
        self.entries += 1;
        self.agenda.insert((at, self.entries), event);
    }

    fn within(&mut self, seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(self.rng.random_range(1..seconds))
    }

    fn plan(&mut self, plan: &Plan) {
        const DAY: i64 = 24 * 3600;
        for day in 0..plan.days {
            let midnight = plan.start + SignedDuration::from_secs(DAY * i64::from(day));
            self.put_down(midnight, Event::Midnight(day));
            for _ in 0..plan.records_a_day {
                let at = midnight + self.within(DAY);
                self.put_down(at, Event::Make);
            }
            // Each of these about so often in a hundred days.
            for (often, event) in
                [(6, Event::Restart), (2, Event::Absence), (1, Event::Forth), (3, Event::Back), (2, Event::Restore)]
            {
                if self.rng.random_range(0..100) < often {
                    let at = midnight + self.within(DAY);
                    self.put_down(at, event);
                }
            }
        }
    }

    async fn happen(&mut self, event: Event, plan: &Plan) -> Result<(), SimulationError> {
        match event {
            Event::Make => self.make().await?,
            Event::Trigger(object) => self.trigger(object).await?,
            Event::End(object) => self.end(object).await?,
            Event::Deadline(object) => self.deadline(object).await?,
            Event::Midnight(day) => self.midnight(day, plan).await?,
            Event::Restart => {
                self.report.restarts += 1;
                self.open().await?;
            }
            Event::Absence => {
                self.report.absences += 1;
                self.shelves = None;
                let away = self.within(30 * 3600);
                self.clock.advance(away);
                self.open().await?;
                self.look_over().await?;
            }
            Event::Forth => {
                self.report.clocks_forth += 1;
                let jump = self.within(4 * 24 * 3600);
                self.clock.advance(jump);
                self.look_over().await?;
            }
            Event::Back => {
                self.report.clocks_back += 1;
                self.pass().await?;
                let jump = self.within(2 * 3600);
                self.clock.advance(-jump);
                let now = self.clock.now();
                for (object, until) in self.model.set_back(jump) {
                    self.put_down(until.max(now), Event::Deadline(object));
                }
                self.look_over().await?;
            }
            Event::Restore => self.restore().await?,
        }
        // A node looks at the clock every second.
        self.pass().await
    }

    /// One look of the real scheduler.
    async fn pass(&mut self) -> Result<(), SimulationError> {
        self.passed_at = self.clock.now();
        let shelves = self.shelves()?;
        let outbox = Outbox::new(shelves, Arc::new(Entropy::system()));
        let pass = super::due(shelves, &outbox, &*self.keys, self.clock.now()).await?;
        self.report.keys_destroyed += pass.keys.len();
        Ok(())
    }

    async fn make(&mut self) -> Result<(), SimulationError> {
        let now = self.clock.now();
        let kind = kinds::ALL[self.rng.random_range(0..kinds::ALL.len())];
        let id = self.model.objects.len();
        let term = if kind.begins_open() { Term::open() } else { Term::from(now) };
        let until = kind.row().deadline(&term);
        kind.put(self.shelves()?, &model::name(id), Expect::Absent, term).await?;
        self.model.objects.push(Object { kind, until, changed_at: now, changed: self.events, state: State::There });
        self.report.rows.entry(kind.row().id).or_default().made += 1;
        if let Some(until) = until {
            self.put_down(until, Event::Deadline(id));
        }
        // Some get their trigger, again or at last, some end early.
        let days = |days: i64| days * 24 * 3600;
        if kind.begins_open() || self.rng.random_ratio(1, 4) {
            let at = now + self.within(days(500));
            self.put_down(at, Event::Trigger(id));
        }
        if self.rng.random_ratio(1, 4) {
            let life = until.map_or(days(600), |until| until.duration_since(now).as_secs().max(2));
            let at = now + self.within(life);
            self.put_down(at, Event::End(id));
        }
        Ok(())
    }

    async fn trigger(&mut self, id: usize) -> Result<(), SimulationError> {
        let now = self.clock.now();
        let Some(kind) = self.model.there(id, now) else { return Ok(()) };
        let name = model::name(id);
        let Some(term) = kind.term(self.shelves()?, &name).await? else {
            self.report.wrong.push(format!("{name} of {} is gone before its deadline", kind.row().id));
            return Ok(());
        };
        let term = term.then(Term::from(now));
        kind.put(self.shelves()?, &name, Expect::Any, term).await?;
        let until = kind.row().deadline(&term);
        let object = &mut self.model.objects[id];
        (object.until, object.changed_at, object.changed) = (until, now, self.events);
        if let Some(until) = until {
            self.put_down(until.max(now), Event::Deadline(id));
        }
        Ok(())
    }

    async fn end(&mut self, id: usize) -> Result<(), SimulationError> {
        let Some(kind) = self.model.there(id, self.clock.now()) else { return Ok(()) };
        kind.delete(self.shelves()?, &model::name(id)).await?;
        self.gone(id, |row| row.early += 1);
        self.must_be_gone(id).await
    }

    /// A deadline, to the instant.
    async fn deadline(&mut self, id: usize) -> Result<(), SimulationError> {
        let now = self.clock.now();
        let object = &self.model.objects[id];
        let (kind, until) = (object.kind, object.until);
        // It moved, or was met before, while the clock was elsewhere.
        if object.state != State::There || until.is_none_or(|until| until > now) {
            return Ok(());
        }
        let to_the_instant = until == Some(now);
        if to_the_instant && object.changed_at < now && self.passed_at < now {
            self.clock.set(now - SignedDuration::from_nanos(1));
            if kind.term(self.shelves()?, &model::name(id)).await?.is_none() {
                self.report.wrong.push(format!("{} of {} is gone before its deadline", model::name(id), kind.row().id));
            }
            self.clock.set(now);
        }
        self.must_be_gone(id).await?;
        self.gone(id, |row| if to_the_instant { row.at_deadline += 1 } else { row.overdue += 1 });
        self.clock.advance(SignedDuration::from_secs(1));
        self.pass().await?;
        self.must_be_gone(id).await
    }

    /// After the clock went where nobody looked: whatever is over is gone.
    async fn look_over(&mut self) -> Result<(), SimulationError> {
        let over = self.model.over(self.clock.now());
        for id in &over {
            self.must_be_gone(*id).await?;
            self.gone(*id, |row| row.overdue += 1);
        }
        self.pass().await
    }

    fn gone(&mut self, id: usize, count: impl FnOnce(&mut RowReport)) {
        let object = &mut self.model.objects[id];
        object.state = State::Gone;
        count(self.report.rows.entry(object.kind.row().id).or_default());
    }

    async fn must_be_gone(&mut self, id: usize) -> Result<(), SimulationError> {
        let (kind, name) = (self.model.objects[id].kind, model::name(id));
        if kind.term(self.shelves()?, &name).await?.is_some() {
            let until = self.model.objects[id].until;
            let now = self.clock.now();
            self.report.wrong.push(format!("{name} of {} is there at {now}, and was due at {until:?}", kind.row().id));
        }
        Ok(())
    }

    async fn midnight(&mut self, day: u32, plan: &Plan) -> Result<(), SimulationError> {
        self.months().await?;
        if let Some((at, before)) = self.copied {
            self.try_copy(at, before).await?;
        }
        self.copied = None;
        if day.is_multiple_of(plan.copies_every) {
            let (from, to) = (self.folder.join("live"), self.folder.join("copy"));
            if to.exists() {
                std::fs::remove_dir_all(&to)?;
            }
            for part in ["store", "tables"] {
                copy(&from.join(part), &to.join(part))?;
            }
            std::fs::copy(from.join("roots"), to.join("roots"))?;
            self.copied = Some((self.clock.now(), self.events));
        }
        Ok(())
    }

    async fn months(&mut self) -> Result<(), SimulationError> {
        let now = self.clock.now();
        let month = Month::of(now);
        self.keys.month_hmac(month, b"somebody", now).await?;
        for made in self.model.months.clone() {
            let over = now >= made.first_instant_after(MONTH_KEY_LIFE_MONTHS);
            match self.keys.month_hmac(made, b"somebody", now).await {
                Err(KeyError::Destroyed(_)) if over => {
                    self.report.months_refused += 1;
                    self.model.months.remove(&made);
                }
                Ok(_) if !over => {}
                other => self.report.wrong.push(format!("the key of {made} answers {:?} at {now}", other.map(drop))),
            }
        }
        self.model.months.insert(month);
        Ok(())
    }

    /// Whoever took the copy a day ago, and has all keys of today, opens nothing that is gone, and everything else.
    async fn try_copy(&mut self, copied_at: Timestamp, before: u64) -> Result<(), SimulationError> {
        let tried = self.shelves()?.try_copy(&self.folder.join("copy")).await?;
        self.report.copies_tried += 1;
        self.report.copied_records += tried.records;
        let opened: BTreeSet<usize> = tried.opened.iter().filter_map(|key| model::id(key)).collect();
        let now = self.clock.now();
        for (id, object) in self.model.objects.iter().enumerate() {
            let there = object.state == State::There && object.until.is_none_or(|until| until > now);
            let (opens, name, row) = (opened.contains(&id), model::name(id), object.kind.row().id);
            if opens && !there {
                self.report.wrong.push(format!("{name} of {row} is gone, and opens in a copy of {copied_at}"));
            }
            if !opens && there && object.changed < before {
                self.report.wrong.push(format!("{name} of {row} is there, and does not open in a copy of {copied_at}"));
            }
        }
        self.report.copied_gone += tried.records - opened.len();
        Ok(())
    }

    /// The store of the last midnight is put back, with the tables of now.
    async fn restore(&mut self) -> Result<(), SimulationError> {
        let Some((_, before)) = self.copied else { return Ok(()) };
        self.report.restored += 1;
        self.shelves = None;
        let live = self.folder.join("live/store");
        std::fs::remove_dir_all(&live)?;
        copy(&self.folder.join("copy/store"), &live)?;
        self.adopt().await?;
        for id in 0..self.model.objects.len() {
            let Object { kind, until, changed, state, .. } = self.model.objects[id];
            let there = kind.term(self.shelves()?, &model::name(id)).await?.is_some();
            let over = until.is_some_and(|until| until <= self.clock.now());
            match state {
                State::There if !there && !over && changed < before => {
                    self.report.wrong.push(format!(
                        "{} of {} is not in a backup that had it",
                        model::name(id),
                        kind.row().id
                    ));
                }
                State::There if !there && !over => {
                    self.model.objects[id].state = State::Lost;
                    self.report.rows.entry(kind.row().id).or_default().lost += 1;
                }
                State::Gone if there => {
                    self.report.wrong.push(format!("{} of {} came back with a backup", model::name(id), kind.row().id));
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Report, SimulationError> {
        self.look_over().await?;
        for id in 0..self.model.objects.len() {
            let object = &self.model.objects[id];
            match object.state {
                State::There => {
                    let row = object.kind.row().id;
                    if object.kind.term(self.shelves()?, &model::name(id)).await?.is_none() {
                        self.report.wrong.push(format!("{} of {row} is gone before its deadline", model::name(id)));
                    }
                    self.report.rows.entry(row).or_default().left += 1;
                }
                State::Gone | State::Lost => self.must_be_gone(id).await?,
            }
        }
        Ok(self.report)
    }
}

#[cfg(test)]
mod tests;
