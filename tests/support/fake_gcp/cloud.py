"""The stand-in as a whole: what a test starts, sets, looks into and stops."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from . import eventarc_api, functions_api, project_api, pubsub_api, run_api, storage_api
from .faults import ApiError, Fault, disabled
from .http_server import DOMAIN, INSTANCES, Call, Route, Server
from .ingress import Front
from .resources import Blob, Project, new_policy

OVERRIDDEN = "cloudbilling cloudbuild cloudfunctions cloudresourcemanager eventarc iam pubsub run serviceusage storage"
NEEDS_ENABLING = ("cloudbuild", "cloudfunctions", "eventarc", "pubsub", "run", "storage")
OPEN = ("oauth2", "upload", INSTANCES)


class Cloud:
    """A Google Cloud with one project, on loopback.

    faults: what goes wrong from now on
    build_failure: why a build fails from now on, if it does
    next_breaks: whether revisions made from now on start, and then answer nothing but errors
    requests, connects, unforeseen: what was asked; what tried to leave; what has no answer here
    """

    def __init__(self, project: str = "my-project", region: str = "europe-west1") -> None:
        self.project, self.region = Project(project), region
        self.faults: list[Fault] = []
        self.build_failure = ""
        self.next_breaks = False
        self.requests: list[str] = []
        self.connects: list[str] = []
        self.unforeseen: list[str] = []
        self.logs: list[str] = []
        self.fronts: dict[str, Front] = {}
        self.access_tokens: set[str] = set()
        self.identity_tokens: dict[str, str] = {}
        self.revisions_made = 0
        self.peak_bytes = 0
        self.folder = Path(tempfile.mkdtemp(prefix="cloud-"))
        self.routes: dict[str, list[Route]] = {
            **project_api.SERVICES,
            **storage_api.SERVICES,
            "cloudfunctions": functions_api.ROUTES,
            "upload": functions_api.UPLOAD_ROUTES,
            "run": run_api.ROUTES,
            "eventarc": eventarc_api.ROUTES,
            "pubsub": pubsub_api.ROUTES,
        }
        self._server = Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.project.functions):
            self.remove(name)
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self.folder)

    def admit(self, call: Call) -> None:
        """Refuse who is not logged in, APIs that are not enabled, and what is set to fail.

        raises: ApiError
        """
        if call.service not in OPEN and call.authorization.removeprefix("Bearer ") not in self.access_tokens:
            raise ApiError(401, "Request had invalid authentication credentials.")
        api = f"{call.service}.googleapis.com"
        if call.service in NEEDS_ENABLING and api not in self.project.apis:
            raise disabled(api, self.project.number)
        for fault in self.faults:
            if fault.strikes(call.service, f"{call.method} {call.path}"):
                raise fault.error

    def may_call(self, authorization: str, url: str) -> bool:
        """Tell whether a caller has a token made for this address."""
        return self.identity_tokens.get(authorization.removeprefix("Bearer ")) == url

    def put(self, uri: str, data: bytes, *, generation: str) -> None:
        """Put an object into a bucket."""
        self.project.objects[uri] = Blob(data, generation)
        self.make_bucket(uri.split("/")[2])

    def make_bucket(self, name: str, place: str = "EUROPE-WEST1") -> None:
        """Make a bucket, unless it is there."""
        self.project.buckets.setdefault(name, new_policy([]))
        self.project.places.setdefault(name, place)

    def remove(self, name: str) -> None:
        """Remove a function: its address, its service, its revisions."""
        front, service = self.fronts.pop(name, None), self.project.services.pop(name, None)
        del self.project.functions[name]
        if front:
            front.shutdown()
            front.server_close()
        for revision in service.revisions if service else []:
            revision.instance.stop()
            self.peak_bytes = max(self.peak_bytes, revision.instance.peak_bytes)

    def env(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Yield the environment in which gcloud, curl and the client reach this cloud and no other."""
        kept = {key: base[key] for key in base if not key.startswith(("CLOUDSDK_", "SILHOUETTE_", "GOOGLE_"))}
        kept = {key: value for key, value in kept.items() if not key.lower().endswith("_proxy")}
        override = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
        return {
            **kept,
            **{override + name.upper(): f"http://{name}.{DOMAIN}/" for name in OVERRIDDEN.split()},
            "CLOUDSDK_PROXY_TYPE": "http",
            "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
            "CLOUDSDK_PROXY_PORT": self.url.rpartition(":")[2],
            "CLOUDSDK_CONFIG": str(self.folder / "gcloud"),
            "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(self._key()),
            "CLOUDSDK_AUTH_TOKEN_HOST": f"http://oauth2.{DOMAIN}/token",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
            "http_proxy": self.url,
            "https_proxy": self.url,
            "no_proxy": "127.0.0.1",
        }

    def _key(self) -> Path:
        """Write the key of the service account that deploys, once."""
        path = self.folder / "key.json"
        if path.exists():
            return path
        key = rsa.generate_private_key(65537, 2048)
        form, shape = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        text = key.private_bytes(form, shape, serialization.NoEncryption()).decode()
        email = f"deployer@{self.project.id}.iam.gserviceaccount.com"
        about = {"type": "service_account", "project_id": self.project.id, "client_email": email, "client_id": "1"}
        about |= {"private_key_id": "1", "private_key": text, "token_uri": f"http://oauth2.{DOMAIN}/token"}
        path.write_text(json.dumps(about))
        return path
