// A bank with the Berlin Group's NextGenPSD2 interface on 127.0.0.1. The answers are Prism's, which checks each request against the
// standard's OpenAPI file and answers with its examples; the login is the OpenID provider's. What stands between them is ours: consents
// that a person has to agree to, and the third party's signature.
//
// usage: node serve.mjs PORT PACKAGES

import { X509Certificate, createHash, randomBytes, randomUUID, verify } from 'node:crypto';
import { spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as listen } from 'node:net';
import { fileURLToPath } from 'node:url';

const [port, packages] = process.argv.slice(2);
const origin = `http://127.0.0.1:${port}`;
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
/** The consent of the standard's examples. */
const EXAMPLE = '1234-wertiq-983';

const children = [];
const run = (args, variables) => {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...variables } });
  child.on('exit', (code) => process.exit(code ?? 1));
  children.push(child);
};
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit());
// When standard input is a pipe, its end is the end of the parent, whatever ended it.
if (fstatSync(0).isFIFO()) process.stdin.resume().on('end', () => process.exit());

const free = () => new Promise((resolve) => {
  const probe = listen().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});
const answers = (at) => new Promise((resolve) => {
  const socket = connect(at, '127.0.0.1').on('connect', () => { socket.destroy(); resolve(true); }).on('error', () => resolve(false));
});
const up = async (at) => { while (!await answers(at)) await new Promise((resolve) => setTimeout(resolve, 50)); };

const [standard, login] = [await free(), await free()];
run([`${packages}/node_modules/@stoplight/prism-cli/dist/index.js`, 'mock', '-h', '127.0.0.1', '-p', `${standard}`, here('psd2-api-1.3.6.yaml')]);
run([here('../oidc-provider/server.mjs'), `${login}`, `${packages}/../oidc-provider`], { REDIRECT_URIS: `${origin}/back` });
await Promise.all([up(standard), up(login)]);

/** Consents by their id: where the person goes back to, and what came of it. */
const consents = new Map();
/** Logins under way, by their state. */
const logins = new Map();

const json = (res, status, body) => {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
};
const refuse = (res, status, code) => json(res, status, { tppMessages: [{ category: 'ERROR', code }] });

/** What is wrong with the signature of a request (draft-cavage-http-signatures, as the standard uses it), if anything is. */
const unsigned = (req, body) => {
  const { digest, signature, 'tpp-signature-certificate': certificate } = req.headers;
  if (!certificate) return 'CERTIFICATE_MISSING';
  if (!signature || !digest) return 'SIGNATURE_MISSING';
  if (digest !== `SHA-256=${createHash('sha256').update(body).digest('base64')}`) return 'SIGNATURE_INVALID';
  const part = (name) => new RegExp(`(?:^|,)\\s*${name}="([^"]*)"`).exec(signature)?.[1] ?? '';
  const names = part('headers').split(' ');
  const needed = ['digest', 'x-request-id', ...('tpp-redirect-uri' in req.headers ? ['tpp-redirect-uri'] : [])];
  const issued = new X509Certificate(Buffer.from(certificate, 'base64'));
  const signed = Buffer.from(names.map((name) => `${name}: ${req.headers[name]}`).join('\n'));
  const right = needed.every((name) => names.includes(name)) && part('algorithm') === 'rsa-sha256'
    && part('keyId').startsWith(`SN=${issued.serialNumber},CA=`)
    && verify('sha256', signed, issued.publicKey, Buffer.from(part('signature'), 'base64'));
  return right ? undefined : 'SIGNATURE_INVALID';
};

const ask = (req, path, body) => fetch(`http://127.0.0.1:${standard}${path}`, {
  method: req.method, body: body.length ? body : undefined,
  headers: Object.fromEntries(Object.entries(req.headers).filter(([name]) => !['host', 'connection', 'content-length'].includes(name))),
});

/** A request of the interface. */
async function tpp(req, res, path, body) {
  const problem = unsigned(req, body);
  if (problem) return refuse(res, 401, problem);
  const [, list, id] = path.split(/[/?]/);
  const consent = consents.get(list === 'consents' ? id : req.headers['consent-id']);
  if (list !== 'consents' && consent?.status !== 'valid') return refuse(res, 401, 'CONSENT_INVALID');
  if (id && list === 'consents' && !consent) return refuse(res, 403, 'CONSENT_UNKNOWN');
  const answer = await ask(req, path, body);
  let text = await answer.text();
  if (answer.status === 201) {
    const made = randomUUID();
    consents.set(made, { status: 'received', back: req.headers['tpp-redirect-uri'] });
    text = text.replaceAll(/https:[^"]*\/authentication/g, `http://${req.headers.host}/authentication`).replaceAll(EXAMPLE, made);
  }
  if (path.endsWith('/status')) text = text.replace('valid', consent.status);
  if (req.method === 'DELETE') consents.delete(id);
  res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
  res.end(answer.status === 204 ? undefined : text);
}

/** The person comes from the third party, and goes to log in. */
function enter(res, id) {
  if (!consents.has(id)) return refuse(res, 404, 'CONSENT_UNKNOWN');
  const [state, verifier] = [randomUUID(), randomBytes(32).toString('hex')];
  logins.set(state, { id, verifier });
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const query = new URLSearchParams({
    response_type: 'code', client_id: 'engine', redirect_uri: `${origin}/back`, scope: 'openid', state,
    code_challenge: challenge, code_challenge_method: 'S256',
  });
  res.writeHead(302, { location: `http://127.0.0.1:${login}/auth?${query}` }).end();
}

/** The person has logged in and agreed, or not, and goes back to the third party. */
async function leave(res, query) {
  const { id, verifier } = logins.get(query.get('state')) ?? {};
  const consent = consents.get(id);
  if (!consent) return refuse(res, 404, 'CONSENT_UNKNOWN');
  logins.delete(query.get('state'));
  const token = query.has('code') && await fetch(`http://127.0.0.1:${login}/token`, {
    method: 'POST', headers: { authorization: `Basic ${Buffer.from('engine:engine-secret').toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'authorization_code', code: query.get('code'), redirect_uri: `${origin}/back`, code_verifier: verifier }),
  });
  consent.status = token.ok ? 'valid' : 'rejected';
  res.writeHead(302, { location: consent.back }).end();
}

createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const { pathname, search, searchParams } = new URL(req.url, origin);
  try {
    if (pathname.startsWith('/v1/')) return await tpp(req, res, pathname.slice(3) + search, Buffer.concat(chunks));
    if (pathname.startsWith('/authentication/')) return enter(res, pathname.split('/')[2]);
    if (pathname === '/back') return await leave(res, searchParams);
    return refuse(res, pathname === '/' ? 200 : 404, 'RESOURCE_UNKNOWN');
  } catch (error) {
    console.error(error);
    return refuse(res, 500, 'INTERNAL_SERVER_ERROR');
  }
}).listen(Number(port), '127.0.0.1');
