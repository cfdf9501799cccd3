// A receipt that is bound to a key of the person's: the pages show what is kept, and do what is asked, for whoever proves that they hold the key. The
// key itself stays in the browser, and a proof is taken once.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { given, logIn, look, person, run, session } from "./pages.mjs";

// The examples of RFC 7517, appendix A.2, and RFC 7515, appendix A.3.
const MINE = {
  kty: "EC", crv: "P-256", x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
  d: "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
};
const OTHER = {
  kty: "EC", crv: "P-256", x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
};

/// A person's call over HTTP, before a browser has the session: the pages bind no receipt themselves.
async function call(created, path, body) {
  const headers = { authorization: `Bearer ${created.token}`, "content-type": "application/json" };
  const response = await fetch(`${given.engine}/v1/sessions/${created.session}/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}

/// The file of a receipt that is bound to the key: of a login that was refused.
async function bound(page) {
  const created = await session();
  const notice = await call(created, "source", { connector: "sample-bank", source: "sample-bank" });
  const { d, ...holder_key } = MINE;
  await call(created, "consent", { decision: "given", notice: notice.digest, categories: ["person.name"], attests_access: true, holder_key });
  await page.goto(created.url);
  await page.locator("form[data-seal] [data-send]:enabled").waitFor();
  await logIn(page, given.login, "No-Horse-Here-0");
  await page.locator(".alert[role=alert]:visible").waitFor();
  await page.locator("a.stop").click();
  await page.locator("main button[type=submit]").click();
  await page.locator(".receipt a[download]").waitFor();
  const download = page.waitForEvent("download");
  await page.locator(".receipt a[download]").first().click();
  return readFile(await (await download).path(), "utf8");
}

/// Chooses the file of a key in a form, and waits until its proof is made.
async function choose(page, form, key) {
  const buffer = Buffer.from(JSON.stringify(key));
  await page.locator(`${form} [data-key] input`).setInputFiles({ name: "key.json", mimeType: "application/json", buffer });
  await page.locator(`${form} [data-status]`).filter({ hasText: /./ }).waitFor();
  return page.locator(`${form} textarea[name=proof]`).inputValue();
}

const LOOK = "form[action$='/my-data']", ASK = "form[action$='/my-data/ask']";
const submit = (page, form) => page.locator(`${form} button[type=submit]`).click();

await run({
  async "a receipt that is bound to a key opens nothing without it, and each proof opens one thing"() {
    const page = await person();
    const receipt = await bound(page);
    const sent = [];
    page.on("request", (request) => sent.push(request.postData() ?? ""));
    await page.goto(`${given.engine}/my-data`);
    await page.locator("#receipt").fill(receipt);
    await submit(page, LOOK);
    await page.locator("[data-nonces]").waitFor();
    assert.equal(await page.locator(".ledger").count(), 0, "nothing is shown yet");
    await look(page, "my-data-key");

    assert.equal(await choose(page, LOOK, { kty: "oct" }), "", "not a key");
    const { d, ...open } = MINE;
    assert.equal(await choose(page, LOOK, open), "", "only its public half");
    assert.notEqual(await choose(page, LOOK, OTHER), "");
    await submit(page, LOOK);
    await page.locator(".alert[role=alert]").waitFor();
    assert.equal(await page.locator(".ledger").count(), 0, "another key opens nothing");
    await look(page, "my-data-key-refused");

    await choose(page, LOOK, MINE);
    await submit(page, LOOK);
    await page.locator(".ledger").waitFor();
    await look(page, "my-data-bound");

    await page.locator("#r-access").check();
    const proof = await choose(page, ASK, MINE);
    await submit(page, ASK);
    await page.locator(".outcome.good").waitFor();
    assert.match(await page.locator(".outcome.good").innerText(), /Your request is taken/);
    await page.locator("#r-erasure").check();
    await page.locator(`${ASK} textarea[name=proof]`).fill(proof);
    await submit(page, ASK);
    await page.locator(".alert[role=alert]").waitFor();
    assert.equal(await page.locator(".outcome.good").count(), 0, "a proof is taken once");
    assert.ok(sent.some((text) => text.includes("proof=")), "what is sent is seen here");
    assert.ok(!sent.some((text) => text.includes(MINE.d)), "the key stays in the browser");
  },
});
