// A real application that nobody here wrote: the whole way in a browser.
import assert from "node:assert/strict";
import { given, inReview, logIn, person, run, toLogin } from "./pages.mjs";

await run({
  async "a member's data goes from the portal to the receipt"() {
    const page = await person({ locale: "fr-FR" });
    await toLogin(page);
    await logIn(page);
    await inReview(page);
    const text = await page.locator("main").innerText();
    for (const value of given.shown) assert.ok(text.includes(value), `${value} is not shown`);
    const download = page.waitForEvent("download");
    await page.locator(".items a").first().click();
    assert.match((await download).suggestedFilename(), /\.pdf$/);
    await page.locator("form[action$='/share'] button").click();
    await page.locator(".receipt").waitFor();
    assert.match(await page.locator(".receipt").innerText(), /remis/);
  },
});
