"""The fake Google Cloud as a whole: started, configured, inspected and stopped by tests."""

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

from . import eventarc_api, fast_gcloud, functions_api, project_api, pubsub_api, run_api, source_api, storage_api
from .errors import ApiError, api_disabled
from .faults import Fault
from .http_server import DOMAIN, INSTANCES, ApiServer, Request, Route
from .ingress import Ingress
from .resources import Project, StoredObject, new_policy
from .revisions import remove_revision

NEEDS_ENABLING = ("artifactregistry", "cloudbuild", "cloudfunctions", "eventarc", "pubsub", "run", "storage")
NEEDS_NO_ENABLING = ("cloudbilling", "cloudresourcemanager", "iam", "serviceusage")
# Without both settings gcloud looks up metadata.google.internal: for credentials, and for its User-Agent.
NO_METADATA_SERVER = {"CLOUDSDK_CORE_CHECK_GCE_METADATA": "false", "CLOUDSDK_METRICS_ENVIRONMENT": "rehearsal"}
# Its sitecustomize module refuses and records what Python processes look up.
STARTUP = Path(__file__).parent / "startup"
NEEDS_NO_TOKEN = ("oauth2", "upload", INSTANCES)


class FakeCloud:
    """A Google Cloud with one project, on loopback.

    Attributes:
        project: Its resources.
        faults: Errors to inject from now on.
        build_error: The message with which builds fail from now on; empty if they succeed.
        new_revisions_broken: Whether revisions that are created from now on answer every request with an error.
        requests: All requests so far, as "SERVICE METHOD /path".
        connects: Hosts outside this machine that a command tried to reach through the proxy.
        unexpected: Requests to endpoints that the fake lacks, and tracebacks of the fake's own errors.
        start_errors: Logs of instances that failed to start.
        ingresses: The URLs of services, by REGION/NAME, and of their traffic tags, by TAG---REGION/NAME.
        access_tokens: Access tokens that were issued.
        identity_tokens: The audience of each identity token that was issued.
        revision_count: How many revisions were created.
        peak_bytes: The largest memory of an instance, measured when it is deleted.
        folder: A temporary directory for unpacked uploads and gcloud's configuration.
        routes: The endpoints of each API.
        url: The URL of the server.
    """

    def __init__(self, project: str = "my-project") -> None:
        self.project = Project(project)
        self.faults: list[Fault] = []
        self.build_error = ""
        self.new_revisions_broken = False
        self.requests: list[str] = []
        self.connects: list[str] = []
        self.unexpected: list[str] = []
        self.start_errors: list[str] = []
        self.ingresses: dict[str, Ingress] = {}
        self.access_tokens: set[str] = set()
        self.identity_tokens: dict[str, str] = {}
        self.revision_count = 0
        self.peak_bytes = 0
        self.folder = Path(tempfile.mkdtemp(prefix="cloud-"))
        self.routes: dict[str, list[Route]] = {
            **project_api.SERVICES,
            **storage_api.SERVICES,
            **source_api.SERVICES,
            "cloudfunctions": functions_api.ROUTES,
            "upload": functions_api.UPLOAD_ROUTES + storage_api.UPLOAD_ROUTES,
            "run": run_api.ROUTES,
            "cloudbuild": [*project_api.SERVICES["cloudbuild"], *source_api.BUILD_ROUTES],
            "eventarc": eventarc_api.ROUTES,
            "pubsub": pubsub_api.ROUTES,
        }
        self._server = ApiServer(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> FakeCloud:
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self.project.services):
            self.remove_service(key)
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self.folder)

    @property
    def refused_connections(self) -> list[str]:
        """Hosts outside this machine that a command tried to reach, or whose name it looked up."""
        lookups = self._lookups_file.read_text().splitlines() if self._lookups_file.exists() else []
        return self.connects + lookups

    @property
    def _lookups_file(self) -> Path:
        return self.folder / "lookups"

    def authorize(self, request: Request) -> None:
        """Check a request before it reaches its endpoint.

        Raises:
            ApiError: If the caller is not logged in, the API is not enabled, or a fault is injected.
        """
        if request.service not in NEEDS_NO_TOKEN and _token(request.authorization) not in self.access_tokens:
            raise ApiError(401, "Request had invalid authentication credentials.")
        api = f"{request.service}.googleapis.com"
        if request.service in NEEDS_ENABLING and api not in self.project.apis:
            raise api_disabled(api, self.project.number)
        for fault in self.faults:
            if fault.applies_to(request.service, f"{request.method} {request.path}"):
                raise fault.error

    def may_call(self, authorization: str, url: str) -> bool:
        """Return whether an Authorization header has an identity token for a URL."""
        return self.identity_tokens.get(_token(authorization)) == url

    def put_object(self, url: str, data: bytes, *, generation: str) -> None:
        """Store an object, and create its bucket if it does not exist.

        Args:
            url: As in gs://BUCKET/NAME.
            data: Its content.
            generation: Its generation number.
        """
        self.project.objects[url] = StoredObject(data, generation)
        self.create_bucket(url.split("/")[2])

    def create_bucket(self, name: str, location: str = "EUROPE-WEST1") -> None:
        """Create a bucket unless it exists."""
        self.project.buckets.setdefault(name, new_policy([]))
        self.project.bucket_locations.setdefault(name, location)

    def ingress(self, key: str, tag: str = "") -> Ingress:
        """Return the URL of a service REGION/NAME, or of its traffic tag; it is opened when it is first needed."""
        name = f"{tag}---{key}" if tag else key
        if name not in self.ingresses:
            audience = self.ingress(key).url if tag else ""
            self.ingresses[name] = Ingress(self.project.services[key], self.may_call, tag, audience)
        return self.ingresses[name]

    def remove_service(self, key: str) -> None:
        """Remove a service REGION/NAME, its URLs, its revisions, and the function that it belongs to."""
        self.project.functions.pop(key, None)
        service = self.project.services.pop(key, None)
        for name in [name for name in self.ingresses if name.rpartition("---")[2] == key]:
            ingress = self.ingresses.pop(name)
            ingress.shutdown()
            ingress.server_close()
        for revision in service.revisions if service else []:
            remove_revision(self, revision)

    def environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return environment variables with which gcloud, curl and the client reach this fake and nothing else."""
        kept = {key: base[key] for key in base if not key.startswith(("CLOUDSDK_", "SILHOUETTE_", "GOOGLE_"))}
        kept = {key: value for key, value in kept.items() if not key.lower().endswith("_proxy")}
        override = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
        if program := fast_gcloud.folder(STARTUP):
            kept["PATH"] = f"{program}{os.pathsep}{kept['PATH']}"
        return {
            **kept,
            **{override + api.upper(): f"http://{api}.{DOMAIN}/" for api in NEEDS_ENABLING + NEEDS_NO_ENABLING},
            "CLOUDSDK_PROXY_TYPE": "http",
            "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
            "CLOUDSDK_PROXY_PORT": self.url.rpartition(":")[2],
            "CLOUDSDK_CONFIG": str(self.folder / "gcloud"),
            "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(self._key_file()),
            "CLOUDSDK_AUTH_TOKEN_HOST": f"http://oauth2.{DOMAIN}/token",
            **NO_METADATA_SERVER,
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
            "CLOUDSDK_PYTHON_SITEPACKAGES": "1",  # Otherwise gcloud's Python ignores sitecustomize.
            "PYTHONPATH": str(STARTUP),
            "FAKE_GCP_LOOKUPS": str(self._lookups_file),
            "http_proxy": self.url,
            "https_proxy": self.url,
            "no_proxy": "127.0.0.1",
        }

    def _key_file(self) -> Path:
        """Return the key file of the service account that deploys; it is written once."""
        path = self.folder / "key.json"
        if path.exists():
            return path
        private_key = rsa.generate_private_key(65537, 2048)
        encoding, key_format = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pem = private_key.private_bytes(encoding, key_format, serialization.NoEncryption()).decode()
        email = f"deployer@{self.project.id}.iam.gserviceaccount.com"
        key = {"type": "service_account", "project_id": self.project.id, "client_email": email, "client_id": "1"}
        key |= {"private_key_id": "1", "private_key": pem, "token_uri": f"http://oauth2.{DOMAIN}/token"}
        path.write_text(json.dumps(key))
        return path


def _token(authorization: str) -> str:
    return authorization.removeprefix("Bearer ")
