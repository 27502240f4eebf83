"""requests_oauth2client, as a client of the authorization server."""

from jwskate import Jwk
from requests_oauth2client import (
    ClientSecretBasic,
    ClientSecretJwt,
    ClientSecretPost,
    OAuth2Client,
    PrivateKeyJwt,
)

from steps import run


def authentication(step):
    client = step["client"]
    # It, too, means the token endpoint unless it is told otherwise.
    audience = None if step.get("default_audience") else step["server"]["issuer"]
    match client["method"]:
        case "client_secret_basic":
            return ClientSecretBasic(client["id"], client["secret"])
        case "client_secret_post":
            return ClientSecretPost(client["id"], client["secret"])
        case "client_secret_jwt":
            return ClientSecretJwt(client["id"], client["secret"], alg=client["alg"], aud=audience)
        case "private_key_jwt":
            key = Jwk.from_pem(client["pem"], kid=client["kid"])
            return PrivateKeyJwt(client["id"], key, alg=client["alg"], aud=audience)


def configured(step):
    endpoints = {name: url for name, url in step["server"].items() if name.endswith("_endpoint")}
    return OAuth2Client(auth=authentication(step), testing=step["insecure"], **endpoints)


def discover(step):
    made = OAuth2Client.from_discovery_endpoint(
        step["at"], auth=authentication(step), testing=step["insecure"]
    )
    return {"token_endpoint": made.token_endpoint, "issuer": made.issuer}


def bearer(made, step):
    more = {name: step[name] for name in ("scope", "resource") if name in step}
    return made.client_credentials(**more)


def token(step):
    return bearer(configured(step), step).as_dict()


def life(step):
    """A token from its issue to its end."""
    made = configured(step)
    held = bearer(made, step)
    told = {"token": held.as_dict(), "introspected": made.introspect_token(held)}
    if "userinfo_endpoint" in step["server"]:
        told["userinfo"] = made.userinfo(held)
    told["revoked"] = made.revoke_access_token(held)
    told["after"] = made.introspect_token(held)
    return told


run(discover, token, life)
