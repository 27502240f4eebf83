"""Authlib and its JOSE library joserfc, as a service that is sent tokens."""

import requests
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc import jwt
from joserfc.jwk import KeySet

from steps import run


class Validator(JWTBearerTokenValidator):
    """Checks a token as RFC 9068 section 4 wants it."""

    def __init__(self, step):
        super().__init__(step["issuer"], step["audience"])
        self.jwks_uri = step["jwks_uri"]

    def get_jwks(self):
        return requests.get(self.jwks_uri, timeout=30).json()


def verify(step):
    keys = KeySet.import_key_set(requests.get(step["jwks_uri"], timeout=30).json())
    verified = jwt.decode(step["token"], keys, algorithms=[step["alg"]])
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": step["issuer"]},
        aud={"essential": True, "value": step["audience"]},
    )
    registry.validate(verified.claims)
    if verified.header["typ"].lower() != step["typ"]:
        raise ValueError("another kind of token")
    return verified.claims


def verify_access_token(step):
    validator = Validator(step)
    claims = validator.authenticate_token(step["token"])
    validator.validate_token(claims, [step["scope"]], None)
    return dict(claims)


run(verify, verify_access_token)
