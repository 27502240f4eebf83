"""requests-oauthlib, as a client of the authorization server."""

import os

from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from steps import run


def token(step):
    client = step["client"]
    # It wants TLS unless the environment says otherwise.
    if step["insecure"]:
        os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    made = OAuth2Session(client=BackendApplicationClient(client["id"], scope=step.get("scope")))
    if client["method"] == "client_secret_basic":
        how = {"auth": HTTPBasicAuth(client["id"], client["secret"])}
    else:
        how = {"include_client_id": True, "client_secret": client["secret"]}
    return dict(made.fetch_token(step["server"]["token_endpoint"], **how))


run(token)
