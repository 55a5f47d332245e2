"""What surrounds the function: the project, its billing and APIs, service accounts, buckets, and who is logged in."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import TYPE_CHECKING

from .faults import ApiError
from .http_server import Call, Route
from .resources import BUILDER, Json
from .validation import ACCOUNT_ID, check_fields

if TYPE_CHECKING:
    from .cloud import Cloud

PROJECT = r"/v1/projects/(?P<project>[^/:]+)"
TOKEN_LIFE_S = 3600


def give_token(cloud: Cloud, call: Call) -> Json:
    """Give who is logged in an access token, or an identity token if the assertion asks for an audience."""
    assertion = dict(part.split("=", 1) for part in call.body.decode().split("&")).get("assertion", "")
    claims = json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))
    token = secrets.token_hex(16)
    audience = claims.get("target_audience")
    if audience is None:
        cloud.access_tokens.add(token)
        return {"access_token": token, "expires_in": TOKEN_LIFE_S, "token_type": "Bearer"}
    payload = {"aud": audience, "email": claims["iss"], "exp": int(time.time()) + TOKEN_LIFE_S, "jti": token}
    identity = ".".join(part(each) for each in ({"alg": "none"}, payload)) + ".none"
    cloud.identity_tokens[identity] = audience
    return {"id_token": identity}


def part(value: Json) -> str:
    """Write a part of a JSON Web Token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def get_project(cloud: Cloud, call: Call) -> Json:
    """Yield the project."""
    if call.names["project"] not in (cloud.project.id, cloud.project.number):
        raise ApiError(403, "The caller does not have permission")
    project = cloud.project
    return {"projectId": project.id, "projectNumber": project.number, "lifecycleState": "ACTIVE", "name": project.id}


def get_project_policy(cloud: Cloud, call: Call) -> Json:
    """Yield who has which role."""
    return cloud.project.policy()


def set_project_policy(cloud: Cloud, call: Call) -> Json:
    """Set who has which role."""
    bindings = call.json()["policy"]["bindings"]
    cloud.project.granted = [each for each in bindings if each["role"] != BUILDER]
    return cloud.project.policy()


def test_permissions(cloud: Cloud, call: Call) -> Json:
    """Yield those of some permissions that the caller has."""
    lacking = cloud.project.permissions_lacking
    return {"permissions": [each for each in call.json()["permissions"] if each not in lacking]}


def get_billing(cloud: Cloud, call: Call) -> Json:
    """Say whether the project has billing."""
    account = {"billingAccountName": "billingAccounts/0"} if cloud.project.billing else {}
    return {"name": call.path, "projectId": cloud.project.id, "billingEnabled": cloud.project.billing} | account


def describe_api(cloud: Cloud, api: str) -> Json:
    """Yield one API of the project."""
    state = "ENABLED" if api in cloud.project.apis else "DISABLED"
    return {"name": f"projects/{cloud.project.number}/services/{api}", "config": {"name": api}, "state": state}


def get_api(cloud: Cloud, call: Call) -> Json:
    """Yield one API of the project."""
    return describe_api(cloud, call.names["api"])


def list_apis(cloud: Cloud, call: Call) -> Json:
    """Yield the APIs that are enabled."""
    return {"services": [describe_api(cloud, api) for api in sorted(cloud.project.apis)]}


def enable_apis(cloud: Cloud, call: Call) -> Json:
    """Enable APIs."""
    cloud.project.apis |= set(call.json().get("serviceIds") or [call.names.get("api", "")])
    return {"name": "operations/noop.DONE_OPERATION", "done": True, "response": {}}


def get_build_account(cloud: Cloud, call: Call) -> Json:
    """Name the account that builds."""
    email = f"{cloud.project.number}-compute@developer.gserviceaccount.com"
    return {"serviceAccountEmail": f"projects/{cloud.project.id}/serviceAccounts/{email}"}


def get_account(cloud: Cloud, call: Call) -> Json:
    """Yield a service account."""
    account = cloud.project.accounts.get(call.names["email"])
    if account is None:
        raise ApiError(404, f"Unknown service account: {call.names['email']}")
    return account


def create_account(cloud: Cloud, call: Call) -> Json:
    """Make a service account."""
    check_fields("account", call.json())
    name = call.json()["accountId"]
    if not ACCOUNT_ID.fullmatch(name):
        raise ApiError(400, f"Invalid service account ID {name!r}: 6 to 30 lower-case letters, digits and hyphens")
    email = f"{name}@{cloud.project.id}.iam.gserviceaccount.com"
    account = {"name": f"projects/{cloud.project.id}/serviceAccounts/{email}", "email": email}
    cloud.project.accounts[email] = account | {"projectId": cloud.project.id, "uniqueId": "1"}
    return cloud.project.accounts[email]


def delete_account(cloud: Cloud, call: Call) -> Json:
    """Remove a service account."""
    get_account(cloud, call)
    del cloud.project.accounts[call.names["email"]]
    return {}


SERVICES: dict[str, list[Route]] = {
    "oauth2": [("POST", "/token", give_token)],
    "cloudresourcemanager": [
        ("GET", PROJECT, get_project),
        ("POST", f"{PROJECT}:getIamPolicy", get_project_policy),
        ("POST", f"{PROJECT}:setIamPolicy", set_project_policy),
        ("POST", f"{PROJECT}:testIamPermissions", test_permissions),
    ],
    "cloudbilling": [("GET", f"{PROJECT}/billingInfo", get_billing)],
    "serviceusage": [
        ("GET", f"{PROJECT}/services/(?P<api>[^/:]+)", get_api),
        ("GET", f"{PROJECT}/services", list_apis),
        ("POST", f"{PROJECT}/services:batchEnable", enable_apis),
        ("POST", f"{PROJECT}/services/(?P<api>[^/:]+):enable", enable_apis),
    ],
    "cloudbuild": [("GET", f"{PROJECT}/locations/[^/]+/defaultServiceAccount", get_build_account)],
    "iam": [
        ("GET", f"{PROJECT}/serviceAccounts/(?P<email>[^/:]+)", get_account),
        ("POST", f"{PROJECT}/serviceAccounts", create_account),
        ("DELETE", f"{PROJECT}/serviceAccounts/(?P<email>[^/:]+)", delete_account),
    ],
}
