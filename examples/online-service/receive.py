"""Receives through Consentry: verifies the event, fetches, opens, verifies, keeps, acknowledges. Needs jwcrypto, which brings cryptography.

usage: receive.py ENGINE ID SIGNING.pem OPENING.pem PORT FOLDER
"""
import base64, hashlib, http.server, json, pathlib, sys, time, urllib.parse, urllib.request, uuid

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwcrypto import jwe, jwk, jws

ENGINE, ID, SIGNING, OPENING, PORT, FOLDER = sys.argv[1:]
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
signing, opening = (jwk.JWK.from_pem(pathlib.Path(path).read_bytes()) for path in (SIGNING, OPENING))


def call(path, body=None, **headers):
    with urllib.request.urlopen(urllib.request.Request(ENGINE + path, body, headers)) as answer:
        return answer.read()


def access():
    """An access token, by private_key_jwt: a new assertion each time."""
    now = int(time.time())
    claims = {"iss": ID, "sub": ID, "aud": ENGINE + "/v1/token", "jti": str(uuid.uuid4()), "iat": now, "exp": now + 60}
    assertion = jws.JWS(json.dumps(claims))
    assertion.allowed_algs = ["PS256"]
    assertion.add_signature(signing, None, json.dumps({"alg": "PS256", "typ": "JWT", "kid": signing.thumbprint()}))
    form = {"grant_type": "client_credentials", "client_assertion_type": JWT_BEARER, "client_assertion": assertion.serialize(True)}
    given = call("/v1/token", urllib.parse.urlencode(form).encode())
    return {"Authorization": "Bearer " + json.loads(given)["access_token"]}


def verify_event(headers, body):
    """Standard Webhooks, v1a: a signature by a key of the engine, not older than five minutes."""
    name, second = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(second)) > 300:
        raise ValueError("an old event")
    signed = f"{name}.{second}.".encode() + body
    signatures = [base64.b64decode(part[4:]) for part in headers["webhook-signature"].split() if part.startswith("v1a,")]
    for key in json.loads(call("/v1/webhooks/keys"))["keys"]:
        for signature in signatures:
            try:
                Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_"))).verify(signature, signed)
                return json.loads(body)["data"]
            except InvalidSignature:
                pass
    raise ValueError("nobody's event")


def receive(event):
    """Fetches the parcel, opens it, checks who signed it and what it stands on, keeps it, and only then acknowledges."""
    who = access()
    sealed = call("/v1/parcels/" + event["parcel"], **who)
    envelope = jwe.JWE(algs=["RSA-OAEP-256", "A256GCM"])
    envelope.deserialize(sealed.decode(), opening)
    token = jws.JWS()
    token.allowed_algs = ["PS256"]
    token.deserialize(envelope.payload.decode())
    keys = [key for key in json.loads(call("/v1/keys"))["keys"] if key["use"] == "sig" and "duty" not in key]
    token.verify(jwk.JWK(**next(key for key in keys if key["kid"] == token.jose_header["kid"])))
    content = json.loads(token.payload)
    session = json.loads(call("/v1/sessions/" + event["session"], **who))
    expected = (event["parcel"], ID, session["consent"], "consentry-parcel+jwt")
    if (content["parcel"], content["online_service"], content["consent"], token.jose_header["typ"]) != expected:
        raise ValueError("another parcel")
    (pathlib.Path(FOLDER) / (content["parcel"] + ".json")).write_text(json.dumps(content))
    digest = json.dumps({"digest": "sha256:" + hashlib.sha256(sealed).hexdigest()}).encode()
    call(f"/v1/parcels/{content['parcel']}/ack", digest, **who, **{"Content-Type": "application/json"})
    print("received", content["parcel"], "from", content["provenance"]["source"], flush=True)


class Events(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        receive(verify_event(self.headers, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()


http.server.HTTPServer(("127.0.0.1", int(PORT)), Events).serve_forever()
