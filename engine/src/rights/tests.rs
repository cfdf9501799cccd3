use jiff::SignedDuration;

use super::*;
use crate::consent::Notice;
use crate::consent::notice::Language;
use crate::erase::retention::Term;
use crate::fixtures::{REQUEST, bank, id, lender_in, now, operator, request as data_request};
use crate::jose::Algorithm;
use crate::jose::tests::published_key;

const ROLES: [Role; 3] = [Role::Controller, Role::Processor, Role::Joint];

fn ask(right: Right) -> Ask {
    let ground = (right == Right::Restriction).then_some(Ground::AccuracyDisputed);
    Ask { right, ground, statement: Some("my name is spelt Marie".to_owned()), transmit_to: None }
}

fn request(right: Right, role: Role) -> RightsRequest {
    RightsRequest::received(id(1), ask(right), (id(2), id(3), role), vec![], now())
}

fn answer(outcome: Outcome, reason: Option<&str>) -> String {
    let answer = Answer { request: id(1), outcome, reason: reason.map(str::to_owned), at: now() };
    answer.sign(&published_key(Algorithm::Ps256)).unwrap()
}

/// What a lawyer reads: for each right and role, what is done here and what goes on.
#[test]
fn the_routes_are_those_that_a_lawyer_has_read() {
    let mut table =
        String::from("| right | law | role of the Online Service | here | passed on |\n|---|---|---|---|---|\n");
    for right in Right::ALL {
        for role in ROLES {
            let Route { here, forward } = right.route(role);
            let [role, here] = [serde_json::to_value(role), serde_json::to_value(here)].map(Result::unwrap);
            let (role, here) = (role.as_str().unwrap(), here.as_str().unwrap());
            let forward = if forward { "yes, answered within 20 days" } else { "no" };
            table += &format!("| {} | {} | {role} | {here} | {forward} |\n", right.name(), right.law());
        }
    }
    let golden = include_str!("../../golden/rights-routes.md");
    assert!(golden.ends_with(&table), "golden/rights-routes.md must end with:\n{table}");
}

/// What a lawyer reads: the same request under each role, and what the role decides.
#[test]
fn each_role_has_its_notice_its_routes_and_its_record() {
    let compiled =
        ROLES.map(|role| Notice::compile(&data_request(REQUEST), &lender_in(role), &bank(), &operator()).unwrap());
    let said = |language| {
        let lines: [Vec<String>; 3] = compiled
            .each_ref()
            .map(|notice| notice.sections(language).iter().flat_map(|part| part.lines.clone()).collect());
        // What only one of them says is what its role says.
        let own = lines
            .each_ref()
            .map(|own| own.iter().filter(|line| !lines.iter().all(|all| all.contains(line))).cloned().collect());
        own.map(|lines: Vec<String>| lines.join(" "))
    };
    let passed_on = |role: Role| {
        let names = Right::ALL.into_iter().filter(|right| right.route(role).forward).map(Right::name);
        names.collect::<Vec<_>>().join(", ")
    };
    let parties = |role: Role| export::roles(role).join("; the operator: ");
    let mut table = String::from(
        "# What the role of an Online Service decides\n\nThe same request under each of the three roles that a contract can give an Online \
         Service: what the person is told before they decide,\nwhich rights are passed on to it, and what stands in the record of processing \
         activities and in each record of consent.\n\n| | controller | processor | joint |\n|---|---|---|---|\n",
    );
    for (name, cells) in [
        ("notice, in English", said(Language::En)),
        ("notice, in French", said(Language::Fr)),
        ("rights that are passed on to it", ROLES.map(passed_on)),
        ("record of processing activities", ROLES.map(|role| crate::register::roles(role).to_owned())),
        ("record of consent", ROLES.map(parties)),
    ] {
        assert!(cells.iter().all(|cell| !cell.is_empty()) && cells[0] != cells[1] && cells[1] != cells[2]);
        table += &format!("| {name} | {} |\n", cells.join(" | "));
    }
    crate::fixtures::golden("roles.md", &table);
}

#[test]
fn an_ask_has_what_its_right_needs_and_nothing_else() {
    let bare = |right| Ask { right, ground: None, statement: None, transmit_to: None };
    for right in Right::ALL {
        assert_eq!(ask(right).check(), Ok(()));
    }
    assert_eq!(bare(Right::Restriction).check(), Err(AskError::Ground));
    assert_eq!(bare(Right::Rectification).check(), Err(AskError::Statement));
    assert_eq!(bare(Right::PostMortem).check(), Err(AskError::Statement));
    assert_eq!(Ask { ground: Some(Ground::Claims), ..bare(Right::Access) }.check(), Err(AskError::OtherRight));
    assert_eq!(Ask { transmit_to: Some(id(1)), ..bare(Right::Access) }.check(), Err(AskError::OtherRight));
    let long = Ask { statement: Some("x".repeat(TEXT_BYTES_MAX + 1)), ..bare(Right::Rectification) };
    assert_eq!(long.check(), Err(AskError::TooLong));
}

#[test]
fn what_is_passed_on_waits_for_a_signed_answer_and_silence_is_shown() {
    let signer = published_key(Algorithm::Ps256);
    let waiting = request(Right::Access, Role::Controller);
    assert_eq!((waiting.state, waiting.term()), (State::AwaitingParty, Term::open()));
    assert_eq!(waiting.expected_by.to_string(), "2026-12-21T10:00:00Z");
    let later = now() + PARTY_ANSWERS;
    assert!(waiting.is_silent(later) && !waiting.is_silent(later - SignedDuration::from_secs(1)));
    let done = waiting.clone().answered(&answer(Outcome::Done, None), signer.public(), later).unwrap();
    assert_eq!((done.state, done.is_silent(later), done.closed_at), (State::Fulfilled, false, Some(later)));
    let again = done.clone().answered(&answer(Outcome::Refused, Some("no")), signer.public(), later).unwrap();
    assert_eq!(again, done, "the first answer counts");
    let refused = waiting.clone().answered(&answer(Outcome::Refused, Some("a claim")), signer.public(), later).unwrap();
    assert_eq!((refused.state, refused.reasons.as_slice()), (State::PartiallyFulfilled, &[Reason::PartyRefuses][..]));
    for wrong in [answer(Outcome::Partly, None), answer(Outcome::Done, None) + "x"] {
        assert!(waiting.clone().answered(&wrong, signer.public(), later).is_err());
    }
    let other = RightsRequest { id: id(9), ..waiting };
    assert!(other.answered(&answer(Outcome::Done, None), signer.public(), later).is_err(), "about another request");
    let own = request(Right::Access, Role::Processor);
    assert_eq!((own.state, own.forwarded.is_none()), (State::Fulfilled, true));
    assert!(own.answered(&answer(Outcome::Done, None), signer.public(), later).is_err());
}

#[test]
fn a_request_takes_longer_once_with_a_reason_and_is_refused_with_one() {
    let waiting = request(Right::Erasure, Role::Joint);
    assert!(waiting.clone().extend(" ", now()).is_err());
    let longer = waiting.clone().extend("many sources", now()).unwrap();
    assert_eq!(longer.expected_by.to_string(), "2027-02-21T10:00:00Z");
    assert!(longer.clone().extend("more", now()).is_err());
    assert!(waiting.clone().extend("too late", waiting.expected_by).is_err() && waiting.is_late(waiting.expected_by));
    let refused = waiting.clone().refuse("a court has it", now()).unwrap();
    assert_eq!((refused.state, refused.decision.as_deref()), (State::PartiallyFulfilled, Some("a court has it")));
    assert!(refused.refuse("again", now()).is_err() && waiting.refuse("", now()).is_err());
}
