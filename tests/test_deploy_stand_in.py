"""The stand-in for Google Cloud refuses what Google's published API refuses."""

from __future__ import annotations

from typing import Any

import pytest
from cloud.faults import ApiError
from cloud.rules import check_function


def function(build: dict[str, Any] | None = None, **service: Any) -> dict[str, Any]:
    """A function that is right but for what is given."""
    fine = {"availableMemory": "1Gi", "availableCpu": "1", "maxInstanceRequestConcurrency": 8, "timeoutSeconds": 60}
    return {
        "buildConfig": {"runtime": "python311", "entryPoint": "run"} | (build or {}),
        "serviceConfig": fine | service,
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
def test_what_is_offered_is_taken(service: dict[str, Any]):
    check_function("silhouette", function(**service))


@pytest.mark.parametrize(
    ("service", "why"),
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
def test_what_is_not_offered_is_refused(service: dict[str, Any], why: str):
    with pytest.raises(ApiError, match=why):
        check_function("silhouette", function(**service))


@pytest.mark.parametrize("name", ["Silhouette", "1st", "ends-", "a" * 64, "dot.ted", "abc"])
def test_names_that_break_the_rules_are_refused(name: str):
    with pytest.raises(ApiError, match="Invalid function name"):
        check_function(name, function())


def test_a_function_needs_an_entry_point():
    with pytest.raises(ApiError, match="entry_point"):
        check_function("silhouette", function({"entryPoint": None}))
