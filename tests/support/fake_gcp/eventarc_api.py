"""Eventarc: triggers, each with its topic and subscription. No events are delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ApiError
from .http_server import Request, Route
from .resources import Json, new_policy
from .validation import check_fields

if TYPE_CHECKING:
    from .cloud import FakeCloud

LOCATION = r"/v1/(?P<location>projects/[^/]+/locations/[^/]+)"
NAME = r"(?P<name>[^/:]+)"
FINALIZED = "google.cloud.storage.object.v1.finalized"
DEFAULT_ACK_DEADLINE_S = 10


def list_triggers(cloud: FakeCloud, request: Request) -> Json:
    """Return the triggers of a location, or of all locations if it is a dash."""
    location = request.names["location"].removesuffix("-")
    return {"triggers": [trigger for name, trigger in cloud.project.triggers.items() if name.startswith(location)]}


def create_trigger(cloud: FakeCloud, request: Request) -> Json:
    """Create a trigger."""
    trigger, parent, trigger_id = request.json(), request.names["location"], request.query["triggerId"]
    name, location = f"{parent}/triggers/{trigger_id}", parent.rpartition("/")[2]
    if name in cloud.project.triggers:
        raise ApiError(409, f"Resource '{name}' already exists")
    check_fields("trigger", trigger)
    check_filters(cloud, trigger, location)
    check_destination(cloud, trigger)
    transport = {"pubsub": create_transport(cloud, f"eventarc-{location}-{trigger_id}")}
    cloud.project.triggers[name] = trigger | {"name": name, "transport": transport}
    message_type = {"@type": "type.googleapis.com/google.cloud.eventarc.v1.Trigger"}
    return completed_operation(cloud, request, message_type | cloud.project.triggers[name])


def check_filters(cloud: FakeCloud, trigger: Json, location: str) -> None:
    """Check the event filters of a trigger.

    Raises:
        ApiError: 400, if a trigger in this location cannot receive these events.
    """
    filters = {event_filter["attribute"]: event_filter["value"] for event_filter in trigger["eventFilters"]}
    if filters.keys() != {"type", "bucket"} or filters["type"] != FINALIZED:
        raise ApiError(400, f"this fake supports only events of type {FINALIZED} of one bucket")
    bucket = filters["bucket"]
    bucket_location = cloud.project.bucket_locations.get(bucket)
    if bucket_location is None or bucket_location.lower() != location:
        raise ApiError(400, f"Bucket {bucket!r} is in {bucket_location}: the trigger must be there, not in {location}")


def check_destination(cloud: FakeCloud, trigger: Json) -> None:
    """Check the destination of a trigger, and the permissions of the service accounts involved.

    Raises:
        ApiError: 400 or 404, if the service account or the destination does not exist; 400 or 403, if a service account
            lacks a role.
    """
    project, email = cloud.project, trigger.get("serviceAccount", "").rpartition("/")[2]
    if email not in project.accounts:
        raise ApiError(400, f"Invalid resource state: service account {email} does not exist")
    destination = trigger["destination"]["cloudRun"]
    if f"{destination['region']}/{destination['service']}" not in project.services:
        raise ApiError(404, f"Cloud Run service {destination['service']} not found in {destination['region']}")
    if not has_role(project.policy(), "roles/eventarc.eventReceiver", email):
        raise ApiError(403, f"Permission 'eventarc.events.receiveEvent' denied for service account {email}")
    if not has_role(project.policy(), "roles/pubsub.publisher", project.storage_agent):
        text = "The Cloud Storage service account for your bucket is unable to publish to Cloud Pub/Sub topics."
        raise ApiError(400, text)


def has_role(policy: Json, role: str, email: str) -> bool:
    """Return whether a policy grants a service account a role."""
    member = f"serviceAccount:{email}"
    return any(binding["role"] == role and member in binding["members"] for binding in policy["bindings"])


def create_transport(cloud: FakeCloud, prefix: str) -> Json:
    """Create the topic and the subscription of a trigger, with the names and settings that Eventarc gives them."""
    root = f"projects/{cloud.project.id}"
    names = {"topic": f"{root}/topics/{prefix}-042", "subscription": f"{root}/subscriptions/{prefix}-sub-042"}
    cloud.project.pubsub[names["topic"]] = {"name": names["topic"]}
    subscription = {
        "name": names["subscription"],
        "topic": names["topic"],
        "ackDeadlineSeconds": DEFAULT_ACK_DEADLINE_S,
    }
    subscription |= {"messageRetentionDuration": "86400s"}
    cloud.project.pubsub[names["subscription"]] = subscription
    cloud.project.pubsub_policies |= {name: new_policy([]) for name in names.values()}
    return names


def delete_trigger(cloud: FakeCloud, request: Request) -> Json:
    """Delete a trigger, its topic and its subscription."""
    trigger = cloud.project.triggers.pop(f"{request.names['location']}/triggers/{request.names['name']}", None)
    if trigger is None:
        raise ApiError(404, f"Resource '{request.path.removeprefix('/v1/')}' was not found")
    for name in trigger["transport"]["pubsub"].values():
        del cloud.project.pubsub[name], cloud.project.pubsub_policies[name]
    return completed_operation(cloud, request, {"@type": "type.googleapis.com/google.protobuf.Empty"})


def completed_operation(cloud: FakeCloud, request: Request, response: Json) -> Json:
    """Create an operation that has completed with a response."""
    operations = cloud.project.trigger_operations
    name = f"{request.names['location']}/operations/operation-{len(operations)}"
    operations[name] = {"name": name, "done": True, "response": response}
    return operations[name]


def get_operation(cloud: FakeCloud, request: Request) -> Json:
    """Return an operation."""
    return cloud.project.trigger_operations[request.path.removeprefix("/v1/")]


ROUTES: list[Route] = [
    ("GET", f"{LOCATION}/triggers", list_triggers),
    ("POST", f"{LOCATION}/triggers", create_trigger),
    ("DELETE", f"{LOCATION}/triggers/{NAME}", delete_trigger),
    ("GET", f"{LOCATION}/operations/[^/]+", get_operation),
]
