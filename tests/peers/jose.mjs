// Opens and checks what is given, and answers in kind. See README.md.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.cwd() + "/package.json");
const jose = await import(require.resolve("jose"));
const given = JSON.parse(readFileSync(0, "utf8"));

const opening = await jose.importPKCS8(given.private_pem, "RSA-OAEP-256");
const signing = await jose.importPKCS8(given.private_pem, "PS256");
const sealTo = await jose.importJWK(given.seal_to, given.seal_to.alg);
const checkWith = await jose.importJWK(given.check_with, given.check_with.alg);

const opened = await jose.compactDecrypt(given.jwe, opening);
const checked = await jose.compactVerify(given.jws, checkWith);
const text = new TextDecoder();
const jwe = await new jose.CompactEncrypt(new TextEncoder().encode(given.text))
  .setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM", kid: given.seal_to.kid })
  .encrypt(sealTo);
const jws = await new jose.CompactSign(new TextEncoder().encode(given.text))
  .setProtectedHeader({ alg: "PS256", typ: "peer+jwt", kid: given.kid })
  .sign(signing);
console.log(JSON.stringify({
  opened: text.decode(opened.plaintext),
  checked: text.decode(checked.payload),
  typ: checked.protectedHeader.typ,
  jwe,
  jws,
}));
