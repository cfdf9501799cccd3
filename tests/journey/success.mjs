// The way that works, by mouse and by keyboard; what leaves the browser on it; and each screen looked at in both languages.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { agree, bank, choose, ended, enter, given, heading, inReview, logIn, look, lookInBoth, pages, person, run, toLogin } from "./pages.mjs";

/// Everything that a browser sends, as bytes that can be searched.
async function capture(page) {
  const client = await page.context().newCDPSession(page);
  const sent = [], hosts = new Set(), weights = [];
  await client.send("Network.enable");
  client.on("Network.requestWillBeSent", ({ request }) => {
    sent.push(request.url, JSON.stringify(request.headers), request.postData ?? "");
    hosts.add(new URL(request.url).host);
  });
  page.on("response", async (response) => {
    if (response.request().resourceType() !== "eventsource") {
      weights.push([response.url(), gzipSync(await response.body().catch(() => Buffer.alloc(0))).length]);
    }
  });
  return { sent, hosts, weights };
}

const forms = (text) => [text, encodeURIComponent(text), Buffer.from(text).toString("base64"), Buffer.from(text).toString("base64url"), Buffer.from(text).toString("hex")];

await run({
  async "from the notice to the receipt in six screens, and nothing in clear leaves the browser"() {
    await bank("state", { state: "otp" });
    const page = await person();
    const { sent, hosts, weights } = await capture(page);
    const created = await enter(page);
    assert.equal(page.url(), pages(created), "a clean address");
    const screens = [await heading(page)];
    await choose(page);
    screens.push(await heading(page));
    assert.equal(await page.locator("input[name=category]:checked").count(), 0, "nothing is ticked beforehand");
    await agree(page);
    screens.push(await heading(page));
    await logIn(page);
    await page.locator("#a-code").waitFor();
    screens.push(await heading(page));
    const { code } = await bank("last-otp");
    await page.locator("#a-code").fill(code);
    await page.locator("[data-send]").click();
    await inReview(page);
    screens.push(await heading(page));
    // One item is left out.
    await page.locator("input[name=item]").first().uncheck();
    await page.locator("form[action$='/share'] button").click();
    await page.locator(".receipt").waitFor();
    screens.push(await heading(page));
    assert.equal(screens.length, 6);
    assert.equal(new Set(screens).size, 6, screens.join(" | "));

    const all = sent.join("\n");
    for (const secret of [given.login, given.password, code]) {
      for (const form of forms(secret)) assert.ok(!all.includes(form), `${form} was sent`);
    }
    assert.ok(all.includes("eyJ"), "what was sealed was sent, and seen here");
    assert.deepEqual([...hosts], [new URL(given.engine).host], "nobody else is asked for anything");
    const heaviest = Math.max(...weights.filter(([url]) => !url.includes("/assets/")).map(([, bytes]) => bytes));
    const assets = new Map(weights.filter(([url]) => url.includes("/assets/")));
    const weight = heaviest + [...assets.values()].reduce((sum, bytes) => sum + bytes, 0);
    console.log(`the heaviest page with its style, script and icon, compressed: ${weight} bytes; pages at most ${heaviest}`);
    assert.ok(assets.size >= 2);
    assert.ok(weight <= 60 * 1024);

    const download = page.waitForEvent("download");
    await page.locator(".receipt a.button").click();
    const file = JSON.parse(await readFile(await (await download).path(), "utf8"));
    assert.match(file.receipt, /^eyJ.*~$/);
    await page.locator(".leave a").click();
    await page.waitForURL(/\/apply\?/);
    const back = new URL(page.url());
    assert.equal(back.origin + back.pathname, given.callback);
    assert.deepEqual(Object.fromEntries(back.searchParams), { session: created.session, outcome: "completed", reference: "application-7" });

    // By the receipt: what happened, and one's rights.
    await page.goto(`${given.engine}/my-data`);
    await lookInBoth(page, "my-data");
    await page.locator("#receipt").fill("{\"receipt\":\"no\"}");
    await page.locator("main button[type=submit]").click();
    await page.locator(".alert[role=alert]").waitFor();
    await look(page, "my-data-refused");
    await page.locator("#receipt").fill(JSON.stringify(file));
    await page.locator("main button[type=submit]").click();
    await page.locator(".ledger").waitFor();
    assert.equal(await page.locator(".ledger li").count(), 4);
    assert.match(await page.locator("main").innerText(), /entries are in the public ledger/);
    await look(page, "my-data-found");
    await page.locator("#r-access").check();
    await page.locator("main form button[type=submit]").click();
    await page.locator(".outcome.good").waitFor();
    await look(page, "my-data-asked");
  },

  async "every screen holds what axe-core asks, in both languages and both colour schemes"() {
    await bank("state", { state: "captcha" });
    const page = await person();
    for (const path of ["/", "/policy", "/trust"]) {
      await page.goto(given.engine + path);
      await lookInBoth(page, `text${path.replace("/", "-")}`, true);
    }
    assert.match(await page.locator("main").innerText(), /Version 1.0[^]*privacy@operator.example|privacy@operator.example[^]*Version 1.0/);
    await enter(page);
    await lookInBoth(page, "1-choose");
    await choose(page);
    await lookInBoth(page, "2-agree");
    await page.locator("button[value=ticked]").click();
    await page.locator(".alert[role=alert]:visible").waitFor();
    await look(page, "2-agree-nothing-ticked");
    await agree(page);
    await lookInBoth(page, "3-login");
    await page.locator("#f-login").fill("abc");
    await page.locator("[data-send]").click();
    assert.equal(await page.locator("[data-errors] li").count(), 2, "one of another form, one missing");
    await look(page, "3-login-errors");
    await logIn(page);
    await page.locator("img.captcha").waitFor();
    await lookInBoth(page, "4-captcha");
    await page.locator("#a-characters").fill((await bank("last-captcha")).code);
    // Longer than a look takes on a busy machine: the screen goes when the collection does.
    await bank("state", { state: "slow", slow_ms: 8000 });
    await page.locator("[data-send]").click();
    await page.locator(".progress .current").waitFor();
    await look(page, "4-progress");
    await bank("state", { state: "ok" });
    await inReview(page);
    await lookInBoth(page, "5-preview");
    await page.goto(page.url().split("?")[0] + "/stop");
    await lookInBoth(page, "6-stop");
    await page.goto(page.url().split("/stop")[0]);
    await page.locator("form[action$='/share'] button").click();
    await page.locator(".receipt").waitFor();
    await lookInBoth(page, "6-receipt");
  },

  async "the whole way by the keyboard alone"() {
    await bank("state", { state: "ok" });
    const page = await person();
    await enter(page);
    const until = async (selector) => {
      for (let at = 0; at < 80; at += 1) {
        await page.keyboard.press("Tab");
        if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) {
          const outlined = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
          assert.notEqual(outlined, "none", `the focus on ${selector} is seen`);
          return;
        }
      }
      assert.fail(`${selector} is not reached`);
    };
    await until(".choice");
    await page.keyboard.press("Enter");
    await page.locator("#attest").waitFor();
    await until("input[name=category]");
    await page.keyboard.press("Space");
    await until("#attest");
    await page.keyboard.press("Space");
    await until("button[value=ticked]");
    await page.keyboard.press("Enter");
    await page.locator("[data-send]:enabled").waitFor();
    await until("#f-login");
    await page.keyboard.type(given.login);
    await until("#f-password");
    await page.keyboard.type(given.password);
    await page.keyboard.press("Enter");
    await inReview(page);
    assert.equal(await page.locator("fieldset.group").count(), 1, "only what was ticked");
    await until("form[action$='/share'] button");
    await page.keyboard.press("Enter");
    await page.locator(".receipt").waitFor();
    await until(".receipt a.button");
  },

  async "without a script until the login, which says what to do and can't be sent"() {
    const page = await person({ javaScriptEnabled: false, locale: "fr-FR" });
    await enter(page);
    assert.equal(await page.locator("html").getAttribute("lang"), "fr");
    await choose(page);
    await page.locator("#attest").check();
    await page.locator("button[value=all]").click();
    assert.match(await page.locator("noscript").innerText(), /JavaScript/);
    assert.ok(await page.locator("[data-send]").isDisabled());
    assert.equal(await page.locator("form[data-seal] [name]").count(), 0, "a form without its script has nothing to send");
    // The way out needs none either.
    await page.locator("a.stop").click();
    await page.locator("main button[type=submit]").click();
    await ended(page);
  },

  async "a reload resumes at the right screen, and a second tab shows the same"() {
    await bank("state", { state: "otp" });
    const page = await person();
    const reloads = async (selector) => {
      // The page may just be following its session by itself: then it is asked again once it is there.
      for (let left = 20; ; left -= 1) {
        await page.waitForLoadState("load");
        const failure = await page.reload().then(() => undefined, (error) => error);
        if (!failure) break;
        if (left === 0) throw failure;
        console.log(`${selector}: ${failure.message.split("\n")[0]}`);
      }
      await page.locator(selector).waitFor();
    };
    await enter(page);
    await reloads(".choice");
    await choose(page);
    await reloads("#attest");
    await agree(page);
    await reloads("#f-password");
    await logIn(page);
    await page.locator("#a-code").waitFor();
    await reloads("#a-code");
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.locator("#a-code").fill((await bank("last-otp")).code);
    await other.locator("[data-send]").click();
    await inReview(other);
    // The first tab followed by itself.
    await inReview(page);
    await reloads("form[action$='/share']");
    await page.locator("form[action$='/share'] button").click();
    await page.locator(".receipt").waitFor();
    await reloads(".receipt");
  },

  async "a login that was refused can be given again, and the session be stopped"() {
    await bank("state", { state: "ok" });
    const page = await person();
    await toLogin(page);
    await logIn(page, given.login, "No-Horse-Here-0");
    await page.locator(".alert[role=alert]:visible").waitFor();
    assert.match(await page.locator(".alert:visible").innerText(), /not accepted[^]*2/);
    await look(page, "3-login-refused");
    await page.locator("a.stop").click();
    await page.locator("main button[type=submit]").click();
    await ended(page);
    assert.match(await heading(page), /Stopped/);
    await page.locator(".receipt").waitFor();
  },
});
