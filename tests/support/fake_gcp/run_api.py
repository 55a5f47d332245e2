"""Cloud Run, as gcloud asks it: services and revisions in the shape of Knative, and who may invoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .faults import ApiError
from .http_server import Call, Route
from .resources import NUMBER, Json, Revision, Service, new_policy
from .validation import check_fields

if TYPE_CHECKING:
    from .cloud import Cloud

KNATIVE = r"/apis/serving\.knative\.dev/v1/namespaces/[^/]+"
NAME = r"(?P<name>[^/:]+)"
POLICY = rf"/v1/projects/[^/]+/locations/[^/]+/services/{NAME}"
READY = [{"type": kind, "status": "True"} for kind in ("Ready", "ConfigurationsReady", "RoutesReady")]


def find(cloud: Cloud, call: Call) -> Service:
    """Find the service that a path names.

    raises: ApiError 404
    """
    service = cloud.project.services.get(call.names["name"])
    if service is None:
        raise ApiError(404, f"Resource '{call.names['name']}' of kind 'SERVICE' does not exist.")
    return service


def get_service(cloud: Cloud, call: Call) -> Json:
    """Yield a service."""
    return describe(cloud, find(cloud, call))


def replace_service(cloud: Cloud, call: Call) -> Json:
    """Take the traffic that a service is asked to have: all of it to one revision."""
    service, traffic = find(cloud, call), call.json()["spec"]["traffic"]
    for target in traffic:
        check_fields("traffic", target)
    if len(traffic) != 1 or traffic[0].get("percent") != 100:
        raise ApiError(400, "this stand-in sends all traffic to one revision")
    if traffic[0].get("latestRevision"):
        service.send_traffic(service.revisions[-1], pinned=False)
    else:
        wanted = [each for each in service.revisions if each.name == traffic[0]["revisionName"]]
        if not wanted:
            raise ApiError(404, f"Revision '{traffic[0]['revisionName']}' was not found")
        service.send_traffic(wanted[0], pinned=True)
    service.generation += 1
    return describe(cloud, service)


def list_revisions(cloud: Cloud, call: Call) -> Json:
    """Yield the revisions of a service, newest first."""
    name = call.query.get("labelSelector", "").rpartition("=")[2].strip()
    service = cloud.project.services.get(name)
    found = service.revisions if service else []
    items = [describe_revision(name, revision, number) for number, revision in enumerate(found)]
    return {"apiVersion": "serving.knative.dev/v1", "kind": "RevisionList", "items": items[::-1], "metadata": {}}


def describe(cloud: Cloud, service: Service) -> Json:
    """Yield the JSON of a service."""
    assert service.serving is not None
    latest = service.revisions[-1].name
    spec: Json = {"percent": 100}
    spec |= {"revisionName": service.serving.name} if service.pinned else {"latestRevision": True}
    status: Json = spec | {"revisionName": service.serving.name}
    template = {"metadata": {"name": latest}, "spec": container(service.revisions[-1])}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": service.name, "namespace": NUMBER, "generation": service.generation}
        | {"labels": {"cloud.googleapis.com/location": cloud.region}, "resourceVersion": "AAY", "annotations": {}},
        "spec": {"template": template, "traffic": [spec]},
        "status": {
            "observedGeneration": service.generation,
            "conditions": READY,
            "latestReadyRevisionName": latest,
            "latestCreatedRevisionName": latest,
            "traffic": [status],
            "url": cloud.fronts[service.name].url,
        },
    }


def container(revision: Revision) -> Json:
    """Yield the part of a revision that says what runs."""
    env = revision.config.get("environmentVariables", {})
    return {"containers": [{"image": "built", "env": [{"name": key, "value": env[key]} for key in env]}]}


def describe_revision(service: str, revision: Revision, number: int) -> Json:
    """Yield the JSON of a revision."""
    made = f"2026-01-01T00:00:{number:02d}.000000Z"
    labels = {"serving.knative.dev/service": service}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {"name": revision.name, "namespace": NUMBER, "creationTimestamp": made, "labels": labels},
        "spec": container(revision),
        "status": {"conditions": READY},
    }


def get_policy(cloud: Cloud, call: Call) -> Json:
    """Yield who may invoke."""
    return find(cloud, call).policy


def set_policy(cloud: Cloud, call: Call) -> Json:
    """Set who may invoke."""
    service, policy = find(cloud, call), call.json()["policy"]
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
