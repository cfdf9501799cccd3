// Drives the console in a real browser, by keyboard, and looks at each page with axe-core. Reads one JSON object (url, key, pages, shots: a
// folder for screenshots or null), writes one: what each page came to.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";

const require = createRequire(join(process.cwd(), "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const { url, key, pages, shots } = JSON.parse(readFileSync(0, "utf8"));

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium-headless-shell",
  args: ["--no-sandbox", "--disable-gpu"],
});
// Our own measurements are scripts, which the pages' policy forbids; what the policy refuses of the page itself is counted apart.
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, bypassCSP: true });
const told = { foreign: [], refused: [], pages: {} };
context.on("request", (request) => {
  if (!request.url().startsWith(url)) told.foreign.push(request.url());
});
const page = await context.newPage();

async function look(name) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const scripts = await page.locator("script").count();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  told.pages[name] = {
    title: await page.title(),
    violations: result.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" ")}`),
    scripts,
    wide,
  };
  if (shots) await page.screenshot({ path: join(shots, `${name.replaceAll("/", "-")}.png`), fullPage: true });
}

await page.goto(`${url}/console`);
await look("/console/sign-in");
// The field has the focus: a person types and presses Enter.
await page.keyboard.type(key);
await page.keyboard.press("Enter");
await page.waitForURL(`${url}/console`);
// The first key leads past the navigation.
await page.keyboard.press("Tab");
told.skip = await page.evaluate(() => document.activeElement?.textContent);
for (const path of pages) {
  await page.goto(url + path);
  await look(path);
}
await page.setViewportSize({ width: 390, height: 800 });
await page.goto(`${url}/console`);
told.narrow = await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
// As the policy has it, without our scripts: nothing of the page itself is refused.
const plain = await browser.newContext();
await plain.addCookies(await context.cookies());
const strict = await plain.newPage();
strict.on("console", (message) => told.refused.push(message.text()));
strict.on("request", (request) => {
  if (!request.url().startsWith(url)) told.foreign.push(request.url());
});
for (const path of pages) await strict.goto(url + path);
const cookies = await context.cookies();
told.cookie = cookies.map(({ httpOnly, secure, sameSite }) => ({ httpOnly, secure, sameSite }));
// By keyboard alone to the button that signs out.
await page.locator("form.out button").focus();
await page.keyboard.press("Enter");
await page.waitForURL(`${url}/console/sign-in`);
told.out = true;
await browser.close();
process.stdout.write(JSON.stringify(told));
