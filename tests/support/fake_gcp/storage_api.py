"""Cloud Storage: buckets, who may read them, and the models in them."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import google_crc32c

from .faults import ApiError
from .http_server import INSTANCES, Call, Media, Route
from .resources import Blob, Json

if TYPE_CHECKING:
    from .cloud import Cloud

BUCKET = r"/storage/v1/b/(?P<bucket>[^/]+)"
OBJECT = rf"{BUCKET}/o/(?P<object>.+)"
ACCOUNT = r"/as/(?P<email>[^/]+)"
VIEWER = "roles/storage.objectViewer"


def get_bucket_policy(cloud: Cloud, call: Call) -> Json:
    """Yield who may do what with a bucket."""
    if call.names["bucket"] not in cloud.project.buckets:
        raise ApiError(404, "The specified bucket does not exist.")
    return cloud.project.buckets[call.names["bucket"]]


def set_bucket_policy(cloud: Cloud, call: Call) -> Json:
    """Set who may do what with a bucket."""
    get_bucket_policy(cloud, call)
    cloud.project.buckets[call.names["bucket"]] = call.json()
    return cloud.project.buckets[call.names["bucket"]]


def find(cloud: Cloud, call: Call) -> Blob:
    """Find the object that a path names, in the generation asked for.

    raises: ApiError 403, 404
    """
    bucket, name = call.names["bucket"], call.names["object"]
    if "email" in call.names:
        check_may_read(cloud.project.buckets.get(bucket, {}), f"serviceAccount:{call.names['email']}")
    blob = cloud.project.objects.get(f"gs://{bucket}/{name}")
    if blob is None or call.query.get("generation", blob.generation) != blob.generation:
        raise ApiError(404, f"No such object: {bucket}/{name}")
    return blob


def check_may_read(policy: Json, member: str) -> None:
    """Refuse an account that the bucket's policy does not let in.

    raises: ApiError 403
    """
    if not any(each["role"] == VIEWER and member in each["members"] for each in policy.get("bindings", [])):
        raise ApiError(403, f"{member} does not have storage.objects.get access to the object.")


def get_bucket(cloud: Cloud, call: Call) -> Json:
    """Yield what a bucket is."""
    name = call.names["bucket"]
    get_bucket_policy(cloud, call)
    place = cloud.project.places[name]
    known = {"kind": "storage#bucket", "id": name, "name": name, "location": place, "storageClass": "STANDARD"}
    return known | {"projectNumber": cloud.project.owners.get(name, cloud.project.number), "metageneration": "1"}


def get_agent(cloud: Cloud, call: Call) -> Json:
    """Name the account that Cloud Storage acts as."""
    return {"kind": "storage#serviceAccount", "email_address": cloud.project.storage_agent}


def refuse_bucket(cloud: Cloud, call: Call) -> Json:
    """Refuse to describe the bucket: to view objects is not to view buckets."""
    raise ApiError(403, f"{call.names['email']} does not have storage.buckets.get access.")


def get_object(cloud: Cloud, call: Call) -> Json | Media:
    """Yield what an object is, or the object itself."""
    blob = find(cloud, call)
    crc32c = base64.b64encode(google_crc32c.Checksum(blob.data).digest()).decode()  # type: ignore[no-untyped-call]
    md5 = base64.b64encode(hashlib.md5(blob.data).digest()).decode()
    if call.query.get("alt") == "media":
        hashes = f"crc32c={crc32c},md5={md5}"
        return Media(blob.data, {"X-Goog-Hash": hashes, "X-Goog-Generation": blob.generation})
    bucket, name = call.names["bucket"], call.names["object"]
    known = {"kind": "storage#object", "id": f"{bucket}/{name}/{blob.generation}", "bucket": bucket, "name": name}
    known |= {"generation": blob.generation, "metageneration": "1", "size": str(len(blob.data))}
    return known | {"crc32c": crc32c, "md5Hash": md5}


SERVICES: dict[str, list[Route]] = {
    "storage": [
        ("GET", BUCKET, get_bucket),
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
