// After a failed run: the report, then a question of its own, whether the person lends their login. They see it, also by their receipt, and take
// it back.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { bank, given, ended, logIn, look, person, run, toLogin } from "./pages.mjs";

/// To the last page of a run that broke.
async function broken(page) {
  await bank("state", { state: "ok" });
  await toLogin(page);
  await bank("state", { state: "json-error" });
  await logIn(page);
  await ended(page);
  await page.locator(".receipt a[download]").waitFor();
}

const give = (page) => page.locator("form[action$='/report'] button[value=yes]").click();
const form = (page) => page.locator("form[action$='/report/login']");
const takeBack = (page) => page.locator("form[action$='/report/login/end'] button");

await run({
  async "a login is lent after the report alone, sealed, and taken back in the session"() {
    const page = await person();
    await broken(page);
    assert.equal(await form(page).count(), 0, "nobody is asked before the report was given");
    await give(page);
    await page.locator("form[data-seal] [data-send]:enabled").waitFor();
    assert.equal(await form(page).locator("[name]").count(), 0, "a form without its script has nothing to send");
    assert.equal(JSON.parse(await form(page).getAttribute("data-seal")).kid, given.maintenance);
    await look(page, "6-lend");
    const sent = page.waitForRequest((request) => request.url().endsWith("/report/login"));
    await logIn(page);
    const body = (await sent).postData();
    assert.equal(body.split(".").length, 5);
    assert.ok(!body.includes(given.password) && !body.includes(btoa(given.password).replaceAll("=", "")));
    await takeBack(page).waitFor();
    await look(page, "6-lent");
    assert.match(await page.locator("main").innerText(), /The login that you lent[^]*not used yet/);
    await takeBack(page).click();
    await form(page).waitFor();
  },

  async "who has the receipt sees the login and takes it back"() {
    const page = await person();
    await broken(page);
    await give(page);
    await page.locator("form[data-seal] [data-send]:enabled").waitFor();
    await logIn(page);
    await takeBack(page).waitFor();
    const saved = page.waitForEvent("download");
    await page.locator(".receipt a[download]").last().click();
    const receipt = readFileSync(await (await saved).path(), "utf8");
    await page.goto(`${given.engine}/my-data`);
    await page.locator("#receipt").fill(receipt);
    await page.locator("button[type=submit]").click();
    await page.locator("form[action$='/my-data/take-back'] button").waitFor();
    await look(page, "my-data-lent");
    await page.locator("form[action$='/my-data/take-back'] button").click();
    await page.locator("[role=status] pre").waitFor({ state: "attached" });
    const text = await page.locator("main").innerText();
    assert.match(text, /is erased/);
    assert.match(text, /you took it back/);
    assert.equal(await page.locator("form[action$='/my-data/take-back']").count(), 0);
  },
});
