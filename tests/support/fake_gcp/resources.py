"""The resources of the fake project."""

from __future__ import annotations

import base64
import itertools
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .instance import Instance

Json = dict[str, Any]

PROJECT_NUMBER = "123456789012"
BUILDER_ROLE = "roles/cloudbuild.builds.builder"
APIS = {
    "run.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudbuild.googleapis.com",
    "artifactregistry.googleapis.com",
    "storage.googleapis.com",
}
# The labels of the Cloud Run service of a function.
FUNCTION_LABELS = {"goog-managed-by": "cloudfunctions"}
_etags = itertools.count(1)


def new_policy(bindings: list[Json]) -> Json:
    """Return an IAM policy with a new etag."""
    return {"version": 1, "bindings": bindings, "etag": base64.b64encode(next(_etags).to_bytes(8, "big")).decode()}


@dataclass
class StoredObject:
    """One generation of an object in Cloud Storage.

    Attributes:
        data: Its content.
        generation: Its generation number.
    """

    data: bytes
    generation: str


@dataclass
class Image:
    """A container image that was built from an upload.

    Attributes:
        source: The directory of the unpacked upload.
        python: The Python with its requirements.
        entry_point: The function in main.py that is served.
    """

    source: Path
    python: Path
    entry_point: str


@dataclass
class Revision:
    """A revision of a service.

    Attributes:
        name: Its name.
        source: The directory of the unpacked upload.
        config: The serviceConfig of the function that it was created from.
        instance: The process that serves it.
        broken: Whether it starts, but answers every request with an error.
        error: Why it did not start; empty if it is ready.
    """

    name: str
    source: Path
    config: Json
    instance: Instance
    broken: bool = False
    error: str = ""


@dataclass
class Service:
    """A Cloud Run service.

    Attributes:
        region: Its region.
        name: Its name.
        labels: Its labels.
        annotations: Its annotations.
        template: The specification of its latest revision; empty if it belongs to a function.
        revisions: Its revisions, oldest first.
        traffic: Its traffic targets, in the format of the Knative API.
        policy: Its IAM policy.
        generation: The number of changes to it.
    """

    region: str
    name: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    template: Json = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)
    traffic: list[Json] = field(default_factory=lambda: [{"latestRevision": True, "percent": 100}])
    policy: Json = field(default_factory=lambda: new_policy([]))
    generation: int = 1

    @property
    def key(self) -> str:
        """REGION/NAME: names are unique only in a region."""
        return f"{self.region}/{self.name}"

    def target(self, target: Json) -> Revision | None:
        """Return the revision that a traffic target names: the latest one that is ready, or one by its name."""
        if target.get("latestRevision"):
            return next((revision for revision in reversed(self.revisions) if not revision.error), None)
        return next((revision for revision in self.revisions if revision.name == target["revisionName"]), None)

    @property
    def serving(self) -> Revision | None:
        """The revision with the largest share of the traffic. This fake sends all requests to it."""
        return self.target(max(self.traffic, key=lambda target: target.get("percent", 0)))

    def tagged(self, tag: str) -> Revision | None:
        """Return the revision with a traffic tag."""
        return next((self.target(target) for target in self.traffic if target.get("tag") == tag), None)

    @property
    def pinned(self) -> bool:
        """Whether traffic goes to named revisions, so that a new revision receives none."""
        return not any(target.get("latestRevision") and target.get("percent") for target in self.traffic)

    def send_traffic(self, traffic: list[Json]) -> None:
        """Replace the traffic targets, and scale to zero the revisions that are none."""
        self.traffic = traffic
        targets = [self.target(target) for target in traffic]
        for revision in self.revisions:
            if revision not in targets:
                revision.instance.stop()

    def is_public(self) -> bool:
        """Return whether anyone may call the service."""
        unchecked = self.annotations.get("run.googleapis.com/invoker-iam-disabled", "").lower() == "true"
        return unchecked or any("allUsers" in binding["members"] for binding in self.policy["bindings"])


@dataclass
class Operation:
    """A long-running operation of Cloud Functions.

    Attributes:
        name: Its name.
        thread: The thread that executes it.
        stage: The current stage, BUILD or SERVICE.
        done: Whether it has ended.
        error: A google.rpc.Status if it failed.
    """

    name: str
    thread: threading.Thread | None = None
    stage: str = "BUILD"
    done: bool = False
    error: Json | None = None


@dataclass
class Project:
    """A Google Cloud project.

    Attributes:
        id: Its ID.
        number: Its number.
        billing: Whether billing is enabled.
        apis: The enabled APIs.
        missing_permissions: Permissions that the user who deploys lacks.
        builder: The service account that builds.
        builder_bound: Whether that account has the role to build.
        acts_as: Service accounts as which the user who deploys may act, though perhaps not in the whole project.
        domain_restricted: Whether the organization forbids granting roles to everyone.
        policies: Organization policies by constraint, besides that on domains.
        organization: Role bindings in the organization of the project; None if it belongs to none.
        accounts: Service accounts by e-mail address.
        bindings: Role bindings in the project besides that of the build's service account.
        buckets: IAM policies of buckets by name.
        bucket_locations: Locations of buckets by name.
        bucket_owners: Project numbers of those buckets that belong to another project.
        pubsub: Topics and subscriptions by full name.
        pubsub_policies: IAM policies of topics and subscriptions by full name.
        triggers: Eventarc triggers by full name.
        trigger_operations: Operations that created or deleted a trigger, by full name.
        objects: Objects by gs:// URL.
        uploads: Uploaded source archives by name.
        repositories: Repositories of Artifact Registry, by full name.
        images: Images that were built for Cloud Run, by digest.
        functions: Functions by REGION/NAME, as the API returns them.
        services: Cloud Run services by REGION/NAME.
        operations: Operations of Cloud Functions by full name.
        build_operations: Operations of builds for Cloud Run by full name.
    """

    id: str
    number: str = PROJECT_NUMBER
    billing: bool = True
    apis: set[str] = field(default_factory=lambda: set(APIS))
    missing_permissions: set[str] = field(default_factory=set)
    builder: str = f"{PROJECT_NUMBER}-compute@developer.gserviceaccount.com"
    builder_bound: bool = True
    acts_as: set[str] = field(default_factory=set)
    domain_restricted: bool = False
    policies: dict[str, Json] = field(default_factory=dict)
    organization: list[Json] | None = None
    accounts: dict[str, Json] = field(default_factory=dict)
    bindings: list[Json] = field(default_factory=list)
    buckets: dict[str, Json] = field(default_factory=dict)
    bucket_locations: dict[str, str] = field(default_factory=dict)
    bucket_owners: dict[str, str] = field(default_factory=dict)
    pubsub: dict[str, Json] = field(default_factory=dict)
    pubsub_policies: dict[str, Json] = field(default_factory=dict)
    triggers: dict[str, Json] = field(default_factory=dict)
    trigger_operations: dict[str, Json] = field(default_factory=dict)
    objects: dict[str, StoredObject] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    repositories: dict[str, Json] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    functions: dict[str, Json] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    build_operations: dict[str, Json] = field(default_factory=dict)

    def policy(self) -> Json:
        """Return the IAM policy of the project."""
        builder = {"role": BUILDER_ROLE, "members": [f"serviceAccount:{self.builder}"]}
        builder_bindings = [builder] if self.builder_bound else []
        return new_policy(builder_bindings + self.bindings)

    @property
    def storage_agent(self) -> str:
        """The service account of Cloud Storage in this project."""
        return f"service-{self.number}@gs-project-accounts.iam.gserviceaccount.com"
