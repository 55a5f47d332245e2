"""Cloud Run: services and revisions in the Knative API, which gcloud uses, and IAM policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ApiError
from .http_server import Request, Route
from .resources import PROJECT_NUMBER, Json, Revision, Service, new_policy
from .validation import check_fields

if TYPE_CHECKING:
    from .cloud import FakeCloud

KNATIVE = r"/apis/serving\.knative\.dev/v1/namespaces/[^/]+"
NAME = r"(?P<name>[^/:]+)"
POLICY = rf"/v1/projects/[^/]+/locations/[^/]+/services/{NAME}"
READY = [{"type": condition, "status": "True"} for condition in ("Ready", "ConfigurationsReady", "RoutesReady")]


def find(cloud: FakeCloud, request: Request) -> Service:
    """Return the service that a path names.

    Raises:
        ApiError: 404, if it does not exist.
    """
    service = cloud.project.services.get(request.names["name"])
    if service is None:
        raise ApiError(404, f"Resource '{request.names['name']}' of kind 'SERVICE' does not exist.")
    return service


def get_service(cloud: FakeCloud, request: Request) -> Json:
    """Return a service."""
    return describe_service(cloud, find(cloud, request))


def replace_service(cloud: FakeCloud, request: Request) -> Json:
    """Send all traffic of a service to the revision that the request names."""
    service, traffic = find(cloud, request), request.json()["spec"]["traffic"]
    for target in traffic:
        check_fields("traffic", target)
    if len(traffic) != 1 or traffic[0].get("percent") != 100:
        raise ApiError(400, "this fake sends all traffic to one revision")
    if traffic[0].get("latestRevision"):
        service.send_traffic(service.revisions[-1], pinned=False)
    else:
        name = traffic[0]["revisionName"]
        revision = next((revision for revision in service.revisions if revision.name == name), None)
        if revision is None:
            raise ApiError(404, f"Revision '{name}' was not found")
        service.send_traffic(revision, pinned=True)
    service.generation += 1
    return describe_service(cloud, service)


def list_revisions(cloud: FakeCloud, request: Request) -> Json:
    """Return the revisions of a service, newest first."""
    name = request.query.get("labelSelector", "").rpartition("=")[2].strip()
    service = cloud.project.services.get(name)
    revisions = service.revisions if service else []
    items = [describe_revision(name, revision, number) for number, revision in enumerate(revisions)]
    return {"apiVersion": "serving.knative.dev/v1", "kind": "RevisionList", "items": items[::-1], "metadata": {}}


def describe_service(cloud: FakeCloud, service: Service) -> Json:
    """Return the JSON of a service."""
    assert service.serving is not None
    latest = service.revisions[-1].name
    spec: Json = {"percent": 100}
    spec |= {"revisionName": service.serving.name} if service.pinned else {"latestRevision": True}
    status: Json = spec | {"revisionName": service.serving.name}
    template = {"metadata": {"name": latest}, "spec": container_spec(service.revisions[-1])}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": service.name, "namespace": PROJECT_NUMBER, "generation": service.generation}
        | {"labels": {"cloud.googleapis.com/location": cloud.region}, "resourceVersion": "AAY", "annotations": {}},
        "spec": {"template": template, "traffic": [spec]},
        "status": {
            "observedGeneration": service.generation,
            "conditions": READY,
            "latestReadyRevisionName": latest,
            "latestCreatedRevisionName": latest,
            "traffic": [status],
            "url": cloud.ingresses[service.name].url,
        },
    }


def container_spec(revision: Revision) -> Json:
    """Return the container specification of a revision."""
    env = revision.config.get("environmentVariables", {})
    return {"containers": [{"image": "built", "env": [{"name": key, "value": env[key]} for key in env]}]}


def describe_revision(service: str, revision: Revision, number: int) -> Json:
    """Return the JSON of a revision."""
    created = f"2026-01-01T00:00:{number:02d}.000000Z"
    labels = {"serving.knative.dev/service": service}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": revision.name,
            "namespace": PROJECT_NUMBER,
            "creationTimestamp": created,
            "labels": labels,
        },
        "spec": container_spec(revision),
        "status": {"conditions": READY},
    }


def get_policy(cloud: FakeCloud, request: Request) -> Json:
    """Return the IAM policy of a service."""
    return find(cloud, request).policy


def set_policy(cloud: FakeCloud, request: Request) -> Json:
    """Set the IAM policy of a service."""
    service, policy = find(cloud, request), request.json()["policy"]
    if policy.get("etag") != service.policy["etag"]:
        raise ApiError(409, "There were concurrent policy changes.")
    service.policy = new_policy(policy.get("bindings", []))
    return service.policy


ROUTES: list[Route] = [
    ("GET", f"{KNATIVE}/services/{NAME}", get_service),
    ("PUT", f"{KNATIVE}/services/{NAME}", replace_service),
    ("GET", f"{KNATIVE}/revisions", list_revisions),
    ("GET", f"{POLICY}:getIamPolicy", get_policy),
    ("POST", f"{POLICY}:setIamPolicy", set_policy),
]
