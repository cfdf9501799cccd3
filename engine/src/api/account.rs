//! Accounts: opened and entered with a passkey, by the token that gives; what is in them, and what they ask for.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::body::Unread;
use super::describe::{Created, NoContent, Shaped};
use super::problem::{BODY, Problem};
use super::rights::{Looked, Standing, TakenBack};
use super::synchronisation::Connected;
use super::{Answer, At, Body, Person, Shared, bearer};
use crate::account::{AccountName, Contact, SIGNED_IN};
use crate::consent::Status;
use crate::engine::EngineError;
use crate::id::{ConsentId, EventId, OnlineServiceId, ReceiptId};
use crate::rights::Ask;

/// Somebody who is signed in, and by which token.
pub(super) struct Holder {
    account: AccountName,
    token: String,
}

impl Holder {
    pub(super) fn account(&self) -> &AccountName {
        &self.account
    }
}

impl FromRequestParts<Shared> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, engine: &Shared) -> Result<Self, Problem> {
        let token = bearer(parts).ok_or_else(Problem::unauthorized)?.to_owned();
        let account = engine.account_of(&token).ok_or_else(Problem::unauthorized)?;
        Ok(Self { account, token })
    }
}

/// What WebAuthn has a browser do: options for `navigator.credentials`, in the form of `parseCreationOptionsFromJSON` or
/// `parseRequestOptionsFromJSON`.
type Options = Json<Map<String, Value>>;
/// What `toJSON()` of the browser's credential gives.
type Credential = Unread<Map<String, Value>>;

/// A way in.
#[derive(Serialize, JsonSchema)]
pub(super) struct SignedIn {
    /// Shown as bearer from now on.
    token: String,
    /// In seconds.
    expires_in: i64,
}

impl SignedIn {
    fn by(token: String) -> Self {
        Self { token, expires_in: SIGNED_IN.as_secs() }
    }
}

/// Everything in an account.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what the engine makes")]
pub(super) struct Held {
    opened_at: Timestamp,
    contact: Option<String>,
    passkeys: Vec<Key>,
    receipts: Vec<Access>,
    /// What authorities ordered to be told of who the person is, as far as an order does not forbid to say so.
    lifted: Vec<Lifted>,
    /// What is synchronised while its person is not there.
    connections: Vec<Connected>,
}

/// An authority's order that was followed.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what the engine makes")]
pub(super) struct Lifted {
    order: EventId,
    at: Timestamp,
    authority: String,
    /// The law and the order that it rests on.
    basis: String,
    consent: ConsentId,
}

/// A passkey.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what the engine makes")]
pub(super) struct Key {
    id: String,
    made_at: Timestamp,
}

/// A receipt: from where to whom something went.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of what the engine makes")]
pub(super) struct Access {
    receipt: ReceiptId,
    consent: ConsentId,
    online_service: OnlineServiceId,
    online_service_name: Option<String>,
    source: String,
    kept_at: Timestamp,
    /// Of the consent; none once its record is gone.
    state: Option<Status>,
    /// The receipt itself.
    token: String,
}

/// Where the person is reached.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reached {
    /// An address of electronic mail; nowhere with null.
    contact: Option<String>,
}

/// A receipt to keep.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    /// With all its disclosures.
    receipt: String,
}

/// A receipt that is kept.
#[derive(Serialize, JsonSchema)]
pub(super) struct Kept {
    receipt: ReceiptId,
}

/// A request under a right, about one consent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    consent: ConsentId,
    ask: Ask,
}

/// Whose account a session is linked with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Linked {
    /// The token of who is signed in.
    account: String,
}

/// Options for the first passkey of a new account.
pub(super) async fn begin(State(engine): At) -> Answer<Options> {
    options(engine.accounts().begin().map_err(EngineError::from)?)
}

/// Opens an account.
pub(super) async fn open(State(engine): At, made: Credential) -> Answer<Created<SignedIn>> {
    let token = engine.open_account(made.0.as_bytes()).await?;
    Ok(Created(Some("/v1/account".to_owned()), SignedIn::by(token)))
}

/// Options to ask for a passkey.
pub(super) async fn begin_sign_in(State(engine): At) -> Answer<Options> {
    options(engine.accounts().begin_sign_in().map_err(EngineError::from)?)
}

/// Signs in.
pub(super) async fn sign_in(State(engine): At, shown: Credential) -> Answer<Created<SignedIn>> {
    let token = engine.enter_account(shown.0.as_bytes()).await?;
    Ok(Created(None, SignedIn::by(token)))
}

/// Signs out.
pub(super) async fn sign_out(State(engine): At, holder: Holder) -> NoContent {
    engine.accounts().sign_out(&holder.token);
    NoContent
}

/// Everything in the account.
pub(super) async fn copy(State(engine): At, holder: Holder) -> Answer<Shaped<Held>> {
    Ok(Shaped::new(engine.account_copy(&holder.account).await?))
}

/// Closes it.
pub(super) async fn close(State(engine): At, holder: Holder) -> Answer<NoContent> {
    engine.close_account(&holder.account).await?;
    Ok(NoContent)
}

/// Sets the contact, or takes it away.
pub(super) async fn contact(State(engine): At, holder: Holder, Body(reached): Body<Reached>) -> Answer<NoContent> {
    let contact = reached.contact.map(Contact::try_from).transpose();
    let contact = contact.map_err(|error| Problem::of(&BODY).detail(error))?;
    engine.accounts().set_contact(&holder.account, contact).await.map_err(EngineError::from)?;
    Ok(NoContent)
}

/// Options for one more passkey.
pub(super) async fn begin_passkey(State(engine): At, holder: Holder) -> Answer<Options> {
    options(engine.accounts().begin_passkey(&holder.account).await.map_err(EngineError::from)?)
}

/// Adds it.
pub(super) async fn add_passkey(State(engine): At, holder: Holder, made: Credential) -> Answer<NoContent> {
    engine.add_passkey(&holder.account, made.0.as_bytes()).await?;
    Ok(NoContent)
}

/// Takes one away.
pub(super) async fn remove_passkey(State(engine): At, holder: Holder, Path(id): Path<String>) -> Answer<NoContent> {
    engine.accounts().remove_passkey(&holder.account, &id).await.map_err(EngineError::from)?;
    Ok(NoContent)
}

/// Keeps a receipt.
pub(super) async fn keep(State(engine): At, holder: Holder, Body(shown): Body<Shown>) -> Answer<Json<Kept>> {
    let receipt = engine.keep_in_account(&holder.account, &shown.receipt).await?;
    Ok(Json(Kept { receipt }))
}

/// Lets go of one.
pub(super) async fn let_go(State(engine): At, holder: Holder, Path(receipt): Path<String>) -> Answer<NoContent> {
    let receipt = receipt.parse().map_err(|_| Problem::not_found())?;
    engine.accounts().let_go(&holder.account, receipt).await.map_err(EngineError::from)?;
    Ok(NoContent)
}

/// Asks under a right.
pub(super) async fn ask(
    State(engine): At,
    holder: Holder,
    Body(asked): Body<Asked>,
) -> Answer<Created<Shaped<Standing>>> {
    let told = engine.ask_right_in_account(&holder.account, asked.consent, asked.ask).await?;
    Ok(Created(None, Shaped::new(told)))
}

/// Where the requests about a consent stand.
pub(super) async fn look(State(engine): At, holder: Holder, Path(consent): Path<String>) -> Answer<Shaped<Looked>> {
    let consent = consent.parse().map_err(|_| Problem::not_found())?;
    Ok(Shaped::new(engine.look_at_rights_in_account(&holder.account, consent).await?))
}

/// Takes back the login that was lent after a run under this consent had failed.
pub(super) async fn take_back(
    State(engine): At,
    holder: Holder,
    Path(consent): Path<String>,
) -> Answer<Json<TakenBack>> {
    let consent = consent.parse().map_err(|_| Problem::not_found())?;
    Ok(TakenBack::by(&engine.take_back_in_account(&holder.account, consent).await?))
}

/// Links the session with an account.
pub(super) async fn link(Person(session): Person, State(engine): At, Body(linked): Body<Linked>) -> Answer<NoContent> {
    let account = engine.account_of(&linked.account).ok_or_else(Problem::unauthorized)?;
    engine.link(&session, &account).await?;
    Ok(NoContent)
}

fn options(told: Value) -> Answer<Options> {
    match told {
        Value::Object(members) => Ok(Json(members)),
        _ => Err(Problem::not_found()),
    }
}
