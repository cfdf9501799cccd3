// Others: a frame around the pages, an entry link used twice, a form of another site, the cookie of another session.
import assert from "node:assert/strict";
import http from "node:http";
import { agree, choose, enter, given, heading, pages, person, run, session } from "./pages.mjs";

/// A site of somebody else's. `localhost` is another site than `127.0.0.1`.
async function site(html) {
  const server = http.createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(html));
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { url: `http://localhost:${server.address().port}/`, end: () => server.close() };
}

const cookies = async (page) => (await page.context().cookies()).filter((cookie) => cookie.name.includes("ses_"));

await run({
  async "the cookie is for the server alone, and the pages are for no frame"() {
    const page = await person();
    const created = await enter(page);
    const [cookie] = await cookies(page);
    assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Lax", "/"]);
    assert.equal(await page.evaluate(() => document.cookie), "");
    const response = await page.goto(pages(created));
    const headers = response.headers();
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]) {
      assert.ok(headers["content-security-policy"].includes(part), part);
    }
    assert.ok(!headers["content-security-policy"].includes("unsafe"));
    assert.deepEqual(
      ["referrer-policy", "x-frame-options", "cross-origin-opener-policy", "x-content-type-options", "cache-control"].map((name) => headers[name]),
      ["no-referrer", "DENY", "same-origin", "nosniff", "no-store"],
    );
    const script = await page.locator("script[src]").getAttribute("src");
    const asset = await page.request.get(given.engine + script);
    assert.match(asset.headers()["cache-control"], /immutable/);
    assert.equal(await page.locator("[style], style, script:not([src]), [onclick]").count(), 0, "nothing inline");

    const foreign = await site(`<iframe src="${pages(created)}"></iframe>`);
    await page.goto(foreign.url);
    const [frame] = page.frames().slice(1);
    await page.waitForLoadState("load");
    assert.ok(!frame || !(await frame.content().catch(() => "")).includes("Consentry"), "it was shown in a frame");
    foreign.end();
  },

  async "an entry link lets one browser in, once"() {
    const created = await session();
    const first = await person();
    assert.equal((await fetch(created.url, { method: "HEAD" })).status, 405, "who looks ahead uses nothing up");
    await first.goto(created.url);
    await first.locator(".choice").waitFor();
    const second = await person();
    const response = await second.goto(created.url);
    assert.equal(response.status(), 410);
    assert.equal((await cookies(second)).length, 0);
    assert.equal((await second.goto(pages(created))).status(), 404);
    // The browser that is in may go back in its history.
    await first.goto(created.url);
    await first.locator(".choice").waitFor();
    const wrong = await person();
    assert.equal((await wrong.goto(`${pages(created)}/enter/no-such-code`)).status(), 410);
    assert.equal((await wrong.goto(`${pages({ session: "ses_01JD8Z3M7K0000000000000000" })}/enter/code`)).status(), 404);
  },

  async "the cookie of another session opens nothing, nor does the token as a cookie"() {
    const [mine, other] = [await person(), await person()];
    const created = await enter(mine);
    const theirs = await enter(other);
    const [cookie] = await cookies(mine);
    const name = cookie.name.replace(created.session, theirs.session);
    for (const value of [cookie.value, theirs.token]) {
      await mine.context().addCookies([{ ...cookie, name, value }]);
      assert.equal((await mine.goto(pages(theirs))).status(), 404);
      assert.equal((await mine.request.get(`${pages(theirs)}/events`)).status(), 404);
    }
    assert.equal((await mine.goto(pages(created))).status(), 200);
    // And a browser's secret is no token for the interface.
    const bearer = { headers: { authorization: `Bearer ${cookie.value}` } };
    assert.equal((await fetch(`${given.engine}/v1/sessions/${created.session}`, bearer)).status, 404);
  },

  async "a form of another site does nothing, even with the person's cookie"() {
    const page = await person();
    const created = await enter(page);
    await choose(page);
    await page.locator("#attest").waitFor();
    const foreign = await site(`<form method="post" action="${pages(created)}/stop"><button>Win</button></form>`);
    const [cookie] = await cookies(page);
    // As a browser would that holds back no cookie.
    const posted = (headers) => fetch(`${pages(created)}/stop`, { method: "POST", redirect: "manual", headers: { cookie: `${cookie.name}=${cookie.value}`, ...headers } });
    assert.equal((await posted({})).status, 403);
    assert.equal((await posted({ origin: foreign.url.slice(0, -1) })).status, 403);
    assert.equal((await posted({ "sec-fetch-site": "same-site", origin: given.engine })).status, 403);
    await page.goto(foreign.url);
    await page.locator("button").click();
    await page.waitForLoadState();
    assert.match(await heading(page), /our own page/);
    await page.goto(pages(created));
    await page.locator("#attest").waitFor();
    await agree(page);
    assert.equal((await posted({ origin: given.engine })).status, 303, "a browser that tells the origin only");
    foreign.end();
  },
});
