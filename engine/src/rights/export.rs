//! What somebody gets a copy of: everything that is kept about one consent, in names that others know. Pure.
//!
//! The record of consent is written by ISO/IEC TS 27560, in the terms of the W3C Data Privacy Vocabulary, with what open banking
//! adds to it: how often, how far back, until when, and how long the recipient keeps what it gets.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Right, RightsRequest};
use crate::consent::{AccessTerms, Consent, Status};
use crate::online_service::Role;

/// The profile of a record of consent.
const RECORD_PROFILE: &str = "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr";
/// What this copy is.
pub const SCHEMA: &str = "urn:consentry:schema:export:0.1";

/// The record of consent.
pub fn record(consent: &Consent) -> Value {
    let told = consent.told();
    let party = |name: &str, contact: &str, role: &str| json!({ "party_name": name, "party_contact": contact, "party_role": role });
    let [service_role, own_role] = roles(told.online_service.role);
    let mut parties = vec![
        party(&told.online_service.name, &told.online_service.contact, service_role),
        party(&told.operator.name, &told.operator.contact, own_role),
    ];
    parties.extend(told.processing.all().map(|each| {
        json!({
            "party_name": each.name, "party_role": "dpv:DataSubProcessor", "purpose": each.purpose, "data": each.data,
            "country": each.country, "transfer": each.transfer,
        })
    }));
    let information: Vec<Value> = told
        .asked
        .iter()
        .map(|asked| {
            json!({
                "pii_type": asked.category, "necessity": asked.why,
                "granted": consent.granted().contains(&asked.category),
            })
        })
        .collect();
    let terms = told.access;
    json!({
        "schema_version": RECORD_PROFILE,
        "record_id": consent.id(),
        "privacy_notice": { "notice_sha256": consent.notice(), "policy_sha256": told.processing.policy },
        "purpose": { "id": told.purpose, "description": told.why },
        "lawful_basis": "eu-gdpr:A6-1-a",
        "pii_information": information,
        "predicates": told.predicates.iter().map(|asked| {
            json!({ "predicate": asked.predicate, "necessity": asked.why, "granted": consent.predicates().contains(&asked.predicate) })
        }).collect::<Vec<_>>(),
        "third_parties": told.third_parties,
        "collection_method": {
            "data_source": told.source.name, "country": told.source.country, "connector": told.source.connector,
            "connector_version": told.source.version, "connector_digest": told.source.digest,
        },
        "retention_period": "R14",
        "jurisdiction": "EU",
        "withdrawal_method": "dpv:hasConsentControl: /v1/rights with the receipt, at any moment",
        "privacy_rights": Right::ALL.map(Right::law),
        "access_terms": {
            "recurringIndicator": terms.is_some(), "frequencyPerDay": terms.map_or(1, AccessTerms::frequency_per_day), "validUntil": consent.valid_until(),
            "history_days": consent.history_days(), "consentMode": "STORE", "DataLife_days": told.online_service.keep_days,
        },
        "parties": parties,
        "access_attested": consent.attested(),
        "restricted": consent.restriction(),
        "statements": consent.statements(),
        "events": [
            { "event_state": "dpv:ConsentRequested", "event_time": consent.asked_at() },
            { "event_state": state(consent.status()), "event_time": consent.changed_at() },
        ],
    })
}

/// What the Online Service and the operator are, by their names in the Data Privacy Vocabulary.
pub fn roles(role: Role) -> [&'static str; 2] {
    match role {
        Role::Controller => ["dpv:DataController", "dpv:DataProcessor"],
        Role::Processor => ["dpv:Recipient", "dpv:DataController"],
        Role::Joint => ["dpv:JointDataControllers", "dpv:JointDataControllers"],
    }
}

/// The state of a consent by its name in the Data Privacy Vocabulary.
pub fn state(status: Status) -> &'static str {
    match status {
        Status::Requested => "dpv:ConsentRequested",
        Status::Given => "dpv:ConsentGiven",
        Status::Refused => "dpv:ConsentRefused",
        Status::Withdrawn => "dpv:ConsentWithdrawn",
        Status::Expired => "dpv:ConsentExpired",
    }
}

/// A request as the person sees it.
pub fn request(request: &RightsRequest, now: Timestamp) -> Value {
    json!({
        "request": request.id,
        "right": request.ask.right,
        "law": request.ask.right.law(),
        "state": request.state,
        "received_at": request.received_at,
        "expected_by": request.expected_by,
        "late": request.is_late(now),
        "extended": request.extended,
        "reasons": request.reasons,
        "decision": request.decision,
        "closed_at": request.closed_at,
        "online_service": request.forwarded.as_ref().map(|forwarded| json!({
            "id": request.online_service,
            "answer_by": forwarded.answer_by,
            "fetched_at": forwarded.fetched_at,
            "answer": forwarded.answer,
            "silent": request.is_silent(now),
        })),
    })
}
