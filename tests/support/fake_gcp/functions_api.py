"""Cloud Functions, v2: upload, create, change, delete, and the operations that do it."""

from __future__ import annotations

import re
import secrets
import string
import threading
from typing import TYPE_CHECKING

from .build import BuildFailed, install, unpack
from .faults import ApiError
from .http_server import DOMAIN, Call, Route
from .ingress import Front
from .instance import Instance, StartFailed
from .resources import Json, Operation, Revision, Service
from .validation import check_function, memory_bytes

if TYPE_CHECKING:
    from .cloud import Cloud

PLACE = r"/v2/(?P<place>projects/[^/]+/locations/[^/]+)"
NAME = r"(?P<name>[^/:]+)"
RUNTIMES = ("python311", "python312", "python313")
OPERATION_LOOK_S = 2.0
SERVICE_DEFAULTS: Json = {"timeoutSeconds": 60, "maxInstanceRequestConcurrency": 1, "ingressSettings": "ALLOW_ALL"}


def get_function(cloud: Cloud, call: Call) -> Json:
    """Yield a function, with what its service does now."""
    function = cloud.project.functions.get(call.names["name"])
    if function is None:
        raise ApiError(404, f"Resource '{call.path.removeprefix('/v2/')}' was not found")
    service = cloud.project.services.get(call.names["name"])
    if service:
        function["serviceConfig"]["allTrafficOnLatestRevision"] = not service.pinned
    return function


def list_runtimes(cloud: Cloud, call: Call) -> Json:
    """Yield the runtimes that can be asked for."""
    runtimes = [{"name": name, "environment": "GEN_2", "stage": "GA"} for name in RUNTIMES]
    return {"runtimes": runtimes}


def generate_upload_url(cloud: Cloud, call: Call) -> Json:
    """Yield where the source goes."""
    name = f"{secrets.token_hex(8)}.zip"
    source = {"bucket": f"gcf-v2-uploads-{cloud.project.number}", "object": name}
    return {"uploadUrl": f"http://upload.{DOMAIN}/{name}", "storageSource": source}


def take_upload(cloud: Cloud, call: Call) -> Json:
    """Keep an upload."""
    cloud.project.uploads[call.names["name"]] = call.body
    return {}


def create(cloud: Cloud, call: Call) -> Json:
    """Make a function."""
    name, function = call.query["functionId"], call.json()
    if name in cloud.project.functions:
        raise ApiError(409, f"Could not create function {name}: it exists")
    check_function(name, function)
    function |= {"name": f"{call.names['place']}/functions/{name}", "environment": "GEN_2", "state": "DEPLOYING"}
    function["serviceConfig"] = SERVICE_DEFAULTS | function["serviceConfig"]
    check_account(cloud, function)
    cloud.project.functions[name] = function
    return start(cloud, call, name, function)


def change(cloud: Cloud, call: Call) -> Json:
    """Change the fields of a function that the mask names."""
    name, body = call.names["name"], call.json()
    current = get_function(cloud, call)
    function = {**current, "buildConfig": dict(current["buildConfig"]), "serviceConfig": dict(current["serviceConfig"])}
    check_function(name, function | body)
    for path in call.query["updateMask"].split(","):
        *parents, leaf = [camel(part) for part in path.split(".")]
        target, given = function, body
        for parent in parents:
            target, given = target[parent], given.get(parent, {})
        if leaf in given:
            target[leaf] = given[leaf]
        else:
            target.pop(leaf, None)
    check_function(name, function)
    check_account(cloud, function)
    return start(cloud, call, name, function)


def delete(cloud: Cloud, call: Call) -> Json:
    """Remove a function and all that it had."""
    get_function(cloud, call)
    cloud.remove(call.names["name"])
    return describe(new_operation(cloud, call, done=True))


def get_operation(cloud: Cloud, call: Call) -> Json:
    """Say how far an operation is."""
    operation = cloud.project.operations[call.path.removeprefix("/v2/")]
    if operation.thread:
        operation.thread.join(OPERATION_LOOK_S)
    return describe(operation)


def new_operation(cloud: Cloud, call: Call, *, done: bool = False) -> Operation:
    """Make an operation that can be asked for."""
    operation = Operation(f"{call.names['place']}/operations/{secrets.token_hex(8)}", done=done)
    cloud.project.operations[operation.name] = operation
    return operation


def describe(operation: Operation) -> Json:
    """Yield the JSON of an operation."""
    state = "COMPLETE" if operation.done else "IN_PROGRESS"
    stages = [{"name": "BUILD", "state": "COMPLETE"}, {"name": "SERVICE", "state": state}]
    if operation.stage == "BUILD":
        stages = [{"name": "BUILD", "state": state}, {"name": "SERVICE", "state": "NOT_STARTED"}]
    kind = "type.googleapis.com/google.cloud.functions.v2.OperationMetadata"
    said: Json = {"name": operation.name, "done": operation.done, "metadata": {"@type": kind, "stages": stages}}
    return said | ({"error": operation.error} if operation.error else {})


def check_account(cloud: Cloud, function: Json) -> None:
    """Refuse a service account that does not exist."""
    email = function["serviceConfig"].get("serviceAccountEmail")
    if email and email not in cloud.project.accounts:
        raise ApiError(400, f"Service account {email} does not exist.")


def start(cloud: Cloud, call: Call, name: str, function: Json) -> Json:
    """Start the work on a function in the background."""
    operation = new_operation(cloud, call)
    operation.thread = threading.Thread(target=work, args=(cloud, name, function, operation), daemon=True)
    operation.thread.start()
    return describe(operation)


def work(cloud: Cloud, name: str, function: Json, operation: Operation) -> None:
    """Build a function and put a new revision of it into service; what served before serves on if that fails."""
    project = cloud.project
    try:
        revision = make_revision(cloud, name, function, operation)
        config = function["serviceConfig"]
        service = project.services.setdefault(name, Service(name))
        service.revisions.append(revision)
        if config.pop("allTrafficOnLatestRevision", False) or not service.pinned:
            service.send_traffic(revision, pinned=False)
        front = cloud.fronts.get(name) or cloud.fronts.setdefault(name, Front(service, cloud.may_call))
        place = function["name"].rpartition("/functions/")[0]
        config |= {"uri": front.url, "service": f"{place}/services/{name}", "revision": revision.name}
        project.functions[name] = function | {"state": "ACTIVE", "url": front.url}
    except BuildFailed as error:
        fail(cloud, name, operation, 3, f"Build failed: {error}; Error ID: d0a3e1b8")
    except StartFailed as error:
        cloud.logs.append(str(error))
        text = f"Could not create or update Cloud Run service {name}, Container Healthcheck failed. {error_head(error)}"
        fail(cloud, name, operation, 3, text)
    operation.done = True


def make_revision(cloud: Cloud, name: str, function: Json, operation: Operation) -> Revision:
    """Build the source, and start an instance of it.

    raises: BuildFailed, StartFailed
    """
    if cloud.build_failure:
        raise BuildFailed(cloud.build_failure)
    config, build = function["serviceConfig"], function["buildConfig"]
    upload = cloud.project.uploads[build["source"]["storageSource"]["object"]]
    cloud.revisions_made += 1
    suffix = "".join(secrets.choice(string.ascii_lowercase) for _ in range(3))
    revision_name = f"{name}-{cloud.revisions_made:05d}-{suffix}"
    source = cloud.folder / revision_name
    unpack(upload, source)
    python = install(source, build["runtime"])
    operation.stage = "SERVICE"
    env = container_env(name, revision_name, str(python.parent), build["entryPoint"])
    env |= {"STORAGE_EMULATOR_HOST": f"{cloud.url}/as/{config.get('serviceAccountEmail')}"}
    env |= config.get("environmentVariables", {})
    instance = Instance(python, source, env, memory_bytes(config))
    instance.ensure_running()
    return Revision(revision_name, source, dict(config), instance, cloud.next_breaks)


def container_env(name: str, revision: str, path: str, target: str) -> dict[str, str]:
    """Yield what Cloud Run itself sets, and a PATH; nothing of the environment of the tests."""
    run = {"K_SERVICE": name, "K_REVISION": revision, "K_CONFIGURATION": name}
    return run | {"FUNCTION_TARGET": target, "PATH": f"{path}:/usr/bin:/bin", "HOME": "/tmp"}


def fail(cloud: Cloud, name: str, operation: Operation, code: int, message: str) -> None:
    """End an operation with an error; a function that never worked stays, as failed."""
    operation.error = {"code": code, "message": message}
    function = cloud.project.functions[name]
    if function["state"] != "ACTIVE":
        function["state"] = "FAILED"


def error_head(error: StartFailed) -> str:
    """Yield what Cloud Run says of a container that does not start."""
    if str(error).startswith("Memory limit"):
        return str(error)
    return "The user-provided container failed to start and listen on the port defined by the PORT variable."


def camel(name: str) -> str:
    """Turn a name of the mask into one of the body: build_config into buildConfig."""
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


ROUTES: list[Route] = [
    ("GET", f"{PLACE}/functions/{NAME}", get_function),
    ("GET", f"{PLACE}/runtimes", list_runtimes),
    ("POST", f"{PLACE}/functions:generateUploadUrl", generate_upload_url),
    ("POST", f"{PLACE}/functions", create),
    ("PATCH", f"{PLACE}/functions/{NAME}", change),
    ("DELETE", f"{PLACE}/functions/{NAME}", delete),
    ("GET", f"{PLACE}/operations/[^/]+", get_operation),
]
UPLOAD_ROUTES: list[Route] = [("PUT", f"/{NAME}", take_upload)]
