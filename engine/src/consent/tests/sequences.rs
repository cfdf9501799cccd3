//! Whatever happens in whatever order: nothing is done outside of an active consent. And the table of what each state of a consent
//! decides about each category, for a lawyer to read.

use proptest::prelude::*;

use super::*;
use crate::data::Category;
use crate::rights::Ground;

/// Something that happens to one consent.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Give,
    Refuse,
    Withdraw,
    Expire,
    Restrict,
    IssueGrant,
    UseGrant,
    Minutes(u8),
    Look,
    Dispatch,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => Just(Happens::Give),
        1 => Just(Happens::Refuse),
        1 => Just(Happens::Withdraw),
        1 => Just(Happens::Expire),
        1 => Just(Happens::Restrict),
        2 => Just(Happens::IssueGrant),
        2 => Just(Happens::UseGrant),
        2 => (1..20_u8).prop_map(Happens::Minutes),
        3 => Just(Happens::Look),
        3 => Just(Happens::Dispatch),
    ]
}

/// What a person would say: they agreed, and nothing has ended it.
#[derive(Debug, Default)]
struct Said {
    given: bool,
    over: bool,
    restricted: bool,
    minutes: i64,
}

impl Said {
    fn is_active(&self) -> bool {
        self.given && !self.over && !self.restricted && self.minutes < 30
    }
}

async fn tell(register: &ConsentRegister, told: &[Happens]) {
    let (consent, notice) = (id(1), notice());
    register.ask(consent, id(1), &request(crate::fixtures::REQUEST), &notice, later(), now()).await.unwrap();
    let mut said = Said::default();
    for happens in told {
        let at = now() + SignedDuration::from_mins(said.minutes);
        let before = said.is_active();
        match happens {
            Happens::Give => {
                let granted = categories(&["person.name"]);
                if register.give(consent, &notice.digest(), &granted, at).await.is_ok() {
                    assert!(!said.over, "agreed after its end");
                    said.given = true;
                }
            }
            Happens::Refuse => said.over |= register.refuse(consent, at).await.is_ok(),
            Happens::Withdraw => said.over |= register.withdraw(consent, at).await.is_ok(),
            Happens::Expire => {
                register.expire(consent, at).await.unwrap();
                said.over = true;
            }
            Happens::Restrict => {
                register.restrict(consent, Ground::Claims, at).await.unwrap();
                said.restricted = true;
            }
            Happens::IssueGrant => assert!(register.issue_grant(consent, id(9), at).await.is_err() || before),
            Happens::UseGrant => assert!(register.use_grant(consent, id(9), "node", at).await.is_err() || before),
            Happens::Minutes(minutes) => said.minutes += i64::from(*minutes),
            Happens::Look => assert_eq!(register.active(consent, at).await.is_ok(), before, "{told:?}"),
            Happens::Dispatch => {
                let sent = match register.active(consent, at).await {
                    Ok(active) => register.dispatch(active, id(1), at).await.is_ok(),
                    Err(_) => false,
                };
                assert_eq!(sent, before, "{told:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_leads_to_a_release_outside_an_active_consent(
        told in proptest::collection::vec(happens(), 1..14)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(tell(&register(), &told));
    }
}

/// What happened to a consent, in the words of the table.
const STATES: [(&str, &[Happens]); 7] = [
    ("asked", &[]),
    ("given", &[Happens::Give]),
    ("refused", &[Happens::Refuse]),
    ("withdrawn", &[Happens::Give, Happens::Withdraw]),
    ("expired", &[Happens::Give, Happens::Expire]),
    ("its time is over", &[Happens::Give, Happens::Minutes(30)]),
    ("restricted", &[Happens::Give, Happens::Restrict]),
];

#[tokio::test]
async fn what_each_state_decides_about_each_category_is_what_a_lawyer_has_read() {
    let mut table =
        String::from("| category | consent | if it was granted | if it was not granted |\n|---|---|---|---|\n");
    let mut decided = Vec::new();
    for (state, told) in STATES {
        let register = register();
        tell(&register, told).await;
        let at = now() + SignedDuration::from_mins(if state == "its time is over" { 30 } else { 0 });
        let words = match register.active(id(1), at).await {
            // The one category that is granted in these states.
            Ok(active) => {
                assert_eq!(active.categories(), &categories(&["person.name"]));
                ["released, after the review".to_owned(), "nothing: it was not granted".to_owned()]
            }
            Err(error) => [format!("nothing: {error}"), format!("nothing: {error}")],
        };
        decided.push((state, words));
    }
    for category in Category::all() {
        for (state, [granted, other]) in &decided {
            table += &format!("| {category} | {state} | {granted} | {other} |\n");
        }
    }
    let golden = include_str!("../../../golden/release-matrix.md");
    assert!(golden.ends_with(&table), "golden/release-matrix.md must end with:\n{table}");
}
