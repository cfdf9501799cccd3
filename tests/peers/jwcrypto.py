"""Opens and checks what is given, and answers in kind. See README.md."""
import json
import sys

# This file has the library's name.
sys.path.pop(0)
from jwcrypto import jwe, jwk, jws  # noqa: E402

given = json.load(sys.stdin)
private = jwk.JWK.from_pem(given["private_pem"].encode())
seal_to = jwk.JWK(**given["seal_to"])
check_with = jwk.JWK(**given["check_with"])

opened = jwe.JWE()
opened.deserialize(given["jwe"], private)
checked = jws.JWS()
checked.deserialize(given["jws"])
checked.allowed_algs = ["PS256"]
checked.verify(check_with)

sealed = jwe.JWE(
    given["text"].encode(),
    json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": given["seal_to"]["kid"]}),
)
sealed.add_recipient(seal_to)
signed = jws.JWS(given["text"].encode())
signed.allowed_algs = ["PS256"]
signed.add_signature(private, "PS256", json.dumps({"alg": "PS256", "typ": "peer+jwt", "kid": given["kid"]}))
print(json.dumps({
    "opened": opened.payload.decode(),
    "checked": checked.payload.decode(),
    "typ": checked.jose_header["typ"],
    "jwe": sealed.serialize(compact=True),
    "jws": signed.serialize(compact=True),
}))
