//! An OpenID provider by authorisation code with PKCE (RFC 6749, RFC 7636, OpenID Connect Core): login page, consent page, callback,
//! token, userinfo. The connector sees neither the code nor the token: the manifest's captures cut them out, and it holds handles.

mod claims;

use consentry_sdk::contract::{prompt, random};
use consentry_sdk::prelude::*;
use consentry_sdk::request::{Piece, encoded};

consentry_sdk::connector!(collect);

/// The scope that each category needs; what is not wanted is not asked for.
const SCOPES: [(&str, &str); 6] = [
    ("person.name", "profile"),
    ("person.birth", "profile"),
    ("person.email", "email"),
    ("person.phone", "phone"),
    ("person.address", "address"),
    ("bank.account", "bank"),
];

fn collect() -> Result {
    progress::step("login");
    let verifier = verifier();
    let consent = login(&authorise(&verifier)?)?;
    credentials::authenticated()?;
    progress::step("consent");
    let code = decide(&consent)?;
    progress::step("claims");
    let token = exchange(&code, &verifier)?;
    let claims = get("/me").header("authorization", ("Bearer ", &token)).expect(&["claims", "claims-without-phone"])?;
    claims::emit(&claims)?;
    revoke(&token)
}

/// 64 random characters: RFC 7636 wants 43 to 128.
fn verifier() -> String {
    random::bytes(32).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends the request for authorisation; the provider answers with its login page.
fn authorise(verifier: &str) -> Result<Page> {
    let (redirect_uri, state) = prompt::callback();
    let challenge = credentials::digest("sha-256", &[Piece::Text(verifier.to_owned())])?;
    let client = operator("client-id")?;
    let request = get("/auth").query("response_type", "code").query("client_id", &client);
    let request = request.query("redirect_uri", redirect_uri).query("state", state).query("scope", scope());
    let request =
        request.query("code_challenge_method", "S256").query("code_challenge", encoded("base64url", &challenge));
    request.expect(&["login"])
}

fn scope() -> String {
    let mut scopes = vec!["openid"];
    scopes.extend(SCOPES.iter().filter(|(category, _)| job::wanted(category)).map(|(_, scope)| *scope));
    scopes.dedup();
    scopes.join(" ")
}

fn login(page: &Page) -> Result<Page> {
    let (login, password) = (credential("login")?, credential("password")?);
    let form = page.fill("login-form", "form[method=post]")?;
    form.field("login", &login).field("password", &password).expect(&["consent"])
}

/// Asks the person what the provider asks, and answers it; with a yes comes the code. A no is told to the provider too.
fn decide(page: &Page) -> Result<Secret> {
    let scopes = page.table("ul.scopes li", [text("scope", "")])?;
    let scopes: Vec<&str> = scopes.rows().map(|[scope]| scope).collect();
    let label = |name: &str, form: &str| page.need(name, &format!("form#{form} button"), "text");
    let question = ask("choose").detail("target", scopes.join(", "));
    let question =
        question.detail("option:allow", label("allow", "allow")?).detail("option:deny", label("deny", "deny")?);
    let form = match question.text("decision") {
        Ok(choice) if choice == "allow" => "form#allow",
        Ok(_) => "form#deny",
        Err(fault) if fault.is(Code::ChallengeDenied) => "form#deny",
        Err(fault) => return Err(fault),
    };
    let callback = page.fill("decision-form", form)?.send()?;
    if callback.url().contains("error=access_denied") {
        return Err(Code::ChallengeDenied.fault("the person did not allow it"));
    }
    callback.captured("code").ok_or_else(|| Code::PageUnrecognised.fault("the callback brings no code"))
}

fn exchange(code: &Secret, verifier: &str) -> Result<Secret> {
    let (redirect_uri, _) = prompt::callback();
    let client = client()?;
    let request = post("/token").header("authorization", ("Basic ", encoded("base64", &client)));
    let request =
        request.field("grant_type", "authorization_code").field("code", code).field("redirect_uri", redirect_uri);
    let page = request.field("code_verifier", verifier).expect(&["token"])?;
    page.response().captured("access-token").ok_or_else(|| page.missing("access-token"))
}

/// The token is of no use any more. All that was asked for is here, and the token is short-lived: a provider that can't be reached now
/// makes no difference.
fn revoke(token: &Secret) -> Result {
    let client = client()?;
    let request = post("/token/revocation").header("authorization", ("Basic ", encoded("base64", &client)));
    drop(request.field("token", token).send());
    Ok(())
}

/// The operator's client at the provider, `ID:SECRET`.
fn client() -> Result<Secret> {
    let (id, secret) = (operator("client-id")?, operator("client-secret")?);
    credentials::join(&[encoded("form", &id), Piece::Text(":".to_owned()), encoded("form", &secret)])
}

fn operator(name: &str) -> Result<Secret> {
    credentials::operator(name).ok_or_else(|| Code::Unclassified.fault(format!("the operator has not set {name}")))
}
