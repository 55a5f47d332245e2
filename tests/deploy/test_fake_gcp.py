"""The fake Google Cloud refuses what Google's published API refuses."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest

from tests.support.fake_gcp.cloud import NO_METADATA_SERVER, FakeCloud
from tests.support.fake_gcp.errors import ApiError
from tests.support.fake_gcp.eventarc_api import check_destination, check_filters
from tests.support.fake_gcp.resources import Service
from tests.support.fake_gcp.validation import check_function, check_subscription


def function(build: dict[str, Any] | None = None, **service: Any) -> dict[str, Any]:
    """Return a valid function, with some fields of its buildConfig and serviceConfig replaced."""
    valid = {"availableMemory": "1Gi", "availableCpu": "1", "maxInstanceRequestConcurrency": 8, "timeoutSeconds": 60}
    return {
        "buildConfig": {"runtime": "python311", "entryPoint": "run"} | (build or {}),
        "serviceConfig": valid | service,
    }


@pytest.mark.parametrize(
    "service",
    [
        {},
        {"availableCpu": "0.5", "availableMemory": "1Gi", "maxInstanceRequestConcurrency": 1},
        {"availableCpu": "2", "availableMemory": "8Gi"},
        {"availableCpu": "8", "availableMemory": "32Gi", "maxInstanceRequestConcurrency": 1000},
    ],
)
def test_a_valid_configuration_is_accepted(service: dict[str, Any]) -> None:
    check_function("silhouette", function(**service))


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({"availableCpu": "0.5"}, "concurrency > 1"),
        ({"availableCpu": "500m", "maxInstanceRequestConcurrency": 1, "availableMemory": "2Gi"}, "too little"),
        ({"availableCpu": "3"}, "one of 1, 2, 4, 6, 8"),
        ({"availableMemory": "8Gi"}, "128 to 4096 MiB"),
        ({"availableCpu": "4"}, "2048 to 16384 MiB"),
        ({"availableMemory": "1Q"}, "memory: 1Q"),
        ({"maxInstanceRequestConcurrency": 1001}, "between 1 and 1000"),
        ({"timeoutSeconds": 3601}, "between 1 and 3600"),
        ({"minInstanceCount": 3, "maxInstanceCount": 2}, "min_instance_count"),
        ({"environmentVariables": {"PORT": "1"}}, "PORT is reserved"),
        ({"cpuBoost": True}, 'Unknown name "cpuBoost"'),
    ],
)
def test_an_invalid_configuration_is_refused(service: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message):
        check_function("silhouette", function(**service))


@pytest.mark.parametrize("name", ["Silhouette", "1st", "ends-", "a" * 64, "dot.ted", "abc"])
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(ApiError, match="Invalid function name"):
        check_function(name, function())


def test_a_function_requires_an_entry_point() -> None:
    with pytest.raises(ApiError, match="entry_point"):
        check_function("silhouette", function({"entryPoint": None}))


@pytest.mark.parametrize(
    ("subscription", "message"),
    [
        ({"ackDeadlineSeconds": 9}, "ack_deadline_seconds must be between 10 and 600"),
        ({"deadLetterPolicy": {"maxDeliveryAttempts": 101}}, "max_delivery_attempts must be between 5 and 100"),
        ({"messageRetentionDuration": "2764800s"}, "message_retention must be between 600"),
    ],
)
def test_an_invalid_subscription_is_refused(subscription: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message):
        check_subscription(subscription)


def test_a_trigger_is_refused_until_everything_it_requires_exists() -> None:
    email = "events@my-project.iam.gserviceaccount.com"
    destination = {"cloudRun": {"service": "silhouette", "region": "europe-west1"}}
    filters = [{"attribute": "type", "value": "google.cloud.storage.object.v1.finalized"}]
    filters += [{"attribute": "bucket", "value": "photos"}]
    trigger = {"serviceAccount": email, "destination": destination, "eventFilters": filters}
    with FakeCloud() as cloud:

        def assert_refused(message: str) -> None:
            with pytest.raises(ApiError, match=message):
                check_destination(cloud, trigger)

        cloud.create_bucket("photos", "EU")
        with pytest.raises(ApiError, match="the trigger must be there"):
            check_filters(cloud, trigger, "europe-west1")
        check_filters(cloud, trigger, "eu")
        assert_refused("does not exist")
        cloud.project.accounts[email] = {}
        assert_refused("silhouette not found")
        cloud.project.services["europe-west1/silhouette"] = Service("europe-west1", "silhouette")
        assert_refused("receiveEvent")
        cloud.project.bindings.append({"role": "roles/eventarc.eventReceiver", "members": [f"serviceAccount:{email}"]})
        assert_refused("unable to publish")
        agent = f"serviceAccount:{cloud.project.storage_agent}"
        cloud.project.bindings.append({"role": "roles/pubsub.publisher", "members": [agent]})
        check_destination(cloud, trigger)


@pytest.mark.parametrize("setting", [*NO_METADATA_SERVER, ""])
@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_a_name_that_gcloud_looks_up_is_recorded(setting: str) -> None:
    with FakeCloud() as cloud:
        environment = cloud.environment()
        environment.pop(setting, None)
        command = ["gcloud", "projects", "describe", cloud.project.id]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        assert set(cloud.refused_connections) == ({"metadata.google.internal"} if setting else set())
