//! A person's rights: asked for with a receipt, looked at with a receipt, answered by the Online Service.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::describe::{Created, NoContent, Shaped};
use super::{Answer, At, Body, Caller, Problem, Text};
use crate::erase::receipt::ErasureReceipt;
use crate::id::{ConsentId, OnlineServiceId, RightsRequestId};
use crate::jose::holder::PROOF_LIFE;
use crate::maintenance::lent::Seen;
use crate::rights::{Ask, Ground, Reason, Right, State as RequestState};

/// A request under a right.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Who asks: the receipt, with all its disclosures.
    receipt: String,
    /// What.
    ask: Ask,
}

/// Who looks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    /// The receipt, with all its disclosures.
    receipt: String,
}

/// What a proof of a receipt's key has to name.
#[derive(Serialize, JsonSchema)]
pub(super) struct Nonce {
    /// `nonce` of the proof; it is taken once.
    nonce: String,
    /// `aud` of the proof.
    audience: String,
    /// In seconds.
    expires_in: i64,
}

/// A nonce for a key binding JWT.
pub(super) async fn nonce(State(engine): At) -> Json<Nonce> {
    let (nonce, audience) = engine.give_nonce();
    Json(Nonce { nonce, audience: audience.to_owned(), expires_in: PROOF_LIFE.as_secs() })
}

/// A request, as the person sees it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what `rights::export` makes")]
pub(super) struct Standing {
    request: RightsRequestId,
    right: Right,
    /// The article of the GDPR.
    law: String,
    state: RequestState,
    received_at: Timestamp,
    /// By when it is answered.
    expected_by: Timestamp,
    late: bool,
    /// Why it takes longer, if it was said.
    extended: Option<String>,
    /// What was not done, and why.
    reasons: Vec<Reason>,
    /// The operator's words, where it decided.
    decision: Option<String>,
    closed_at: Option<Timestamp>,
    /// What went on to the Online Service.
    online_service: Option<Party>,
    /// It had been asked before, and is open.
    #[serde(default)]
    duplicate: Option<bool>,
    /// What came of it at once: a copy, or what survives an erasure.
    #[serde(default)]
    result: Option<Map<String, Value>>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what `rights::export` makes")]
pub(super) struct Party {
    id: OnlineServiceId,
    /// After that its silence is shown.
    answer_by: Timestamp,
    fetched_at: Option<Timestamp>,
    /// Its signed answer, a JWS.
    answer: Option<String>,
    silent: bool,
}

/// The requests about one consent.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what `rights::export` makes")]
pub(super) struct Looked {
    requests: Vec<Standing>,
    /// The login that the person lent for re-tests, whether it is still there or not.
    lent: Option<Seen>,
}

/// A lent login that was taken back.
#[derive(Serialize, JsonSchema)]
pub(super) struct TakenBack {
    /// The signed receipt of the erasure, a JWS.
    erasure: String,
}

impl TakenBack {
    pub(super) fn by(receipt: &ErasureReceipt) -> Json<Self> {
        Json(Self { erasure: receipt.token().to_owned() })
    }
}

/// What an Online Service has to answer.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what the engine makes")]
pub(super) struct Open {
    requests: Vec<ToAnswer>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what the engine makes")]
pub(super) struct ToAnswer {
    request: RightsRequestId,
    right: Right,
    law: String,
    consent: ConsentId,
    ground: Option<Ground>,
    statement: Option<String>,
    transmit_to: Option<OnlineServiceId>,
    received_at: Timestamp,
    answer_by: Timestamp,
}

/// A person asks. What is done here is done when the answer comes, and a copy is in it.
pub(super) async fn ask(State(engine): At, Body(asked): Body<Asked>) -> Answer<Created<Shaped<Standing>>> {
    let told = engine.ask_right(&asked.receipt, asked.ask).await?;
    Ok(Created(None, Shaped::new(told)))
}

/// Where the person's requests stand.
pub(super) async fn look(State(engine): At, Body(shown): Body<Shown>) -> Answer<Shaped<Looked>> {
    Ok(Shaped::new(engine.look_at_rights(&shown.receipt).await?))
}

/// Takes back the login that the person lent for re-tests: it is erased at once.
pub(super) async fn take_back(State(engine): At, Body(shown): Body<Shown>) -> Answer<Json<TakenBack>> {
    Ok(TakenBack::by(&engine.take_back(&shown.receipt).await?))
}

/// What the Online Service has to answer.
pub(super) async fn open(caller: Caller, State(engine): At) -> Answer<Shaped<Open>> {
    Ok(Shaped::new(engine.rights_for(&caller.0).await?))
}

/// Its signed answer.
pub(super) async fn answer(
    caller: Caller,
    State(engine): At,
    Path(request): Path<String>,
    Text(token): Text,
) -> Answer<NoContent> {
    let request: RightsRequestId = request.parse().map_err(|_| Problem::not_found())?;
    engine.answer_right(&caller.0, request, token.trim()).await?;
    Ok(NoContent)
}
