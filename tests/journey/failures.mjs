// Each failure that the sample bank can be told to provoke: the page has its code, its words in the reader's language, and what to do.
import assert from "node:assert/strict";
import { bank, given, heading, logIn, look, person, run, toLogin } from "./pages.mjs";

/// State of the bank, code, and what else the person does. A login that may be given again is shown at the form.
const TABLE = [
  ["wrong-password", "credentials-rejected", "again"],
  ["account-locked", "account-locked"],
  ["password-expired", "credentials-expired"],
  ["otp-wrong", "challenge-rejected", "code"],
  ["otp-expired", "challenge-timeout", "code"],
  ["approve-in-app", "challenge-denied", "deny"],
  ["captcha", "captcha-failed", "captcha"],
  ["maintenance", "source-maintenance"],
  ["bot-wall", "automation-blocked"],
  ["rate-limit", "rate-limited"],
  ["table-text", "automation-blocked"],
  ["json-error", "page-unrecognised"],
  ["session-lost", "session-lost"],
  ["accept-terms", "person-action-required"],
  ["server-error", "source-unavailable"],
  ["wrong-amount", "value-unparsable"],
  ["not-a-customer", "not-a-customer"],
  ["huge-page", "limit-exceeded"],
];

const acts = {
  async code(page) {
    await page.locator("#a-code").fill("000000");
    await page.locator("[data-send]").click();
  },
  async deny(page) {
    await page.locator("form[action$='/deny'] button").click();
  },
  async captcha(page) {
    await page.locator("#a-characters").fill("wrong");
    await page.locator("[data-send]").click();
  },
};

await run(Object.fromEntries(TABLE.map(([state, code, act], at) => [`${state}: ${code}`, async () => {
  await bank("state", { state: "ok" });
  const french = at % 2 === 1;
  const page = await person({ locale: french ? "fr-FR" : "en-GB" });
  await toLogin(page);
  await bank("state", { state });
  await logIn(page);
  if (acts[act]) await acts[act](page);
  const [what, next] = given.words[code][french ? "fr" : "en"];
  if (act === "again") {
    await page.locator(".alert[role=alert]:visible").waitFor();
    assert.ok((await page.locator(".alert:visible").innerText()).includes(what));
    return;
  }
  // What could be read can be shared; then the last page says why it is not all.
  const why = page.locator(".why");
  await why.or(page.locator("form[action$='/share']")).waitFor();
  if (await why.count() === 0) {
    await page.locator("form[action$='/share'] button").click();
    await why.waitFor();
  }
  const text = await page.locator("main").innerText();
  assert.ok(text.includes(what), `${what}\nis not in\n${text}`);
  assert.ok(text.includes(next), `${next}\nis not in\n${text}`);
  assert.equal(await why.getAttribute("data-code"), code);
  assert.match(await heading(page), french ? /abouti|partie/ : /did not work|part/);
  assert.equal(await page.locator(".leave a").count(), 1, "the way back is there");
  if (at < 3) await look(page, `6-failed-${code}`);
}])));
