// The sample bank's online branch by Playwright: one login with real clicks and the list of accounts, for each line of standard input, in a context of
// its own, and in Chromium's own sandbox as with us. Answers each with a line of JSON: milliseconds until the accounts were read, and until all was
// closed, and the accounts. A line `empty` opens and closes a page that nothing is done on. What is given stands in the arguments: the folder of playwright-core, the program, the bank, who logs in.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const [modules, executablePath, bank, login, code] = process.argv.slice(2);
const { chromium } = createRequire(modules + "/")("playwright-core");
const browser = await chromium.launch({ executablePath, chromiumSandbox: true });
console.log("ready");

async function accounts(page) {
  await page.goto(`${bank}/branch`);
  await page.locator("#client").fill(login);
  const keys = page.frameLocator("#clavier").locator("#touches button");
  await keys.first().waitFor();
  const digits = await keys.allTextContents();
  for (const digit of code) await keys.nth(digits.indexOf(digit)).click();
  await page.locator("#entrer").click();
  const rows = page.locator("table#comptes tbody tr");
  await rows.first().waitFor();
  return rows.evaluateAll((rows) => rows.map((row) => ["libelle", "iban", "montant"].map((name) => row.querySelector(`.${name}`).textContent.trim())));
}

for await (const line of createInterface({ input: process.stdin })) {
  const started = performance.now();
  const context = await browser.newContext({ locale: "fr" });
  const page = await context.newPage();
  const found = line === "empty" ? [] : await accounts(page);
  const read = performance.now() - started;
  // The engine logs out, too.
  if (line !== "empty") await page.goto(`${bank}/logout`);
  await context.close();
  console.log(JSON.stringify({ read, closed: performance.now() - started, accounts: found }));
}
await browser.close();
