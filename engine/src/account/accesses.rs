//! How often Data Sources are asked while nobody is there: four times in 24 hours at most, for each account and Data Source together, however
//! many connections it has there (RTS 2018/389 art. 36(5)(b)). Counted in the account itself, before anything is asked, so that no restart and no
//! second task begins anew.

use jiff::{SignedDuration, Timestamp};

use super::{AccountError, AccountName, Accounts, Change};

/// Most unattended accesses in [`WINDOW`].
pub const ACCESSES_MAX: usize = 4;
/// What they are counted in. It slides.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(24);

impl Accounts {
    /// Counts one more unattended access to a Data Source.
    ///
    /// # Errors
    /// [`AccountError::AccessesSpent`]: there were as many as there may be, and this one is not counted. [`AccountError::NotSignedIn`] if the
    /// account was closed.
    pub async fn count_access(&self, name: &AccountName, source: &str, now: Timestamp) -> Result<(), AccountError> {
        self.change(name, |account| {
            let counted = account.accesses.entry(source.to_owned()).or_default();
            one_more(counted, now).map_err(|next| AccountError::AccessesSpent { next })?;
            // What is of no account any more goes with the next write.
            account.accesses.retain(|_, counted| counted.iter().any(|at| is_counted(*at, now)));
            Ok(Change::Adds)
        })
        .await
    }
}

fn is_counted(at: Timestamp, now: Timestamp) -> bool {
    at.checked_add(WINDOW).is_ok_and(|end| now < end)
}

/// Adds one at `now`, if that leaves no more than [`ACCESSES_MAX`] in the window; else tells when the next one may be.
fn one_more(counted: &mut Vec<Timestamp>, now: Timestamp) -> Result<(), Timestamp> {
    // A clock that was set back makes nothing undone: what lies ahead counts, too.
    counted.retain(|at| is_counted(*at, now));
    counted.sort_unstable();
    if counted.len() >= ACCESSES_MAX {
        let frees = counted[counted.len() - ACCESSES_MAX];
        return Err(frees.checked_add(WINDOW).unwrap_or(Timestamp::MAX));
    }
    counted.push(now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::now;

    proptest! {
        #[test]
        fn no_24_hours_have_more_than_four_accesses_whenever_somebody_asks(
            steps in prop::collection::vec(0i64..12 * 3600, 1..200)
        ) {
            let (mut at, mut counted, mut given) = (now(), vec![], vec![]);
            for step in steps {
                at = at.checked_add(SignedDuration::from_secs(step)).unwrap();
                match one_more(&mut counted, at) {
                    Ok(()) => given.push(at),
                    Err(next) => {
                        prop_assert!(next > at, "it would be refused for ever");
                        prop_assert!(one_more(&mut counted.clone(), next).is_ok(), "{next} is too early");
                    }
                }
                prop_assert!(counted.len() <= ACCESSES_MAX);
            }
            for window in given.windows(ACCESSES_MAX + 1) {
                prop_assert!(window[ACCESSES_MAX].duration_since(window[0]) >= WINDOW, "{window:?}");
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_access_more() {
        let mut counted = vec![];
        for _ in 0..ACCESSES_MAX {
            one_more(&mut counted, now()).unwrap();
        }
        let back = now().checked_sub(SignedDuration::from_hours(200)).unwrap();
        assert_eq!(one_more(&mut counted, back), Err(now().checked_add(WINDOW).unwrap()));
    }
}
