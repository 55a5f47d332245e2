"""Cloud Storage: buckets, their IAM policies, and objects."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import google_crc32c

from .errors import ApiError
from .http_server import DOMAIN, INSTANCES, RawResponse, Request, Route
from .resources import Json, StoredObject

if TYPE_CHECKING:
    from .cloud import FakeCloud

BUCKET = r"/storage/v1/b/(?P<bucket>[^/]+)"
OBJECT = rf"{BUCKET}/o/(?P<object>.+)"
ACCOUNT = r"/as/(?P<email>[^/]+)"
VIEWER = "roles/storage.objectViewer"


def get_bucket_policy(cloud: FakeCloud, request: Request) -> Json:
    """Return the IAM policy of a bucket."""
    if request.names["bucket"] not in cloud.project.buckets:
        raise ApiError(404, "The specified bucket does not exist.")
    return cloud.project.buckets[request.names["bucket"]]


def set_bucket_policy(cloud: FakeCloud, request: Request) -> Json:
    """Set the IAM policy of a bucket."""
    get_bucket_policy(cloud, request)
    cloud.project.buckets[request.names["bucket"]] = request.json()
    return cloud.project.buckets[request.names["bucket"]]


def find(cloud: FakeCloud, request: Request) -> StoredObject:
    """Return the object that a path names, in the requested generation.

    Raises:
        ApiError: 403, if the service account that reads lacks access; 404, if the object does not exist.
    """
    bucket, name = request.names["bucket"], request.names["object"]
    if "email" in request.names:
        check_read_access(cloud.project.buckets.get(bucket, {}), f"serviceAccount:{request.names['email']}")
    stored = cloud.project.objects.get(f"gs://{bucket}/{name}")
    if stored is None or request.query.get("generation", stored.generation) != stored.generation:
        raise ApiError(404, f"No such object: {bucket}/{name}")
    return stored


def check_read_access(policy: Json, member: str) -> None:
    """Check that a bucket's policy lets a member read objects.

    Raises:
        ApiError: 403, if it does not.
    """
    bindings = policy.get("bindings", [])
    if not any(binding["role"] == VIEWER and member in binding["members"] for binding in bindings):
        raise ApiError(403, f"{member} does not have storage.objects.get access to the object.")


def get_bucket(cloud: FakeCloud, request: Request) -> Json:
    """Return the metadata of a bucket."""
    name = request.names["bucket"]
    get_bucket_policy(cloud, request)
    location = cloud.project.bucket_locations[name]
    owner = cloud.project.bucket_owners.get(name, cloud.project.number)
    metadata = {"kind": "storage#bucket", "id": name, "name": name, "location": location, "storageClass": "STANDARD"}
    return metadata | {"projectNumber": owner, "metageneration": "1"}


def create_bucket(cloud: FakeCloud, request: Request) -> Json:
    """Create a bucket."""
    bucket = request.json()
    cloud.create_bucket(bucket["name"], bucket["location"].upper())
    request.names["bucket"] = bucket["name"]
    return get_bucket(cloud, request)


def list_buckets(cloud: FakeCloud, request: Request) -> Json:
    """Return the buckets of the project whose names have a prefix."""
    names = [name for name in cloud.project.buckets if name.startswith(request.query.get("prefix", ""))]
    return {"kind": "storage#buckets", "items": [{"id": name, "name": name} for name in names]}


def start_upload(cloud: FakeCloud, request: Request) -> RawResponse:
    """Start a resumable upload: return the URL to which the content is sent."""
    return RawResponse(b"", {"Location": f"http://upload.{DOMAIN}/{request.names['bucket']}/{request.query['name']}"})


def store_upload(cloud: FakeCloud, request: Request) -> Json:
    """Store an upload of one request, as gcloud sends small files: a multipart/related body of metadata and content."""
    boundary = request.body.split(maxsplit=1)[0]
    content = request.body.split(boundary)[2]
    request.names["object"] = request.query["name"]
    request.body = content.partition(b"\n\n")[2].removesuffix(b"\n")
    return finish_upload(cloud, request)


def finish_upload(cloud: FakeCloud, request: Request) -> Json:
    """Store the content of an upload."""
    bucket, name = request.names["bucket"], request.names["object"]
    cloud.project.uploads[name] = request.body
    return {"kind": "storage#object", "bucket": bucket, "name": name, "generation": "1", "size": str(len(request.body))}


def get_agent(cloud: FakeCloud, request: Request) -> Json:
    """Return the service account of Cloud Storage."""
    return {"kind": "storage#serviceAccount", "email_address": cloud.project.storage_agent}


def refuse_bucket(cloud: FakeCloud, request: Request) -> Json:
    """Refuse an instance the metadata of a bucket: the role to view objects does not allow it."""
    raise ApiError(403, f"{request.names['email']} does not have storage.buckets.get access.")


def get_object(cloud: FakeCloud, request: Request) -> Json | RawResponse:
    """Return the metadata or the content of an object."""
    stored = find(cloud, request)
    crc32c = base64.b64encode(google_crc32c.Checksum(stored.data).digest()).decode()
    md5 = base64.b64encode(hashlib.md5(stored.data).digest()).decode()
    if request.query.get("alt") == "media":
        hashes = f"crc32c={crc32c},md5={md5}"
        return RawResponse(stored.data, {"X-Goog-Hash": hashes, "X-Goog-Generation": stored.generation})
    bucket, name = request.names["bucket"], request.names["object"]
    metadata = {"kind": "storage#object", "id": f"{bucket}/{name}/{stored.generation}", "bucket": bucket, "name": name}
    metadata |= {"generation": stored.generation, "metageneration": "1", "size": str(len(stored.data))}
    return metadata | {"crc32c": crc32c, "md5Hash": md5}


UPLOAD_ROUTES: list[Route] = [("PUT", "/(?P<bucket>[^/]+)/(?P<object>.+)", finish_upload)]
SERVICES: dict[str, list[Route]] = {
    "storage": [
        ("GET", BUCKET, get_bucket),
        ("GET", "/storage/v1/b", list_buckets),
        ("POST", "/storage/v1/b", create_bucket),
        ("POST", f"/resumable/upload{BUCKET}/o", start_upload),
        ("POST", f"/upload{BUCKET}/o", store_upload),
        ("GET", "/storage/v1/projects/[^/]+/serviceAccount", get_agent),
        ("GET", f"{BUCKET}/iam", get_bucket_policy),
        ("PUT", f"{BUCKET}/iam", set_bucket_policy),
        ("GET", OBJECT, get_object),
    ],
    INSTANCES: [
        ("GET", ACCOUNT + BUCKET, refuse_bucket),
        ("GET", ACCOUNT + OBJECT, get_object),
        ("GET", f"{ACCOUNT}/download{OBJECT}", get_object),
    ],
}
