"""Authlib, as a client of the authorization server."""

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from steps import run

KEY_TYPES = {"RS256": RSAKey, "PS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey, "Ed25519": OKPKey}


def session(step):
    client, server = step["client"], step["server"]
    method = client["method"]
    # Authlib means the token endpoint unless it is told otherwise.
    audience = None if step.get("default_audience") else server["issuer"]
    header = {"kid": client["kid"]} if step["names_key"] and "kid" in client else None
    secret, assertion = client.get("secret"), None
    if method == "private_key_jwt":
        secret = KEY_TYPES[client["alg"]].import_key(client["pem"])
        assertion = PrivateKeyJWT(audience, headers=header, alg=client["alg"])
    elif method == "client_secret_jwt":
        secret = OctKey.import_key(secret)
        assertion = ClientSecretJWT(audience, alg=client["alg"])
    made = OAuth2Session(
        client["id"],
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        scope=step.get("scope"),
    )
    if assertion:
        made.register_client_auth_method(assertion)
    return made


def discover(step):
    made = OAuth2Session(step["client"]["id"])
    return made.get(step["at"], withhold_token=True).json()


def token(step):
    more = {"resource": step["resource"]} if "resource" in step else {}
    return dict(session(step).fetch_token(
        step["server"]["token_endpoint"], grant_type="client_credentials", **more
    ))


def life(step):
    """A token from its issue to its end."""
    server, made, told = step["server"], session(step), {"token": token(step)}
    access_token = told["token"]["access_token"]
    made.token = told["token"]
    introspect = lambda: made.introspect_token(server["introspection_endpoint"], access_token).json()
    told["introspected"] = introspect()
    if "userinfo_endpoint" in server:
        told["userinfo"] = made.get(server["userinfo_endpoint"]).json()
    revoked = made.revoke_token(server["revocation_endpoint"], access_token)
    told["revoked"] = {"status": revoked.status_code, "body": revoked.text}
    told["after"] = introspect()
    return told


run(discover, token, life)
