"""Checks a receipt with a library that this project did not write, and prints what it says.

usage: verify.py RECEIPT KEYS     (the SD-JWT alone; a JWKS)
"""
import json
import sys

from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier

receipt = open(sys.argv[1]).read().strip()
keys = {key["kid"]: JWK.from_json(json.dumps(key)) for key in json.load(open(sys.argv[2]))["keys"]}
verifier = SDJWTVerifier(receipt, lambda issuer, header: keys[header["kid"]])
print(json.dumps(verifier.get_verified_payload()))
