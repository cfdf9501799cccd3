//! What should be there.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::kinds::Kind;
use crate::clock::Month;
use crate::erase::retention::Period;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    There,
    Gone,
    /// It was not in the backup.
    Lost,
}

#[derive(Clone, Copy)]
pub(super) struct Object {
    pub(super) kind: &'static dyn Kind,
    /// Its deadline; a clock that was set back made it earlier, if it is an exact one.
    pub(super) until: Option<Timestamp>,
    /// When it was last written.
    pub(super) changed_at: Timestamp,
    /// By which event.
    pub(super) changed: u64,
    pub(super) state: State,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) objects: Vec<Object>,
    /// Those whose keys were made.
    pub(super) months: BTreeSet<Month>,
}

impl Model {
    /// The kind of an object that is there.
    pub(super) fn there(&self, id: usize, now: Timestamp) -> Option<&'static dyn Kind> {
        let object = &self.objects[id];
        (object.state == State::There && object.until.is_none_or(|until| until > now)).then_some(object.kind)
    }

    /// What is there and past its deadline.
    pub(super) fn over(&self, now: Timestamp) -> Vec<usize> {
        let over = |object: &Object| object.state == State::There && object.until.is_some_and(|until| until <= now);
        (0..self.objects.len()).filter(|id| over(&self.objects[*id])).collect()
    }

    /// The clock was set back: what has an exact deadline goes as much earlier. Names those, and when they go.
    pub(super) fn set_back(&mut self, by: SignedDuration) -> Vec<(usize, Timestamp)> {
        let mut moved = vec![];
        for (id, object) in self.objects.iter_mut().enumerate() {
            let is_exact = object.is_exact();
            if let (State::There, Some(until), true) = (object.state, &mut object.until, is_exact) {
                *until -= by;
                moved.push((id, *until));
            }
        }
        moved
    }
}

impl Object {
    fn is_exact(&self) -> bool {
        let row = self.kind.row();
        let is_short = |period: Period| matches!(period, Period::Seconds(seconds) if seconds <= 72 * 3600);
        row.period.is_some() && [row.period, row.cap].into_iter().flatten().all(is_short)
    }
}

/// The name of a record, by its number.
pub(super) fn name(id: usize) -> String {
    format!("n{id}")
}

/// The number of a record, out of its key in the store.
pub(super) fn id(key: &str) -> Option<usize> {
    key.rsplit('/').next()?.strip_prefix('n')?.parse().ok()
}
