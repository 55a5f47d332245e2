"""What the project has, as the APIs see it."""

from __future__ import annotations

import base64
import itertools
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .instance import Instance

Json = dict[str, Any]

NUMBER = "123456789012"
BUILDER = "roles/cloudbuild.builds.builder"
etags = itertools.count(1)
APIS = {
    "run.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudbuild.googleapis.com",
    "artifactregistry.googleapis.com",
    "storage.googleapis.com",
}


def new_policy(bindings: list[Json]) -> Json:
    """Make a policy as IAM keeps it: with an etag that no other has."""
    return {"version": 1, "bindings": bindings, "etag": base64.b64encode(next(etags).to_bytes(8, "big")).decode()}


@dataclass
class Blob:
    """One generation of an object."""

    data: bytes
    generation: str


@dataclass
class Revision:
    """One revision of a service: the code and the configuration it was made with, and its instance.

    source: the folder that was unpacked from the upload
    broken: it starts, and then answers nothing but errors
    """

    name: str
    source: Path
    config: Json
    instance: Instance
    broken: bool = False


@dataclass
class Service:
    """A Cloud Run service: its revisions, oldest first, and the one that all traffic goes to."""

    name: str
    revisions: list[Revision] = field(default_factory=list)
    serving: Revision | None = None
    pinned: bool = False  # traffic was set by name, and a new revision gets none of itself
    policy: Json = field(default_factory=lambda: new_policy([]))
    generation: int = 1

    def send_traffic(self, revision: Revision, *, pinned: bool) -> None:
        """Send all traffic to a revision, and let the others scale to zero."""
        self.serving, self.pinned = revision, pinned
        for other in self.revisions:
            if other is not revision:
                other.instance.stop()

    def is_public(self) -> bool:
        """Tell whether anyone may call it."""
        return any("allUsers" in binding["members"] for binding in self.policy["bindings"])


@dataclass
class Operation:
    """A long-running operation of Cloud Functions, with the thread that works on it."""

    name: str
    thread: threading.Thread | None = None
    stage: str = "BUILD"
    done: bool = False
    error: Json | None = None


@dataclass
class Project:
    """A Google Cloud project.

    permissions_lacking: what the person who deploys may not do
    granted: the roles in the project, beside the builder's
    buckets, places, owners: the policy of each bucket, where it is, and its project where that is another
    pubsub, policies: each topic and subscription, and who may use it
    triggers, triggered: each trigger of Eventarc, and what came of each call that changes one
    objects: each gs://bucket/object
    """

    id: str
    number: str = NUMBER
    billing: bool = True
    apis: set[str] = field(default_factory=lambda: set(APIS))
    permissions_lacking: set[str] = field(default_factory=set)
    builder_bound: bool = True
    accounts: dict[str, Json] = field(default_factory=dict)
    granted: list[Json] = field(default_factory=list)
    buckets: dict[str, Json] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    pubsub: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, Json] = field(default_factory=dict)
    triggers: dict[str, Json] = field(default_factory=dict)
    triggered: dict[str, Json] = field(default_factory=dict)
    objects: dict[str, Blob] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    functions: dict[str, Json] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)

    def policy(self) -> Json:
        """Yield who has which role in the project."""
        builder = f"serviceAccount:{self.number}-compute@developer.gserviceaccount.com"
        bindings = [{"role": BUILDER, "members": [builder]}] if self.builder_bound else []
        return new_policy(bindings + self.granted)

    @property
    def storage_agent(self) -> str:
        """The account that Cloud Storage acts as in this project."""
        return f"service-{self.number}@gs-project-accounts.iam.gserviceaccount.com"
