"""The APIs of the project itself: login, IAM, billing, enabled APIs, and service accounts."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import TYPE_CHECKING

from .errors import ApiError
from .http_server import Request, Route
from .resources import BUILDER_ROLE, Json, new_policy
from .validation import ACCOUNT_ID, check_fields

if TYPE_CHECKING:
    from .cloud import FakeCloud

PROJECT = r"/v1/projects/(?P<project>[^/:]+)"
TOKEN_LIFETIME_S = 3600


def issue_token(cloud: FakeCloud, request: Request) -> Json:
    """Issue an access token, or an identity token if the assertion has a target audience."""
    assertion = dict(part.split("=", 1) for part in request.body.decode().split("&")).get("assertion", "")
    claims = json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))
    token = secrets.token_hex(16)
    audience = claims.get("target_audience")
    if audience is None:
        cloud.access_tokens.add(token)
        return {"access_token": token, "expires_in": TOKEN_LIFETIME_S, "token_type": "Bearer"}
    payload = {"aud": audience, "email": claims["iss"], "exp": int(time.time()) + TOKEN_LIFETIME_S, "jti": token}
    identity_token = f"{encode_jwt_part({'alg': 'none'})}.{encode_jwt_part(payload)}.none"
    cloud.identity_tokens[identity_token] = audience
    return {"id_token": identity_token}


def encode_jwt_part(value: Json) -> str:
    """Encode the header or the payload of a JSON Web Token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def get_project(cloud: FakeCloud, request: Request) -> Json:
    """Return the project."""
    if request.names["project"] not in (cloud.project.id, cloud.project.number):
        raise ApiError(403, "The caller does not have permission")
    project = cloud.project
    return {"projectId": project.id, "projectNumber": project.number, "lifecycleState": "ACTIVE", "name": project.id}


def get_project_policy(cloud: FakeCloud, request: Request) -> Json:
    """Return the IAM policy of the project."""
    return cloud.project.policy()


def set_project_policy(cloud: FakeCloud, request: Request) -> Json:
    """Set the IAM policy of the project."""
    bindings = request.json()["policy"]["bindings"]
    cloud.project.bindings = [binding for binding in bindings if binding["role"] != BUILDER_ROLE]
    return cloud.project.policy()


def get_ancestry(cloud: FakeCloud, request: Request) -> Json:
    """Return the project and its organization, if it belongs to one."""
    ids = {"project": cloud.project.id} | ({} if cloud.project.organization is None else {"organization": "1"})
    return {"ancestor": [{"resourceId": {"type": level, "id": ids[level]}} for level in ids]}


def get_organization_policy(cloud: FakeCloud, request: Request) -> Json:
    """Return the IAM policy of the organization."""
    return new_policy(cloud.project.organization or [])


def get_effective_policy(cloud: FakeCloud, request: Request) -> Json:
    """Return the organization policy of a constraint that is in effect in the project."""
    constraint = request.json()["constraint"]
    default = {"listPolicy": {"allValues": "ALLOW"}}
    return {"constraint": constraint} | cloud.project.policies.get(constraint.removeprefix("constraints/"), default)


def test_permissions(cloud: FakeCloud, request: Request) -> Json:
    """Return those permissions of a list that the caller has."""
    missing = cloud.project.missing_permissions
    return {"permissions": [name for name in request.json()["permissions"] if name not in missing]}


def get_billing(cloud: FakeCloud, request: Request) -> Json:
    """Return whether billing is enabled."""
    account = {"billingAccountName": "billingAccounts/0"} if cloud.project.billing else {}
    return {"name": request.path, "projectId": cloud.project.id, "billingEnabled": cloud.project.billing} | account


def describe_api(cloud: FakeCloud, api: str) -> Json:
    """Return the JSON of an API."""
    state = "ENABLED" if api in cloud.project.apis else "DISABLED"
    return {"name": f"projects/{cloud.project.number}/services/{api}", "config": {"name": api}, "state": state}


def get_api(cloud: FakeCloud, request: Request) -> Json:
    """Return an API, enabled or not."""
    return describe_api(cloud, request.names["api"])


def list_apis(cloud: FakeCloud, request: Request) -> Json:
    """Return the enabled APIs."""
    return {"services": [describe_api(cloud, api) for api in sorted(cloud.project.apis)]}


def enable_apis(cloud: FakeCloud, request: Request) -> Json:
    """Enable APIs."""
    cloud.project.apis |= set(request.json().get("serviceIds") or [request.names.get("api", "")])
    return {"name": "operations/noop.DONE_OPERATION", "done": True, "response": {}}


def get_build_account(cloud: FakeCloud, request: Request) -> Json:
    """Return the service account of builds."""
    return {"serviceAccountEmail": f"projects/{cloud.project.id}/serviceAccounts/{cloud.project.builder}"}


def get_account(cloud: FakeCloud, request: Request) -> Json:
    """Return a service account."""
    email = request.names["email"]
    account = cloud.project.accounts.get(email)
    if account is None and email == f"{cloud.project.number}-compute@developer.gserviceaccount.com":
        return {"name": f"projects/{cloud.project.id}/serviceAccounts/{email}", "email": email}
    if account is None:
        raise ApiError(404, f"Unknown service account: {request.names['email']}")
    return account


def test_account_permissions(cloud: FakeCloud, request: Request) -> Json:
    """Return those permissions of a list that the caller has on a service account."""
    email = get_account(cloud, request)["email"]
    return test_permissions(cloud, request) if email not in cloud.project.acts_as else request.json()


def create_account(cloud: FakeCloud, request: Request) -> Json:
    """Create a service account."""
    check_fields("account", request.json())
    name = request.json()["accountId"]
    if not ACCOUNT_ID.fullmatch(name):
        raise ApiError(400, f"Invalid service account ID {name!r}: 6 to 30 lower-case letters, digits and hyphens")
    email = f"{name}@{cloud.project.id}.iam.gserviceaccount.com"
    account = {"name": f"projects/{cloud.project.id}/serviceAccounts/{email}", "email": email}
    cloud.project.accounts[email] = account | {"projectId": cloud.project.id, "uniqueId": "1"}
    return cloud.project.accounts[email]


def delete_account(cloud: FakeCloud, request: Request) -> Json:
    """Delete a service account."""
    get_account(cloud, request)
    del cloud.project.accounts[request.names["email"]]
    return {}


SERVICES: dict[str, list[Route]] = {
    "oauth2": [("POST", "/token", issue_token)],
    "cloudresourcemanager": [
        ("GET", PROJECT, get_project),
        ("POST", f"{PROJECT}:getIamPolicy", get_project_policy),
        ("POST", f"{PROJECT}:setIamPolicy", set_project_policy),
        ("POST", f"{PROJECT}:testIamPermissions", test_permissions),
        ("POST", f"{PROJECT}:getAncestry", get_ancestry),
        ("POST", f"{PROJECT}:getEffectiveOrgPolicy", get_effective_policy),
        ("POST", "/v1/organizations/[^/]+:getIamPolicy", get_organization_policy),
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
        ("POST", f"{PROJECT}/serviceAccounts/(?P<email>[^/:]+):testIamPermissions", test_account_permissions),
        ("POST", f"{PROJECT}/serviceAccounts", create_account),
        ("DELETE", f"{PROJECT}/serviceAccounts/(?P<email>[^/:]+)", delete_account),
    ],
}
