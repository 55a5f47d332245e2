"""What `gcloud run deploy --source` calls before Cloud Run: a repository for images, and the operations of builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ApiError
from .http_server import Request, Route
from .resources import Json

if TYPE_CHECKING:
    from .cloud import FakeCloud

LOCATION = r"/v1/(?P<location>projects/[^/]+/locations/[^/]+)"


def get_repository(cloud: FakeCloud, request: Request) -> Json:
    """Return a repository."""
    name = request.path.removeprefix("/v1/")
    if name not in cloud.project.repositories:
        raise ApiError(404, f"Requested entity was not found: {name}")
    return {"name": name, "format": "DOCKER"} | cloud.project.repositories[name]


def update_repository(cloud: FakeCloud, request: Request) -> Json:
    """Set the cleanup policies of a repository."""
    repository = get_repository(cloud, request)
    cloud.project.repositories[repository["name"]] = {"cleanupPolicies": request.json()["cleanupPolicies"]}
    return get_repository(cloud, request)


def create_repository(cloud: FakeCloud, request: Request) -> Json:
    """Create a repository."""
    name = f"{request.names['location']}/repositories/{request.query['repositoryId']}"
    cloud.project.repositories[name] = {}
    return {"name": name.replace("/repositories/", "/operations/"), "done": False}


def get_repository_operation(cloud: FakeCloud, request: Request) -> Json:
    """Return the operation that created a repository."""
    name = request.path.removeprefix("/v1/")
    return {"name": name, "done": True, "response": {"name": name.replace("/operations/", "/repositories/")}}


def get_build_operation(cloud: FakeCloud, request: Request) -> Json:
    """Return the operation of a build."""
    return cloud.project.build_operations[request.path.removeprefix("/v1/")]


BUILD_ROUTES: list[Route] = [("GET", f"{LOCATION}/operations/[^/]+", get_build_operation)]
SERVICES: dict[str, list[Route]] = {
    "artifactregistry": [
        ("GET", f"{LOCATION}/repositories/[^/]+", get_repository),
        ("PATCH", f"{LOCATION}/repositories/[^/]+", update_repository),
        ("POST", f"{LOCATION}/repositories", create_repository),
        ("GET", f"{LOCATION}/operations/[^/]+", get_repository_operation),
    ],
}
