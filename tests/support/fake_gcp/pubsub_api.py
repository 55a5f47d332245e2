"""Pub/Sub: topics, subscriptions, and who may use them; no message is carried here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .faults import ApiError
from .http_server import Call, Route
from .resources import Json, new_policy
from .validation import check_fields, check_subscription

if TYPE_CHECKING:
    from .cloud import Cloud

SUBSCRIPTION = r"/v1/(?P<name>projects/[^/]+/subscriptions/[^/:]+)"
EITHER = r"/v1/(?P<name>projects/[^/]+/(?:topics|subscriptions)/[^/:]+)"


def find(cloud: Cloud, name: str) -> Json:
    """Find a topic or a subscription.

    raises: ApiError 404
    """
    found = cloud.project.pubsub.get(name)
    if found is None:
        raise ApiError(404, f"Resource not found (resource={name.rpartition('/')[2]}).")
    return found


def create(cloud: Cloud, call: Call) -> Json:
    """Make a topic or a subscription."""
    name = call.names["name"]
    if name in cloud.project.pubsub:
        raise ApiError(409, f"Resource already exists in the project (resource={name.rpartition('/')[2]}).")
    if "/subscriptions/" in name:
        check_new(cloud, call.json())
    cloud.project.pubsub[name] = call.json() | {"name": name}
    cloud.project.policies[name] = new_policy([])
    return cloud.project.pubsub[name]


def check_new(cloud: Cloud, subscription: Json) -> None:
    """Refuse a subscription that the API would refuse.

    raises: ApiError 400, 404
    """
    check_fields("subscription", subscription)
    check_subscription(subscription)
    find(cloud, subscription["topic"])
    dead_letters = subscription.get("deadLetterPolicy", {}).get("deadLetterTopic")
    if dead_letters:
        find(cloud, dead_letters)


def change(cloud: Cloud, call: Call) -> Json:
    """Change those fields of a subscription that the mask names."""
    subscription, body = find(cloud, call.names["name"]), call.json()
    wanted = {field: body["subscription"][field] for field in body["updateMask"].split(",")}
    check_new(cloud, subscription | wanted)
    subscription |= wanted
    return subscription


def delete(cloud: Cloud, call: Call) -> Json:
    """Remove a topic or a subscription."""
    find(cloud, call.names["name"])
    del cloud.project.pubsub[call.names["name"]], cloud.project.policies[call.names["name"]]
    return {}


def list_subscriptions(cloud: Cloud, call: Call) -> Json:
    """Yield the subscriptions."""
    return {"subscriptions": [each for name, each in cloud.project.pubsub.items() if "/subscriptions/" in name]}


def get_policy(cloud: Cloud, call: Call) -> Json:
    """Yield who may do what with a topic or a subscription."""
    find(cloud, call.names["name"])
    return cloud.project.policies[call.names["name"]]


def set_policy(cloud: Cloud, call: Call) -> Json:
    """Set who may do what with a topic or a subscription."""
    find(cloud, call.names["name"])
    policy = new_policy(call.json()["policy"]["bindings"])
    cloud.project.policies[call.names["name"]] = policy
    return policy


ROUTES: list[Route] = [
    ("GET", r"/v1/projects/[^/]+/subscriptions", list_subscriptions),
    ("PUT", EITHER, create),
    ("PATCH", SUBSCRIPTION, change),
    ("DELETE", EITHER, delete),
    ("GET", f"{EITHER}:getIamPolicy", get_policy),
    ("POST", f"{EITHER}:setIamPolicy", set_policy),
]
