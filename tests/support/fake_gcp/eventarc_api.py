"""Eventarc: triggers, with the topic and the subscription that each brings along; no event is sent here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .faults import ApiError
from .http_server import Call, Route
from .resources import Json, new_policy
from .validation import check_fields

if TYPE_CHECKING:
    from .cloud import Cloud

PLACE = r"/v1/(?P<place>projects/[^/]+/locations/[^/]+)"
NAME = r"(?P<name>[^/:]+)"
FINALIZED = "google.cloud.storage.object.v1.finalized"
ACK_S = 10


def list_triggers(cloud: Cloud, call: Call) -> Json:
    """Yield the triggers of a location, or of all where it is a dash."""
    place = call.names["place"].removesuffix("-")
    return {"triggers": [each for name, each in cloud.project.triggers.items() if name.startswith(place)]}


def create(cloud: Cloud, call: Call) -> Json:
    """Make a trigger."""
    trigger, place, short = call.json(), call.names["place"], call.query["triggerId"]
    name = f"{place}/triggers/{short}"
    if name in cloud.project.triggers:
        raise ApiError(409, f"Resource '{name}' already exists")
    check_fields("trigger", trigger)
    check_filters(cloud, trigger, place.rpartition("/")[2])
    check_parties(cloud, trigger)
    transport = {"pubsub": make_transport(cloud, f"eventarc-{place.rpartition('/')[2]}-{short}")}
    cloud.project.triggers[name] = trigger | {"name": name, "transport": transport}
    kind = {"@type": "type.googleapis.com/google.cloud.eventarc.v1.Trigger"}
    return done(cloud, call, kind | cloud.project.triggers[name])


def check_filters(cloud: Cloud, trigger: Json, location: str) -> None:
    """Refuse events that no trigger of this location can have.

    raises: ApiError 400
    """
    filters = {each["attribute"]: each["value"] for each in trigger["eventFilters"]}
    if filters.keys() != {"type", "bucket"} or filters["type"] != FINALIZED:
        raise ApiError(400, f"this stand-in has events of type {FINALIZED} of one bucket")
    place = cloud.project.places.get(filters["bucket"])
    if place is None or place.lower() != location:
        raise ApiError(400, f"Bucket {filters['bucket']!r} is in {place}: the trigger must be there, not in {location}")


def check_parties(cloud: Cloud, trigger: Json) -> None:
    """Refuse a trigger whose destination or account is not there, or may not do its part.

    raises: ApiError 400, 403, 404
    """
    project, email = cloud.project, trigger.get("serviceAccount", "").rpartition("/")[2]
    if email not in project.accounts:
        raise ApiError(400, f"Invalid resource state: service account {email} does not exist")
    if trigger["destination"]["cloudRun"]["service"] not in project.services:
        raise ApiError(404, f"Cloud Run service {trigger['destination']['cloudRun']['service']} not found")
    if not has_role(project.policy(), "roles/eventarc.eventReceiver", email):
        raise ApiError(403, f"Permission 'eventarc.events.receiveEvent' denied for service account {email}")
    if not has_role(project.policy(), "roles/pubsub.publisher", project.storage_agent):
        text = "The Cloud Storage service account for your bucket is unable to publish to Cloud Pub/Sub topics."
        raise ApiError(400, text)


def has_role(policy: Json, role: str, email: str) -> bool:
    """Tell whether a policy gives an account a role."""
    return any(each["role"] == role and f"serviceAccount:{email}" in each["members"] for each in policy["bindings"])


def make_transport(cloud: Cloud, stem: str) -> Json:
    """Make the topic and the subscription of a trigger, as Eventarc names and sets them."""
    root = f"projects/{cloud.project.id}"
    names = {"topic": f"{root}/topics/{stem}-042", "subscription": f"{root}/subscriptions/{stem}-sub-042"}
    cloud.project.pubsub[names["topic"]] = {"name": names["topic"]}
    subscription = {"name": names["subscription"], "topic": names["topic"], "ackDeadlineSeconds": ACK_S}
    subscription |= {"messageRetentionDuration": "86400s"}
    cloud.project.pubsub[names["subscription"]] = subscription
    cloud.project.policies |= {name: new_policy([]) for name in names.values()}
    return names


def delete(cloud: Cloud, call: Call) -> Json:
    """Remove a trigger, and what it brought along."""
    trigger = cloud.project.triggers.pop(f"{call.names['place']}/triggers/{call.names['name']}", None)
    if trigger is None:
        raise ApiError(404, f"Resource '{call.path.removeprefix('/v1/')}' was not found")
    for name in trigger["transport"]["pubsub"].values():
        del cloud.project.pubsub[name], cloud.project.policies[name]
    return done(cloud, call, {"@type": "type.googleapis.com/google.protobuf.Empty"})


def done(cloud: Cloud, call: Call, response: Json) -> Json:
    """Make an operation that is over."""
    name = f"{call.names['place']}/operations/operation-{len(cloud.project.triggered)}"
    cloud.project.triggered[name] = {"name": name, "done": True, "response": response}
    return cloud.project.triggered[name]


def get_operation(cloud: Cloud, call: Call) -> Json:
    """Say how far an operation is."""
    return cloud.project.triggered[call.path.removeprefix("/v1/")]


ROUTES: list[Route] = [
    ("GET", f"{PLACE}/triggers", list_triggers),
    ("POST", f"{PLACE}/triggers", create),
    ("DELETE", f"{PLACE}/triggers/{NAME}", delete),
    ("GET", f"{PLACE}/operations/[^/]+", get_operation),
]
