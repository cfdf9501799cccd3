// An OpenID provider on 127.0.0.1 with a login page and a consent page of its own.
//
// The package's quick-start pages accept any password. These check it, because a connector must be seen to tell a wrong
// password from a right one. Everything else is the package as it comes.
//
// usage: node server.mjs PORT PACKAGES      (environment REDIRECT_URIS: comma-separated callbacks of the client)

import { createHash, generateKeyPairSync, timingSafeEqual } from 'node:crypto';
import { fstatSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const port = Number(process.argv[2]);
// The packages are installed outside the sources, where a plain `import` does not look.
const { Provider } = await import(pathToFileURL(createRequire(`${process.argv[3]}/`).resolve('oidc-provider')));
const people = JSON.parse(readFileSync(new URL('../people.json', import.meta.url)));
const accounts = new Map(Object.values(people).map((person) => [person.username, person]));

// A claim the person has no value for is left out, as real providers do.
const claimsOf = (person) => Object.fromEntries(Object.entries({
  sub: person.username,
  name: `${person.first_name} ${person.last_name}`,
  given_name: person.first_name,
  family_name: person.last_name,
  birthdate: person.birth_date,
  email: person.email,
  email_verified: true,
  phone_number: person.mobile_phone,
  phone_number_verified: person.mobile_phone && true,
  address: {
    formatted: `${person.street}\n${person.postcode} ${person.city}\n${person.country}`,
    street_address: person.street,
    postal_code: person.postcode,
    locality: person.city,
    country: person.country,
  },
  iban: person.iban,
}).filter(([, value]) => value));

const signing = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'engine',
    client_secret: 'engine-secret',
    redirect_uris: (process.env.REDIRECT_URIS || 'http://127.0.0.1:19000/callback').split(','),
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  scopes: ['openid', 'offline_access'],
  claims: {
    openid: ['sub'],
    profile: ['name', 'given_name', 'family_name', 'birthdate'],
    email: ['email', 'email_verified'],
    phone: ['phone_number', 'phone_number_verified'],
    address: ['address'],
    bank: ['iban'],
  },
  cookies: { keys: ['loopback only'] },
  features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
  findAccount: (ctx, id) => accounts.has(id) && { accountId: id, claims: () => claimsOf(accounts.get(id)) },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  jwks: { keys: [{ ...signing, alg: 'RS256', use: 'sig' }] },
  pkce: { required: () => true },
});

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const page = (res, status, id, title, body) => {
  res.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  res.end(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title></head>
<body id="${id}">
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`);
};

const loginPage = (res, uid, login = '', error = '') => page(res, 200, 'login', 'Sign in', `\
${error && `<p class="error" role="alert">${error}</p>`}
<form method="post" action="/interaction/${uid}/login">
<input type="hidden" name="prompt" value="login">
<label>Login <input type="text" name="login" value="${escape(login)}" autocomplete="username" required></label>
<label>Password <input type="password" name="password" autocomplete="current-password" required></label>
<button type="submit">Sign in</button>
</form>`);

const consentPage = (res, uid, clientId, scopes) => page(res, 200, 'consent', 'Authorise access', `\
<p><strong>${escape(clientId)}</strong> asks to read:</p>
<ul class="scopes">
${scopes.map((scope) => `<li>${escape(scope)}</li>`).join('\n')}
</ul>
<form id="allow" method="post" action="/interaction/${uid}/consent">
<input type="hidden" name="prompt" value="consent">
<button type="submit">Allow</button>
</form>
<form id="deny" method="post" action="/interaction/${uid}/deny">
<button type="submit">Deny</button>
</form>`);

const samePassword = (person, password) => {
  const digest = (text) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(person?.password ?? ''), digest(password)) && person !== undefined;
};

const form = async (req) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
};

// The pages themselves. `interactionDetails` throws when the cookie of the interaction is missing or its time is over.
async function interact(req, res, uid, step) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(req, res);
  const finish = (result, mergeWithLastSubmission) => provider.interactionFinished(req, res, result, { mergeWithLastSubmission });

  if (req.method === 'GET' && step === undefined) {
    if (prompt.name === 'login') return loginPage(res, uid);
    return consentPage(res, uid, params.client_id, prompt.details.missingOIDCScope ?? []);
  }
  if (req.method === 'POST' && step === 'login' && prompt.name === 'login') {
    const fields = await form(req);
    const login = fields.get('login') ?? '';
    const person = accounts.get(login);
    if (!samePassword(person, fields.get('password') ?? '')) return loginPage(res, uid, login, 'Unknown login or wrong password.');
    if (person.deactivated) return loginPage(res, uid, login, 'This account is closed.');
    return finish({ login: { accountId: login } }, false);
  }
  if (req.method === 'POST' && step === 'consent' && prompt.name === 'consent') {
    const grant = grantId
      ? await provider.Grant.find(grantId)
      : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
    if (prompt.details.missingOIDCClaims) grant.addOIDCClaims(prompt.details.missingOIDCClaims);
    return finish({ consent: { grantId: await grant.save() } }, true);
  }
  if (req.method === 'POST' && step === 'deny') {
    return finish({ error: 'access_denied', error_description: 'The person refused.' }, false);
  }
  return page(res, 404, 'error', 'Not found', '<p>There is no such step.</p>');
}

const oidc = provider.callback();

createServer(async (req, res) => {
  const at = req.url.match(/^\/interaction\/([\w-]+)(?:\/(\w+))?$/);
  if (!at) return oidc(req, res);
  try {
    await interact(req, res, at[1], at[2]);
  } catch (error) {
    page(res, 400, 'error', 'Session expired', `<p class="error">${escape(error.error_description ?? error.message)}</p>`);
  }
}).listen(port, '127.0.0.1', () => console.log(`listening on ${provider.issuer}`));

// When standard input is a pipe, its end is the end of the parent, whatever ended it.
if (fstatSync(0).isFIFO()) process.stdin.resume().on('end', () => process.exit());
