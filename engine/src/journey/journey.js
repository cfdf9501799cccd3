// The person's pages: encrypts what is typed, follows a collection, tells the time left. It writes text, never markup, and knows no
// words: they stand in the page, in the reader's language.
"use strict";
(() => {
  const utf8 = new TextEncoder();
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const base64url = (bytes) => {
    let text = "";
    for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
    return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };

  // JWE, RSA-OAEP-256 and A256GCM, compact (RFC 7516).
  async function seal(plain, jwk) {
    const oaep = { name: "RSA-OAEP", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("jwk", { kty: jwk.kty, n: jwk.n, e: jwk.e }, oaep, false, ["wrapKey"]);
    const content = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
    const header = base64url(utf8.encode(JSON.stringify({ alg: "RSA-OAEP-256", enc: "A256GCM", kid: jwk.kid })));
    const wrapped = await crypto.subtle.wrapKey("raw", content, key, oaep);
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const gcm = { name: "AES-GCM", iv, additionalData: utf8.encode(header) };
    const sealed = await crypto.subtle.encrypt(gcm, content, plain);
    return [header, base64url(wrapped), base64url(iv), base64url(sealed.slice(0, -16)), base64url(sealed.slice(-16))].join(".");
  }

  // What is typed in a form, by name; and what is wrong with it, by field.
  function read(form) {
    const fields = {}, wrong = [];
    const errors = form.querySelector("[data-errors]").dataset;
    for (const input of all("[data-name]", form)) {
      const choice = input.tagName === "FIELDSET";
      const value = choice ? input.querySelector("input:checked")?.value ?? "" : input.value;
      const target = choice ? input.querySelector("input") : input;
      const missing = value === "" && (choice || input.required);
      const malformed = !missing && !choice && value !== "" && !input.validity.valid;
      target.toggleAttribute("aria-invalid", false);
      if (missing || malformed) {
        target.setAttribute("aria-invalid", "true");
        wrong.push([target, (missing ? errors.missing : errors.form) + input.dataset.label]);
      } else if (value !== "") {
        fields[input.dataset.name] = base64url(utf8.encode(value));
      }
    }
    return { fields, wrong };
  }

  function tell(form, lines) {
    const box = form.querySelector("[data-errors]");
    box.hidden = lines.length === 0;
    box.querySelector("ul").replaceChildren(...lines.map(([input, text]) => {
      const item = document.createElement("li");
      if (input) {
        const link = document.createElement("a");
        link.href = "#" + input.id;
        link.textContent = text;
        link.addEventListener("click", (event) => { event.preventDefault(); input.focus(); });
        item.append(link);
      } else {
        item.textContent = text;
      }
      return item;
    }));
    if (lines.length > 0) box.focus();
  }

  async function send(form) {
    const { fields, wrong } = read(form);
    tell(form, wrong);
    if (wrong.length > 0) return;
    const button = form.querySelector("[data-send]"), status = form.querySelector("[data-status]");
    button.disabled = true;
    status.textContent = status.dataset.working;
    const { session, question, done } = form.dataset;
    const message = question ? { session, question, fields } : { session, fields };
    let answer;
    try {
      const jwe = await seal(utf8.encode(JSON.stringify(message)), JSON.parse(form.dataset.seal));
      status.textContent = status.dataset.sealed + jwe.slice(0, 64) + "…";
      answer = await fetch(form.action, { method: "POST", headers: { "content-type": "application/jose" }, body: jwe });
    } catch {
      status.textContent = "";
      button.disabled = false;
      tell(form, [[null, form.querySelector("[data-errors]").dataset.broken]]);
      return;
    }
    form.reset();
    location.replace(done + (answer.ok || question ? "" : "?again=1"));
  }

  for (const form of all("form[data-seal]")) {
    form.querySelector("[data-send]").disabled = false;
    form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
  }
  for (const button of all("[data-reveal]")) {
    const input = document.getElementById(button.dataset.reveal);
    button.hidden = false;
    button.addEventListener("click", () => {
      const shown = input.type === "password";
      input.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
    });
  }
  // A list as a whole, and its items.
  for (const box of all("[data-group]")) {
    const items = all("input[name=item]", box.closest("fieldset"));
    box.addEventListener("change", () => items.forEach((item) => { item.checked = box.checked; }));
    items.forEach((item) => item.addEventListener("change", () => { box.checked = items.some((one) => one.checked); }));
  }
  for (const row of all("[data-file]")) {
    const target = document.getElementById(row.dataset.file);
    row.hidden = false;
    row.querySelector("input").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      if (file) target.value = await file.text();
    });
  }

  // The key of a receipt makes a proof (key binding JWT, RFC 9901), and stays here.
  async function prove(file, nonces, hash) {
    const { kty, crv, x, y, d } = JSON.parse(await file.text());
    const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("jwk", { kty, crv, x, y, d }, ecdsa, false, ["sign"]);
    const { nonce, audience } = await (await fetch(nonces, { method: "POST" })).json();
    const part = (value) => base64url(utf8.encode(JSON.stringify(value)));
    const claims = { iat: Math.floor(Date.now() / 1000), aud: audience, nonce, sd_hash: hash };
    const signed = part({ alg: "ES256", typ: "kb+jwt" }) + "." + part(claims);
    return signed + "." + base64url(await crypto.subtle.sign(ecdsa, key, utf8.encode(signed)));
  }

  for (const box of all("[data-nonces]")) {
    const row = box.querySelector("[data-key]"), status = row.querySelector("[data-status]"), proof = box.querySelector("textarea");
    row.hidden = false;
    row.querySelector("input").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      proof.value = status.textContent = "";
      if (!file) return;
      try {
        proof.value = await prove(file, box.dataset.nonces, box.dataset.hash);
        status.textContent = status.dataset.made;
      } catch {
        status.textContent = status.dataset.wrong;
      }
    });
  }

  // The collection. Whatever changes the page is a page of its own, written by the server.
  const here = location.pathname;
  for (const box of all("[data-events]")) {
    const source = new EventSource(box.dataset.events + "?seen=" + box.dataset.seen);
    const on = (name, act) => source.addEventListener(name, (event) => act(event.data));
    on("page", () => { source.close(); location.replace(here); });
    on("step", (step) => {
      for (const item of all("[data-step]", box)) {
        const current = item.dataset.step === step;
        if (item.classList.contains("current") && !current) item.classList.replace("current", "done");
        if (current) item.classList.add("current");
        if (current) item.setAttribute("aria-current", "step"); else item.removeAttribute("aria-current");
      }
    });
    on("count", (text) => all("[data-count]", box).forEach((each) => { each.textContent = text; }));
    on("waiting", (text) => all("[data-waiting]", box).forEach((each) => { each.textContent = each.dataset.waiting + text; }));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) all("[data-lost]", box).forEach((each) => { each.hidden = false; });
    });
    addEventListener("pagehide", () => source.close());
  }

  const began = performance.now();
  const left = all("[data-left]");
  const tick = () => left.forEach((each) => {
    const seconds = Math.max(0, Math.round(Number(each.dataset.left) - (performance.now() - began) / 1000));
    each.textContent = Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
  });
  if (left.length > 0) { tick(); setInterval(tick, 1000); }

  document.querySelector("[data-focus]")?.focus();
})();
