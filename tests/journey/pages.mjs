// What the scripts share: a person's browser, a session begun as an Online Service does it, the bank's control port, one act for each
// screen, and a look at each screen by axe-core. What is given comes as one JSON object on the standard input; see tests/e2e/journey.rs.
import assert from "node:assert/strict";
import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";

export const given = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(given.modules + "/");
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/// Far beyond what anything takes.
export const SOON = Number(process.env.SOON ?? 60_000);
export const browser = await chromium.launch({ executablePath: "/usr/bin/chromium-headless-shell", args: ["--no-sandbox", "--disable-gpu"] });

/// A browser of a person's own: cookies of nobody else.
export async function person(options = {}) {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  context.setDefaultTimeout(SOON);
  const page = await context.newPage();
  page.on("console", (message) => heard.push(message.text()));
  page.on("pageerror", (error) => heard.push(String(error)));
  return page;
}

/// What browsers said, for when something fails.
const heard = [];

const CATEGORIES = ["person.name", "person.email", "bank.account", "bank.balance", "bank.transaction", "document.statement"];

/// Begins a session, and gives what the engine answers: its `url` is for one browser.
export async function session(change = {}) {
  const body = { purpose: "tenant-check", categories: given.categories ?? CATEGORIES, callback: given.callback, reference: "application-7", ...change };
  const headers = { authorization: `Bearer ${given.bearer}`, "content-type": "application/json" };
  const response = await fetch(`${given.engine}/v1/sessions`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(response.status, 201, await response.clone().text());
  return response.json();
}

export const pages = (created) => `${given.engine}/journey/${created.session}`;

/// Tells the bank how to behave, or asks what it sent.
export async function bank(path, body) {
  const method = body ? "PUT" : path.startsWith("last") ? "GET" : "POST";
  const response = await fetch(`${given.control}/${path}`, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.headers.get("content-type")?.includes("json") ? response.json() : undefined;
}

/// Enters a new session, and gives it.
export async function enter(page, change) {
  const created = await session(change);
  await page.goto(created.url);
  return created;
}

const source = () => `${given.source ?? "sample-bank"}/${given.source ?? "sample-bank"}`;
export const choose = (page) => page.locator(`button[value="${source()}"]`).click();

export async function agree(page) {
  await page.locator("#attest").check();
  await page.locator("button[value=all]").click();
  await page.locator("form[data-seal] [data-send]:enabled").waitFor();
}

export async function logIn(page, login = given.login, password = given.password) {
  await page.locator("#f-login").fill(login);
  await page.locator("#f-password").fill(password);
  await page.locator("[data-send]").click();
}

/// To the login form, whatever comes then.
export async function toLogin(page, change) {
  const created = await enter(page, change);
  await choose(page);
  await agree(page);
  return created;
}

export const inReview = (page) => page.locator("form[action$='/share']").waitFor();
export const ended = (page) => page.locator(".outcome").waitFor();
export const heading = (page) => page.locator("h1").innerText();

const VIEWS = [[360, "light"], [1280, "dark"]];

/// A page that follows a collection is replaced when something happened: what was asked of the one before is asked again.
async function settled(page, act, tries = 5) {
  try {
    return await act();
  } catch (error) {
    if (tries === 0 || !String(error).includes("Execution context was destroyed")) throw error;
    await page.waitForLoadState();
    return settled(page, act, tries - 1);
  }
}

/// Looks at a screen in both colour schemes and at 360 and 1280 pixels, by axe-core; nothing may scroll sideways.
export async function look(page, name, views = VIEWS) {
  for (const [width, colorScheme] of views) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    // A page's own scripts are bound by its policy; this one comes by the debugger.
    const found = await settled(page, async () => {
      await page.evaluate(`${AXE}; 0`);
      return page.evaluate((values) => window.axe.run({ runOnly: { type: "tag", values } }), tags);
    });
    const told = found.violations.map((one) => `${one.id}: ${one.help}\n  ${one.nodes.map((node) => node.html + "\n    " + node.failureSummary).join("\n  ")}`);
    assert.deepEqual(told, [], `${name}, ${width} px, ${colorScheme}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name} scrolls sideways at ${width} px by ${wide}`);
    if (process.env.SHOTS) {
      mkdirSync((process.env.SHOTS), { recursive: true });
      await page.screenshot({ path: `${process.env.SHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: null });
}

/// A screen in both languages; of a text, each colour scheme in one of them.
export async function lookInBoth(page, name, isText = false) {
  const here = page.url().split("?")[0];
  for (const [at, lang] of ["fr", "en"].entries()) {
    await page.goto(`${here}?lang=${lang}`);
    assert.equal(await page.locator("html").getAttribute("lang"), lang);
    await look(page, `${name}-${lang}`, isText ? [VIEWS[at]] : VIEWS);
  }
}

/// Runs named checks one after the other, and ends with how many held.
export async function run(checks) {
  const chosen = Object.entries(checks).filter(([name]) => !given.only || name.includes(given.only));
  for (const [name, check] of chosen) {
    const began = performance.now();
    try {
      await check();
    } catch (error) {
      console.error(`FAILED ${name}\n${error.stack}`);
      for (const context of browser.contexts()) for (const page of context.pages()) {
        console.error(`${page.url()}\n${(await page.locator("body").innerText({ timeout: 2000 }).catch(() => "")).slice(0, 1500)}`);
      }
      console.error(heard.join("\n"));
      process.exit(1);
    }
    for (const context of browser.contexts()) await context.close();
    console.log(`${name}: ${Math.round(performance.now() - began)} ms`);
  }
  await browser.close();
  assert.ok(chosen.length > 0, "no check has such a name");
}
