//! Metering: what an Online Service pays a commission for. Counts of its deliveries by month, and nothing that they were about.
//!
//! Nobody writes down an event when something is delivered. A month is counted from the ends of its deliveries, which name no person (row
//! R24), as its Online Service can count them itself from `/v1/deliveries`; a day after its end the sum is kept (row R20) and does not
//! change any more.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Month;
use crate::erase::retention::{R20MeteringEvent, Term};
use crate::id::OnlineServiceId;
use crate::outbox::{Ending, How, Outbox, OutboxError};
use crate::rights::declared::{Declaration, Declared};
use crate::store::{Expect, Record, Shelf, Shelves, StoreError};

/// How long after its end a month is counted once more before it is kept: a delivery that ended at its last instant is noted by then.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The deliveries of one Online Service that ended in one month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metered {
    /// Whose.
    pub online_service: OnlineServiceId,
    /// Which month, in UTC: `2026-11`.
    #[schemars(with = "String")]
    pub month: Month,
    /// Acknowledged by their receiver: what is paid for.
    pub delivered: u64,
    /// Taken back by the person.
    pub withdrawn: u64,
    /// Not acknowledged in time.
    pub undelivered: u64,
}

/// A month as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Told {
    /// The counts.
    #[serde(flatten)]
    pub counts: Metered,
    /// Whether they can't change any more.
    pub settled: bool,
}

impl Record for Metered {
    const NAMESPACE: &'static str = "metered";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R20MeteringEvent;
}

/// Counts deliveries and keeps the sums of months that are over.
#[derive(Debug)]
pub struct Metering {
    shelf: Shelf<R20MeteringEvent>,
}

/// What is stored of it declares about a person's rights.
pub(crate) fn declared() -> Declaration {
    Declaration::of::<Metered>()
}

impl Metering {
    /// Keeps sums on this shelf.
    pub fn new(shelves: &Shelves) -> Self {
        Self { shelf: shelves.shelf() }
    }

    /// The month before which everything is settled at this moment.
    pub fn open_month(now: Timestamp) -> Month {
        Month::of(now.checked_sub(SETTLED_AFTER).unwrap_or(now))
    }

    /// Every month of an Online Service, or of all, oldest first: those that are kept, and what the outbox tells of the others.
    ///
    /// # Errors
    /// [`OutboxError::Store`].
    pub async fn months(
        &self,
        of: Option<OnlineServiceId>,
        outbox: &Outbox,
        now: Timestamp,
    ) -> Result<Vec<Told>, OutboxError> {
        let (kept, open) = (self.kept().await?, Self::open_month(now));
        let since = if kept.is_empty() { None } else { Some(open.first_instant_after(0)) };
        let mut all: BTreeMap<_, _> = kept.into_iter().map(|each| (each.key(), (each, true))).collect();
        for counted in count(outbox.ended(since).await?) {
            all.entry(counted.key()).or_insert((counted, false));
        }
        let wanted = all.into_values().filter(|(each, _)| of.is_none_or(|of| of == each.online_service));
        Ok(wanted.map(|(counts, settled)| Told { counts, settled }).collect())
    }

    /// Keeps the sums of every month that is over and is not kept yet. To do it again changes nothing.
    ///
    /// # Errors
    /// [`OutboxError::Store`]: ask again.
    pub async fn settle(&self, outbox: &Outbox, now: Timestamp) -> Result<(), OutboxError> {
        let open = Self::open_month(now);
        for counted in count(outbox.ended(None).await?).into_iter().filter(|each| each.month < open) {
            let term = Term::from(end_of_year(counted.month));
            match self.shelf.put(&counted.name(), &counted, Expect::Absent, term).await {
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn kept(&self) -> Result<Vec<Metered>, StoreError> {
        let mut all = vec![];
        for name in self.shelf.names::<Metered>().await? {
            all.extend(self.shelf.get::<Metered>(&name).await?.map(|stored| stored.value));
        }
        Ok(all)
    }
}

impl Metered {
    fn key(&self) -> (Month, OnlineServiceId) {
        (self.month, self.online_service)
    }

    fn name(&self) -> String {
        format!("{}.{}", self.online_service, self.month)
    }
}

/// The sums of these ends.
fn count(ends: Vec<Ending>) -> Vec<Metered> {
    let mut sums = BTreeMap::new();
    for Ending { online_service, how, at } in ends {
        let month = Month::of(at);
        let none = Metered { online_service, month, delivered: 0, withdrawn: 0, undelivered: 0 };
        let sum: &mut Metered = sums.entry((month, online_service)).or_insert(none);
        match how {
            How::Acknowledged => sum.delivered += 1,
            How::Withdrawn => sum.withdrawn += 1,
            How::Undelivered => sum.undelivered += 1,
        }
    }
    sums.into_values().collect()
}

/// The first instant of the year after a month: what the period of an invoice counts from.
fn end_of_year(month: Month) -> Timestamp {
    (1..=12)
        .map(|months| Month::of(month.first_instant_after(months)))
        .find(|later| later.is_first_of_year())
        .map_or(Timestamp::MAX, |later| later.first_instant_after(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erase::retention::Row;
    use crate::fixtures::{at, id, shelves};

    #[test]
    fn a_month_is_kept_for_ten_years_from_the_end_of_its_year() {
        for (day, end) in
            [("2026-11-21T10:00:00Z", "2027"), ("2026-12-31T23:00:00Z", "2027"), ("2027-01-01T00:00:00Z", "2028")]
        {
            let from = end_of_year(Month::of(at(day)));
            assert_eq!(from, at(&format!("{end}-01-01T00:00:00Z")));
            let deadline = Row::by_id("R20").unwrap().deadline(&Term::from(from)).unwrap();
            assert_eq!(deadline.to_string(), format!("{}-01-01T00:00:00Z", end.parse::<u16>().unwrap() + 10));
        }
    }

    #[test]
    fn ends_are_counted_by_online_service_month_and_how() {
        let ended = |service, how, day: &str| Ending { online_service: id(service), how, at: at(day) };
        let sums = count(vec![
            ended(1, How::Acknowledged, "2026-11-30T23:59:59Z"),
            ended(1, How::Acknowledged, "2026-12-01T00:00:00Z"),
            ended(1, How::Acknowledged, "2026-11-01T00:00:00Z"),
            ended(1, How::Withdrawn, "2026-11-02T00:00:00Z"),
            ended(2, How::Undelivered, "2026-11-02T00:00:00Z"),
        ]);
        let told: Vec<_> =
            sums.iter().map(|sum| (sum.name(), [sum.delivered, sum.withdrawn, sum.undelivered])).collect();
        let [one, two] = [id::<crate::id::kind::OnlineService>(1), id(2)];
        let wanted = [
            (format!("{one}.2026-11"), [2, 1, 0]),
            (format!("{two}.2026-11"), [0, 0, 1]),
            (format!("{one}.2026-12"), [1, 0, 0]),
        ];
        assert_eq!(told, wanted);
    }

    #[tokio::test]
    async fn nothing_delivered_is_nothing_counted() {
        let shelves = shelves();
        let outbox = Outbox::new(&shelves, crate::fixtures::entropy());
        let metering = Metering::new(&shelves);
        metering.settle(&outbox, at("2026-12-05T00:00:00Z")).await.unwrap();
        assert_eq!(metering.months(None, &outbox, at("2026-12-05T00:00:00Z")).await.unwrap(), []);
    }
}
