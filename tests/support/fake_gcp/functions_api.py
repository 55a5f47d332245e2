"""Cloud Functions, v2: uploads, functions, and the long-running operations that change them."""

from __future__ import annotations

import copy
import re
import secrets
import threading
from typing import TYPE_CHECKING

from .build import BuildFailed
from .errors import ApiError
from .http_server import DOMAIN, Request, Route
from .resources import FUNCTION_LABELS, Json, Operation, Revision, Service
from .revisions import build_image, new_revision_name, start_revision
from .validation import check_function

if TYPE_CHECKING:
    from .cloud import FakeCloud

LOCATION = r"/v2/(?P<location>projects/[^/]+/locations/(?P<region>[^/]+))"
NAME = r"(?P<name>[^/:]+)"
RUNTIMES = ("python311", "python312", "python313", "python314")
INGRESS = {
    "ALLOW_ALL": "all",
    "ALLOW_INTERNAL_ONLY": "internal",
    "ALLOW_INTERNAL_AND_GCLB": "internal-and-cloud-load-balancing",
}
ACT_AS = "iam.serviceAccounts.actAs"
OPERATION_POLL_S = 2.0
SERVICE_DEFAULTS: Json = {"timeoutSeconds": 60, "maxInstanceRequestConcurrency": 1, "ingressSettings": "ALLOW_ALL"}


def function_key(request: Request) -> str:
    """Return REGION/NAME of the function that a path names."""
    return f"{request.names['region']}/{request.names['name']}"


def get_function(cloud: FakeCloud, request: Request) -> Json:
    """Return a function."""
    function = cloud.project.functions.get(function_key(request))
    if function is None:
        raise ApiError(404, f"Resource '{request.path.removeprefix('/v2/')}' was not found")
    service = cloud.project.services.get(function_key(request))
    if service:
        function["serviceConfig"]["allTrafficOnLatestRevision"] = not service.pinned
    return function


def list_functions(cloud: FakeCloud, request: Request) -> Json:
    """Return the functions of all regions."""
    return {"functions": list(cloud.project.functions.values())}


def list_runtimes(cloud: FakeCloud, request: Request) -> Json:
    """Return the available runtimes."""
    runtimes = [{"name": name, "environment": "GEN_2", "stage": "GA"} for name in RUNTIMES]
    return {"runtimes": runtimes}


def generate_upload_url(cloud: FakeCloud, request: Request) -> Json:
    """Return a URL for the upload of the source."""
    name = f"{secrets.token_hex(8)}.zip"
    source = {"bucket": f"gcf-v2-uploads-{cloud.project.number}", "object": name}
    return {"uploadUrl": f"http://upload.{DOMAIN}/{name}", "storageSource": source}


def store_upload(cloud: FakeCloud, request: Request) -> Json:
    """Store an upload."""
    cloud.project.uploads[request.names["name"]] = request.body
    return {}


def create_function(cloud: FakeCloud, request: Request) -> Json:
    """Create a function."""
    name, function = request.query["functionId"], request.json()
    key = f"{request.names['region']}/{name}"
    if key in cloud.project.functions:
        raise ApiError(409, f"Could not create function {name}: it exists")
    check_function(name, function)
    if key in cloud.project.services:
        raise ApiError(409, f"A Cloud Run service named {name} exists. Please redeploy the function with another name.")
    function |= {"name": f"{request.names['location']}/functions/{name}", "environment": "GEN_2", "state": "DEPLOYING"}
    function["serviceConfig"] = SERVICE_DEFAULTS | function["serviceConfig"]
    check_accounts(cloud, function)
    cloud.project.functions[key] = function
    cloud.project.repositories.setdefault(f"{request.names['location']}/repositories/gcf-artifacts", {})
    return start_operation(cloud, request, key, function)


def update_function(cloud: FakeCloud, request: Request) -> Json:
    """Update the fields of a function that the update mask names."""
    name, body = request.names["name"], request.json()
    current = get_function(cloud, request)
    check_function(name, current | body)
    function = apply_update(current, body, request.query["updateMask"].split(","))
    check_function(name, function)
    check_accounts(cloud, function)
    return start_operation(cloud, request, function_key(request), function)


def apply_update(current: Json, body: Json, mask: list[str]) -> Json:
    """Return a copy of a function with those fields of a body that a mask names; absent fields are removed."""
    function = copy.deepcopy(current)
    for path in mask:
        *parents, field = [camel_case(part) for part in path.split(".")]
        target, source = function, body
        for parent in parents:
            target, source = target[parent], source.get(parent, {})
        if field in source:
            target[field] = source[field]
        else:
            target.pop(field, None)
    return function


def delete_function(cloud: FakeCloud, request: Request) -> Json:
    """Delete a function and its service."""
    get_function(cloud, request)
    cloud.remove_service(function_key(request))
    return describe_operation(new_operation(cloud, request, done=True))


def get_operation(cloud: FakeCloud, request: Request) -> Json:
    """Return an operation, after a short wait for its end."""
    operation = cloud.project.operations[request.path.removeprefix("/v2/")]
    if operation.thread:
        operation.thread.join(OPERATION_POLL_S)
    return describe_operation(operation)


def new_operation(cloud: FakeCloud, request: Request, *, done: bool = False) -> Operation:
    """Create an operation."""
    operation = Operation(f"{request.names['location']}/operations/{secrets.token_hex(8)}", done=done)
    cloud.project.operations[operation.name] = operation
    return operation


def describe_operation(operation: Operation) -> Json:
    """Return the JSON of an operation."""
    state = "COMPLETE" if operation.done else "IN_PROGRESS"
    stages = [{"name": "BUILD", "state": "COMPLETE"}, {"name": "SERVICE", "state": state}]
    if operation.stage == "BUILD":
        stages = [{"name": "BUILD", "state": state}, {"name": "SERVICE", "state": "NOT_STARTED"}]
    metadata = {"@type": "type.googleapis.com/google.cloud.functions.v2.OperationMetadata", "stages": stages}
    description: Json = {"name": operation.name, "done": operation.done, "metadata": metadata}
    return description | ({"error": operation.error} if operation.error else {})


def check_accounts(cloud: FakeCloud, function: Json) -> None:
    """Check the service accounts that a function names.

    Raises:
        ApiError: 400, if one does not exist; 403, if the caller may not act as it.
    """
    project, builder = cloud.project, function["buildConfig"].get("serviceAccount", "").rpartition("/")[2]
    for email in filter(None, (function["serviceConfig"].get("serviceAccountEmail"), builder)):
        if email not in project.accounts:
            raise ApiError(400, f"Service account {email} does not exist.")
        if ACT_AS in project.missing_permissions and email not in project.acts_as:
            raise ApiError(403, f"Caller is missing permission '{ACT_AS}' on service account {email}.")


def start_operation(cloud: FakeCloud, request: Request, key: str, function: Json) -> Json:
    """Start the deployment of a function in a thread, and return its operation."""
    operation = new_operation(cloud, request)
    operation.thread = threading.Thread(target=run_deployment, args=(cloud, key, function, operation), daemon=True)
    operation.thread.start()
    return describe_operation(operation)


def run_deployment(cloud: FakeCloud, key: str, function: Json, operation: Operation) -> None:
    """Build a function and send traffic to its new revision; after a failure the previous revision keeps serving."""
    config, build, name = function["serviceConfig"], function["buildConfig"], key.rpartition("/")[2]
    try:
        upload = build["source"]["storageSource"]["object"]
        image = build_image(cloud, upload, build["runtime"], build["entryPoint"])
        operation.stage = "SERVICE"
        revision = start_revision(cloud, name, new_revision_name(cloud, name), image, config)
        if revision.error:
            text = f"Could not create or update Cloud Run service {name}, Container Healthcheck failed."
            fail(cloud, key, operation, 3, f"{text} {revision.error}")
        else:
            activate(cloud, key, function, revision)
    except BuildFailed as error:
        fail(cloud, key, operation, 3, f"Build failed: {error}; Error ID: d0a3e1b8")
    operation.done = True


def activate(cloud: FakeCloud, key: str, function: Json, revision: Revision) -> None:
    """Add a revision to a function's service, send traffic to it unless traffic is pinned, and set the URL."""
    config, (region, name) = function["serviceConfig"], key.split("/")
    service = cloud.project.services.setdefault(key, Service(region, name, labels=dict(FUNCTION_LABELS)))
    service.revisions.append(revision)
    service.annotations["run.googleapis.com/ingress"] = INGRESS[config["ingressSettings"]]
    if config.pop("allTrafficOnLatestRevision", False) or not service.pinned:
        service.send_traffic([{"latestRevision": True, "percent": 100}])
    url, parent = cloud.ingress(key).url, function["name"].rpartition("/functions/")[0]
    config |= {"uri": url, "service": f"{parent}/services/{service.name}", "revision": revision.name}
    cloud.project.functions[key] = function | {"state": "ACTIVE", "url": url}


def fail(cloud: FakeCloud, key: str, operation: Operation, code: int, message: str) -> None:
    """End an operation with an error; a function that was never active becomes FAILED."""
    operation.error = {"code": code, "message": message}
    function = cloud.project.functions[key]
    if function["state"] != "ACTIVE":
        function["state"] = "FAILED"


def camel_case(name: str) -> str:
    """Return a field name of the update mask as in the body: build_config as buildConfig."""
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


ROUTES: list[Route] = [
    ("GET", f"{LOCATION}/functions/{NAME}", get_function),
    ("GET", f"{LOCATION}/functions", list_functions),
    ("GET", f"{LOCATION}/runtimes", list_runtimes),
    ("POST", f"{LOCATION}/functions:generateUploadUrl", generate_upload_url),
    ("POST", f"{LOCATION}/functions", create_function),
    ("PATCH", f"{LOCATION}/functions/{NAME}", update_function),
    ("DELETE", f"{LOCATION}/functions/{NAME}", delete_function),
    ("GET", f"{LOCATION}/operations/[^/]+", get_operation),
]
UPLOAD_ROUTES: list[Route] = [("PUT", f"/{NAME}", store_upload)]
