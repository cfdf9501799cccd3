//! Every kind of problem that the API itself has. Names and statuses stay; `engine/golden/problems.md` has the whole table.

use axum::http::StatusCode;

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name, the end of `type`.
    pub name: &'static str,
    /// The HTTP statuses it comes with; the first one, unless the place where it happens says another.
    pub statuses: &'static [StatusCode],
    /// What happened.
    pub title: &'static str,
    /// What to do next, unless the place says something closer.
    pub next: &'static str,
}

macro_rules! kinds {
    ($($constant:ident $name:literal [$($status:ident)*] $title:literal $next:literal)*) => {
        $(
            #[doc = $title]
            pub const $constant: Kind =
                Kind { name: $name, statuses: &[$(StatusCode::$status),*], title: $title, next: $next };
        )*
        /// All of them.
        pub const KINDS: &[Kind] = &[$($constant),*];
    };
}

kinds! {
    UNAUTHORIZED "unauthorized" [UNAUTHORIZED]
        "The caller is not known."
        "Send `Authorization: Bearer TOKEN`: an Online Service the access token of `POST /v1/token`, a person the session's token, an operator their key."
    ASSERTION "client-assertion" [UNAUTHORIZED]
        "The Online Service did not prove who it is."
        "Send grant_type, client_assertion_type and client_assertion as the description of the API says: a new JWT, signed with the registered key."
    NOT_FOUND "not-found" [NOT_FOUND]
        "There is no such thing here."
        "Check the address and the key."
    METHOD "method" [METHOD_NOT_ALLOWED]
        "This method is not served here."
        "Use the method that the description of the API names."
    BODY "body" [BAD_REQUEST REQUEST_TIMEOUT PAYLOAD_TOO_LARGE UNSUPPORTED_MEDIA_TYPE UNPROCESSABLE_ENTITY]
        "The body is not what is expected."
        "Send a body of the form and size that the description of the API names."
    QUERY "query" [BAD_REQUEST]
        "The query is not what is expected."
        "Send what the description of the API names, each once."
    IDEMPOTENCY_KEY "idempotency-key" [BAD_REQUEST]
        "The idempotency key is none."
        "Send 1 to 255 letters in `Idempotency-Key`, new for each thing that is made."
    OTHER_BODY "other-body" [UNPROCESSABLE_ENTITY]
        "This idempotency key came with another body before."
        "Use a new key for another request."
    IN_PROGRESS "in-progress" [CONFLICT]
        "The request with this idempotency key is still being answered."
        "Wait for its answer, or ask again in a moment."
    TOO_OFTEN "too-often" [TOO_MANY_REQUESTS]
        "The caller asks too often."
        "Wait for as many seconds as `Retry-After` says. The operator sets the limit with requests-per-minute-max."
    REQUEST "request" [UNPROCESSABLE_ENTITY]
        "The request is refused."
        "Compare the request with the registered purpose."
    SOURCE "source" [UNPROCESSABLE_ENTITY]
        "This source can't be used."
        "Choose one of the session's sources."
    WRONG_STATE "wrong-state" [CONFLICT]
        "The session is not at this point."
        "Read the session's state and events; they say what comes next."
    NOT_ASKED "not-asked" [CONFLICT]
        "Nobody is asking this (any more)."
        "Read the session's state and events; they say what comes next."
    FIELDS "fields" [UNPROCESSABLE_ENTITY]
        "The login or the answer can't be used."
        "Send the fields that are asked for, each as UTF-8 of at most 4096 bytes."
    CONSENT "consent" [CONFLICT]
        "The consent does not allow this."
        "Show the person the notice again and let them decide."
    DECISION "decision" [UNPROCESSABLE_ENTITY]
        "The decision is about something else."
        "Number the items as the preview does, from 0, and name categories that were consented to."
    GATE "gate" [CONFLICT]
        "Nothing was released."
        "Keep at least one item, or withdraw."
    GONE "gone" [GONE]
        "The parcel is not here any more."
        "Nothing: it was acknowledged, withdrawn, or its hour is over."
    OTHER_DIGEST "other-digest" [CONFLICT]
        "The digest is not that of the parcel."
        "Compute the SHA-256 of the bytes that were fetched, and acknowledge that."
    RIGHT "right" [UNPROCESSABLE_ENTITY]
        "The request can't be taken."
        "Send what the description of the API names for this right."
    ROLE "role" [FORBIDDEN]
        "This operator has no role for it."
        "Ask an operator who has one of the roles."
    ACCOUNT "account" [CONFLICT]
        "The account does not do this."
        "Take something out of the account, or close it."
    PASSKEY "passkey" [UNPROCESSABLE_ENTITY]
        "The passkey is not accepted."
        "Begin again, with a passkey of this account."
    TOO_MANY_SESSIONS "too-many-sessions" [TOO_MANY_REQUESTS]
        "This Online Service has as many open sessions as it may have."
        "Wait until one of them has ended: each does within an hour of its start. The operator sets how many there may be with sessions-per-online-service-max."
    TOO_MANY_STREAMS "too-many-streams" [TOO_MANY_REQUESTS]
        "As many streams of events are open as may be, of this session or of all."
        "Close one of this session's, or ask where the session stands and open a stream later."
    BUSY "busy" [SERVICE_UNAVAILABLE]
        "There are as many open sessions as this node can have."
        "Try again later."
    STOPPING "stopping" [SERVICE_UNAVAILABLE]
        "This node is about to stop."
        "Try again in a minute, at this or at another node."
    MAINTENANCE "maintenance" [SERVICE_UNAVAILABLE]
        "This source is in maintenance."
        "Choose another source, or come back later."
    FULL "full" [INSUFFICIENT_STORAGE]
        "The disk of the engine is full."
        "The operator has to make room. What was not stored did not happen: try again then, unless the session's state says that it has ended."
    DEGRADED "degraded" [SERVICE_UNAVAILABLE]
        "The engine can't do its work now."
        "Look into the log: it names the reason."
}
