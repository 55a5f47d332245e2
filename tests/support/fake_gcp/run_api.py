"""Cloud Run: builds, services and revisions in the API that gcloud uses, and IAM policies."""

from __future__ import annotations

import copy
import secrets
from typing import TYPE_CHECKING

from .build import BuildFailed
from .errors import ApiError, organization_policy
from .http_server import Request, Route
from .resources import PROJECT_NUMBER, Json, Revision, Service, new_policy
from .revisions import build_image, new_revision_name, remove_revision, start_revision
from .validation import check_fields, check_service

if TYPE_CHECKING:
    from .cloud import FakeCloud

KNATIVE = r"/apis/serving\.knative\.dev/v1/namespaces/[^/]+"
NAME = r"(?P<name>[^/:]+)"
POLICY = rf"/v1/projects/[^/]+/locations/(?P<region>[^/]+)/services/{NAME}"
BUILDS = r"/v2/(?P<location>projects/[^/]+/locations/(?P<region>[^/]+))/builds:submit"
DOMAIN_RESTRICTED = "One or more users named in the policy do not belong to a permitted customer"
API_VERSION = "serving.knative.dev/v1"


def submit_build(cloud: FakeCloud, request: Request) -> Json:
    """Build an upload with a buildpack, and return the operation, which has ended."""
    body, location = request.json(), request.names["location"]
    build_id, digest = secrets.token_hex(8), f"sha256:{secrets.token_hex(32)}"
    build = {"name": f"{location}/builds/{build_id}", "id": build_id, "projectId": cloud.project.id}
    build |= {"logUrl": f"https://console.cloud.google.com/cloud-build/builds/{build_id}"}
    pack = body["buildpackBuild"]
    operation: Json = {"name": f"{location}/operations/{build_id}", "done": True}
    try:
        image = build_image(cloud, body["storageSource"]["object"], pack["baseImage"], pack["functionTarget"])
        cloud.project.images[digest] = image
        operation["response"] = build | {"status": "SUCCESS", "results": {"images": [{"digest": digest}]}}
    except BuildFailed as error:
        operation["error"] = {"code": 2, "message": f"Build failed; check build logs for details. {error}"}
    cloud.project.build_operations[operation["name"]] = operation
    metadata = {"@type": "type.googleapis.com/google.devtools.cloudbuild.v1.BuildOperationMetadata", "build": build}
    base_image = f"{request.names['region']}-docker.pkg.dev/serverless-runtimes/google-22/runtimes/{pack['baseImage']}"
    return {"buildOperation": {"name": operation["name"], "metadata": metadata}, "baseImageUri": base_image}


def find(cloud: FakeCloud, request: Request) -> Service:
    """Return the service that a path names.

    Raises:
        ApiError: 404, if it does not exist.
    """
    service = cloud.project.services.get(f"{request.names.get('region', request.region)}/{request.names['name']}")
    if service is None:
        raise ApiError(404, f"Resource '{request.names['name']}' of kind 'SERVICE' does not exist.")
    return service


def get_service(cloud: FakeCloud, request: Request) -> Json:
    """Return a service."""
    return describe_service(cloud, find(cloud, request))


def create_service(cloud: FakeCloud, request: Request) -> Json:
    """Create a service and its first revision."""
    service = Service(request.region, request.json()["metadata"]["name"])
    if service.key in cloud.project.services:
        raise ApiError(409, f"Resource '{service.name}' already exists.")
    return apply_service(cloud, service, request.json())


def replace_service(cloud: FakeCloud, request: Request) -> Json:
    """Replace a service: its traffic, and its template, which creates a revision if it differs."""
    service = find(cloud, request)
    service.generation += 1
    return apply_service(cloud, service, request.json())


def apply_service(cloud: FakeCloud, service: Service, body: Json) -> Json:
    """Set the specification of a service, and return its description."""
    traffic = body["spec"].get("traffic") or service.traffic
    template = body["spec"]["template"]
    is_changed = template != describe_template(service)
    config = service_config(template) if is_changed else {}
    check_service(config)
    email = config.get("serviceAccountEmail")
    if email and email not in cloud.project.accounts:
        text = f"Permission 'iam.serviceaccounts.actAs' denied on service account {email} (or it may not exist)."
        raise ApiError(403, text)
    check_traffic(service, traffic, template.get("metadata", {}).get("name", ""))
    cloud.project.services[service.key] = service
    metadata = body["metadata"]
    service.labels, service.annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    if is_changed:
        service.template = copy.deepcopy(template)
        digest = template["spec"]["containers"][0]["image"].partition("@")[2]
        name = template.get("metadata", {}).get("name") or new_revision_name(cloud, service.name)
        service.revisions.append(start_revision(cloud, service.name, name, cloud.project.images[digest], config))
    service.send_traffic(traffic)
    return describe_service(cloud, service)


def check_traffic(service: Service, traffic: list[Json], new_revision: str) -> None:
    """Check the traffic targets of a service.

    Raises:
        ApiError: 400, if the shares are not 100 percent; 404, if a revision does not exist.
    """
    for target in traffic:
        check_fields("traffic", target)
        name = target.get("revisionName", "")
        if not target.get("latestRevision") and name != new_revision and service.target(target) is None:
            raise ApiError(404, f"Revision '{name}' was not found")
    if sum(target.get("percent", 0) for target in traffic) != 100:
        raise ApiError(400, "Traffic targets must add up to 100 percent")


def service_config(template: Json) -> Json:
    """Return the template of a revision as the serviceConfig of a function."""
    container, annotations = template["spec"]["containers"][0], template.get("metadata", {}).get("annotations", {})
    limits = container.get("resources", {}).get("limits", {})
    return {
        "availableCpu": limits.get("cpu", "1"),
        "availableMemory": limits.get("memory", "512Mi"),
        "environmentVariables": {item["name"]: item["value"] for item in container.get("env", [])},
        "maxInstanceCount": annotations.get("autoscaling.knative.dev/maxScale", 100),
        "maxInstanceRequestConcurrency": template["spec"].get("containerConcurrency", 80),
        "serviceAccountEmail": template["spec"].get("serviceAccountName"),
        "timeoutSeconds": template["spec"].get("timeoutSeconds", 300),
    }


def delete_service(cloud: FakeCloud, request: Request) -> Json:
    """Delete a service."""
    cloud.remove_service(find(cloud, request).key)
    return {"kind": "Status", "status": "Success"}


def list_services(cloud: FakeCloud, request: Request) -> Json:
    """Return the services of all regions."""
    items = [describe_service(cloud, service) for service in cloud.project.services.values()]
    return {"apiVersion": "serving.knative.dev/v1", "kind": "ServiceList", "items": items, "metadata": {}}


def list_revisions(cloud: FakeCloud, request: Request) -> Json:
    """Return the revisions of a service, newest first."""
    name = request.query.get("labelSelector", "").rpartition("=")[2].strip()
    service = cloud.project.services.get(f"{request.region}/{name}")
    revisions = service.revisions if service else []
    items = [describe_revision(name, revision, number) for number, revision in enumerate(revisions)]
    return {"apiVersion": API_VERSION, "kind": "RevisionList", "items": items[::-1], "metadata": {}}


def get_revision(cloud: FakeCloud, request: Request) -> Json:
    """Return a revision."""
    name = request.names["name"]
    for service in cloud.project.services.values():
        for number, revision in enumerate(service.revisions):
            if revision.name == name:
                return describe_revision(service.name, revision, number)
    raise ApiError(404, f"Resource '{name}' of kind 'REVISION' does not exist.")


def delete_revision(cloud: FakeCloud, request: Request) -> Json:
    """Delete a revision.

    Raises:
        ApiError: 400, if it is the latest one or a traffic target; 404, if it does not exist.
    """
    name = request.names["name"]
    for service in cloud.project.services.values():
        for revision in service.revisions:
            if revision.name == name:
                if revision is service.revisions[-1] or revision in [service.target(item) for item in service.traffic]:
                    raise ApiError(400, f"Revision {name} is the latest revision or a traffic target.")
                service.revisions.remove(revision)
                remove_revision(cloud, revision)
                return {"kind": "Status", "status": "Success"}
    raise ApiError(404, f"Resource '{name}' of kind 'REVISION' does not exist.")


def describe_service(cloud: FakeCloud, service: Service) -> Json:
    """Return the JSON of a service."""
    url, latest = cloud.ingress(service.key).url, service.revisions[-1]
    metadata = {"name": service.name, "namespace": PROJECT_NUMBER, "generation": service.generation}
    metadata |= {"labels": service.labels | {"cloud.googleapis.com/location": service.region}, "resourceVersion": "AAY"}
    ready = service.target({"latestRevision": True})
    status: Json = {"observedGeneration": service.generation, "conditions": conditions(latest), "url": url}
    status |= {"latestCreatedRevisionName": latest.name, "address": {"url": url}}
    if ready:
        status |= {"latestReadyRevisionName": ready.name, "traffic": describe_traffic(cloud, service)}
    return {
        "apiVersion": API_VERSION,
        "kind": "Service",
        "metadata": metadata | {"annotations": service.annotations},
        "spec": {"template": describe_template(service), "traffic": service.traffic},
        "status": status,
    }


def describe_traffic(cloud: FakeCloud, service: Service) -> list[Json]:
    """Return the traffic targets with the revision and the URL of each."""
    targets = []
    for target in service.traffic:
        revision = service.target(target)
        url = {"url": cloud.ingress(service.key, target["tag"]).url} if "tag" in target else {}
        targets.append(target | ({"revisionName": revision.name} if revision else {}) | url)
    return targets


def describe_template(service: Service) -> Json:
    """Return the template of the latest revision."""
    if service.template or not service.revisions:
        return service.template
    return {"metadata": {"name": service.revisions[-1].name}, "spec": container_spec(service.revisions[-1])}


def conditions(revision: Revision) -> list[Json]:
    """Return the conditions of a revision, and of the service whose latest revision it is."""
    names = ("Ready", "ConfigurationsReady", "RoutesReady")
    if not revision.error:
        return [{"type": name, "status": "True"} for name in names]
    text = f"Revision '{revision.name}' is not ready and cannot serve traffic. {revision.error}"
    return [{"type": name, "status": "False", "message": text, "reason": "HealthCheckFailed"} for name in names]


def container_spec(revision: Revision) -> Json:
    """Return the container specification of a revision."""
    env = revision.config.get("environmentVariables", {})
    container = {"image": "built", "env": [{"name": key, "value": env[key]} for key in env]}
    return {"containers": [container], "serviceAccountName": revision.config.get("serviceAccountEmail", "")}


def describe_revision(service: str, revision: Revision, number: int) -> Json:
    """Return the JSON of a revision."""
    metadata = {"name": revision.name, "namespace": PROJECT_NUMBER, "labels": {"serving.knative.dev/service": service}}
    return {
        "apiVersion": API_VERSION,
        "kind": "Revision",
        "metadata": metadata | {"creationTimestamp": f"2026-01-01T00:00:{number:02d}.000000Z"},
        "spec": container_spec(revision),
        "status": {"conditions": conditions(revision)},
    }


def get_policy(cloud: FakeCloud, request: Request) -> Json:
    """Return the IAM policy of a service."""
    return find(cloud, request).policy


def set_policy(cloud: FakeCloud, request: Request) -> Json:
    """Set the IAM policy of a service."""
    service, policy = find(cloud, request), request.json()["policy"]
    if policy.get("etag") != service.policy["etag"]:
        raise ApiError(409, "There were concurrent policy changes.")
    if cloud.project.domain_restricted and any("allUsers" in b["members"] for b in policy.get("bindings", [])):
        raise organization_policy(DOMAIN_RESTRICTED, "iam.allowedPolicyMemberDomains")
    service.policy = new_policy(policy.get("bindings", []))
    return service.policy


ROUTES: list[Route] = [
    ("POST", BUILDS, submit_build),
    ("GET", r"/v1/projects/[^/]+/locations/-/services", list_services),
    ("GET", f"{KNATIVE}/services/{NAME}", get_service),
    ("POST", f"{KNATIVE}/services", create_service),
    ("PUT", f"{KNATIVE}/services/{NAME}", replace_service),
    ("DELETE", f"{KNATIVE}/services/{NAME}", delete_service),
    ("GET", f"{KNATIVE}/revisions", list_revisions),
    ("GET", f"{KNATIVE}/revisions/{NAME}", get_revision),
    ("DELETE", f"{KNATIVE}/revisions/{NAME}", delete_revision),
    ("GET", f"{POLICY}:getIamPolicy", get_policy),
    ("POST", f"{POLICY}:setIamPolicy", set_policy),
]
