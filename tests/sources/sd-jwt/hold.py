"""Holds a key and shows a receipt that is bound to it, with a library that this project did not write.

usage: hold.py new KEY                               makes a key, and prints its public half as JWK
       hold.py show RECEIPT KEYS KEY NONCE AUDIENCE  prints the whole receipt with a proof of the key behind it
"""
import json
import sys

from jwcrypto.jwk import JWK
from sd_jwt.holder import SDJWTHolder
from sd_jwt.verifier import SDJWTVerifier

# Every claim that can be withheld; of the list, more items than there are.
ALL = {name: True for name in ["online_service", "source", "parcel", "leaves", "salt", "kept"]} | {"categories": [True] * 64}

if sys.argv[1] == "new":
    key = JWK.generate(kty="EC", crv="P-256")
    open(sys.argv[2], "w").write(key.export_private())
    print(key.export_public())
else:
    receipt, keys, held, nonce, audience = sys.argv[2:]
    holder = SDJWTHolder(open(receipt).read().strip())
    key = JWK.from_json(open(held).read())
    holder.create_presentation(ALL, nonce, audience, key, "ES256")
    signing = {each["kid"]: JWK.from_json(json.dumps(each)) for each in json.load(open(keys))["keys"]}
    # It verifies its own work, as somebody whom it is shown to would.
    SDJWTVerifier(holder.sd_jwt_presentation, lambda issuer, header: signing[header["kid"]], audience, nonce)
    print(holder.sd_jwt_presentation)
