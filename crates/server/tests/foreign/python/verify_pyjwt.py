"""PyJWT, as a service that is sent tokens."""

import jwt

from steps import run


def verify(step):
    key = jwt.PyJWKClient(step["jwks_uri"]).get_signing_key_from_jwt(step["token"])
    verified = jwt.decode_complete(
        step["token"],
        key,
        algorithms=[step["alg"]],
        issuer=step["issuer"],
        audience=step["audience"],
        options={"require": ["iss", "aud", "sub", "iat", "exp", "jti"]},
    )
    if verified["header"]["typ"].lower() != step["typ"]:
        raise ValueError("another kind of token")
    return verified["payload"]


run(verify)
