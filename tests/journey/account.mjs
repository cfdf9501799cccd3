// An account by a passkey, with an authenticator that Chromium plays: opened, left, entered again, and not by anybody else's answer.
// Tells the token of who is signed in at the end.
import assert from "node:assert/strict";
import { given, person, run } from "./pages.mjs";

const call = (method, path, token, body) =>
  fetch(given.engine + path, {
    method,
    headers: { ...(token && { authorization: `Bearer ${token}` }), ...(body && { "content-type": "application/json" }) },
    body: body && JSON.stringify(body),
  });

/// A page of the engine's own origin, in a browser with an authenticator.
async function somebody() {
  const page = await person();
  await page.goto(`${given.origin}/trust`);
  const client = await page.context().newCDPSession(page);
  await client.send("WebAuthn.enable");
  const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  await client.send("WebAuthn.addVirtualAuthenticator", { options });
  return page;
}

/// What the authenticator makes, or why it does not.
const make = (page, options) =>
  page.evaluate(async (options) => {
    try {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
      return (await navigator.credentials.create({ publicKey })).toJSON();
    } catch (error) {
      return error.name;
    }
  }, options);

const show = (page, options) =>
  page.evaluate(async (options) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return (await navigator.credentials.get({ publicKey })).toJSON();
  }, options);

const asked = async (path, token) => (await call("POST", path, token)).json();

async function open(page) {
  const made = await make(page, await asked("/v1/accounts/options"));
  const opened = await call("POST", "/v1/accounts", undefined, made);
  assert.equal(opened.status, 201, await opened.clone().text());
  return { made, ...(await opened.json()) };
}

await run({
  async "an account is opened, left and entered by its passkey alone"() {
    const page = await somebody();
    const { made, token, expires_in } = await open(page);
    assert.equal(expires_in, 3600);
    assert.equal((await call("POST", "/v1/accounts", undefined, made)).status, 422, "an answer is taken once");
    const held = await (await call("GET", "/v1/account", token)).json();
    assert.deepEqual([held.contact, held.passkeys.length, held.receipts], [null, 1, []]);
    assert.equal(held.passkeys[0].id, made.id);
    assert.equal(await make(page, await asked("/v1/account/passkeys/options", token)), "InvalidStateError", "the authenticator has one");
    assert.equal((await call("DELETE", `/v1/account/passkeys/${made.id}`, token)).status, 409, "the last one stays");
    assert.equal((await call("PUT", "/v1/account/contact", token, { contact: "nobody" })).status, 400);
    assert.equal((await call("PUT", "/v1/account/contact", token, { contact: "julie@example.org" })).status, 204);

    assert.equal((await call("DELETE", "/v1/sign-in", token)).status, 204);
    assert.equal((await call("GET", "/v1/account", token)).status, 401);
    const shown = await show(page, await asked("/v1/sign-in/options"));
    const changed = structuredClone(shown);
    changed.response.signature = shown.response.signature.replace(/.{8}$/, "AAAAAAAA");
    const again = await show(page, await asked("/v1/sign-in/options"));
    assert.equal((await call("POST", "/v1/sign-in", undefined, changed)).status, 422, "not what the passkey signed");
    assert.equal((await call("POST", "/v1/sign-in", undefined, shown)).status, 422, "the question was used up by it");
    const entered = await call("POST", "/v1/sign-in", undefined, again);
    assert.equal(entered.status, 201, await entered.clone().text());
    const next = (await entered.json()).token;
    assert.equal((await (await call("GET", "/v1/account", next)).json()).contact, "julie@example.org");

    // Somebody else's passkey opens somebody else's account.
    const other = await open(await somebody());
    assert.equal((await (await call("GET", "/v1/account", other.token)).json()).contact, null);
    console.log(`TOKEN ${next}`);
    console.log(`OTHER ${other.token}`);
  },
});
