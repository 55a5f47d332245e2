"""Pub/Sub: topics, subscriptions and their IAM policies. No messages are delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ApiError
from .http_server import Request, Route
from .resources import Json, new_policy
from .validation import check_fields, check_subscription

if TYPE_CHECKING:
    from .cloud import FakeCloud

SUBSCRIPTION = r"/v1/(?P<name>projects/[^/]+/subscriptions/[^/:]+)"
TOPIC_OR_SUBSCRIPTION = r"/v1/(?P<name>projects/[^/]+/(?:topics|subscriptions)/[^/:]+)"


def find(cloud: FakeCloud, name: str) -> Json:
    """Return a topic or a subscription.

    Raises:
        ApiError: 404, if it does not exist.
    """
    resource = cloud.project.pubsub.get(name)
    if resource is None:
        raise ApiError(404, f"Resource not found (resource={name.rpartition('/')[2]}).")
    return resource


def create(cloud: FakeCloud, request: Request) -> Json:
    """Create a topic or a subscription."""
    name = request.names["name"]
    if name in cloud.project.pubsub:
        raise ApiError(409, f"Resource already exists in the project (resource={name.rpartition('/')[2]}).")
    if "/subscriptions/" in name:
        check_settings(cloud, request.json())
    cloud.project.pubsub[name] = request.json() | {"name": name}
    cloud.project.pubsub_policies[name] = new_policy([])
    return cloud.project.pubsub[name]


def check_settings(cloud: FakeCloud, subscription: Json) -> None:
    """Check the settings of a subscription.

    Raises:
        ApiError: 400, if a setting is invalid; 404, if a topic does not exist.
    """
    check_fields("subscription", subscription)
    check_subscription(subscription)
    find(cloud, subscription["topic"])
    dead_letters = subscription.get("deadLetterPolicy", {}).get("deadLetterTopic")
    if dead_letters:
        find(cloud, dead_letters)


def update_subscription(cloud: FakeCloud, request: Request) -> Json:
    """Update the fields of a subscription that the update mask names."""
    subscription, body = find(cloud, request.names["name"]), request.json()
    changes = {field: body["subscription"][field] for field in body["updateMask"].split(",")}
    check_settings(cloud, subscription | changes)
    subscription |= changes
    return subscription


def delete(cloud: FakeCloud, request: Request) -> Json:
    """Delete a topic or a subscription."""
    find(cloud, request.names["name"])
    del cloud.project.pubsub[request.names["name"]], cloud.project.pubsub_policies[request.names["name"]]
    return {}


def list_subscriptions(cloud: FakeCloud, request: Request) -> Json:
    """Return the subscriptions."""
    return {"subscriptions": [resource for name, resource in cloud.project.pubsub.items() if "/subscriptions/" in name]}


def get_policy(cloud: FakeCloud, request: Request) -> Json:
    """Return the IAM policy of a topic or a subscription."""
    find(cloud, request.names["name"])
    return cloud.project.pubsub_policies[request.names["name"]]


def set_policy(cloud: FakeCloud, request: Request) -> Json:
    """Set the IAM policy of a topic or a subscription."""
    find(cloud, request.names["name"])
    policy = new_policy(request.json()["policy"]["bindings"])
    cloud.project.pubsub_policies[request.names["name"]] = policy
    return policy


ROUTES: list[Route] = [
    ("GET", r"/v1/projects/[^/]+/subscriptions", list_subscriptions),
    ("PUT", TOPIC_OR_SUBSCRIPTION, create),
    ("PATCH", SUBSCRIPTION, update_subscription),
    ("DELETE", TOPIC_OR_SUBSCRIPTION, delete),
    ("GET", f"{TOPIC_OR_SUBSCRIPTION}:getIamPolicy", get_policy),
    ("POST", f"{TOPIC_OR_SUBSCRIPTION}:setIamPolicy", set_policy),
]
