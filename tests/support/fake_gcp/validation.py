"""Validation of requests as in Google's published APIs; each rule names its page of cloud.google.com."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from .errors import ApiError

FIELDS = {
    # functions/docs/reference/rest/v2/projects.locations.functions
    "function": """
        buildConfig createTime description environment eventTrigger kmsKeyName labels name satisfiesPzs serviceConfig
        state stateMessages updateTime url""",
    "buildConfig": """
        automaticUpdatePolicy build dockerRegistry dockerRepository entryPoint environmentVariables
        onDeployUpdatePolicy runtime serviceAccount source sourceProvenance sourceToken workerPool""",
    "serviceConfig": """
        allTrafficOnLatestRevision availableCpu availableMemory binaryAuthorizationPolicy environmentVariables
        ingressSettings maxInstanceCount maxInstanceRequestConcurrency minInstanceCount revision
        secretEnvironmentVariables secretVolumes securityLevel service serviceAccountEmail timeoutSeconds uri
        vpcConnector vpcConnectorEgressSettings""",
    # iam/docs/reference/rest/v1/projects.serviceAccounts/create
    "account": "accountId serviceAccount",
    # eventarc/docs/reference/rest/v1/projects.locations.triggers
    "trigger": """
        channel conditions createTime destination etag eventDataContentType eventFilters labels name satisfiesPzs
        serviceAccount transport uid updateTime""",
    # pubsub/docs/reference/rest/v1/projects.subscriptions
    "subscription": """
        ackDeadlineSeconds bigqueryConfig cloudStorageConfig deadLetterPolicy detached enableExactlyOnceDelivery
        enableMessageOrdering expirationPolicy filter labels messageRetentionDuration messageTransforms name pushConfig
        retainAckedMessages retryPolicy state topic topicMessageRetentionDuration""",
    # run/docs/reference/rest/v1/TrafficTarget
    "traffic": "configurationName latestRevision percent revisionName tag url",
}
# functions/docs/reference/rest/v2/projects.locations.functions/create: functionId; run/docs/reference: RFC 1035
NAME = re.compile(r"[a-z](?:[a-z0-9-]{2,61}[a-z0-9])")
# iam/docs/reference/rest/v1/projects.serviceAccounts/create: accountId
ACCOUNT_ID = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")
# functions/docs/configuring/env-var, "reserved"
RESERVED_VARIABLES = {"FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE", "K_SERVICE", "K_REVISION", "PORT"}
# functions/quotas: concurrency, timeout of an HTTP function
MAX_CONCURRENCY, MAX_TIMEOUT_S = 1000, 3600
# run/docs/configuring/services/cpu: numbers of CPUs, and the minimum and maximum memory in MiB with each
MEMORY_MIB = {1: (128, 4096), 2: (128, 8192), 4: (2048, 16384), 6: (4096, 24576), 8: (4096, 32768)}
# pubsub/docs/reference/rest/v1/projects.subscriptions: ackDeadlineSeconds, maxDeliveryAttempts; retention in seconds
ACK_DEADLINE_S, DELIVERY_ATTEMPTS, RETENTION_S = (10, 600), (5, 100), (600, 31 * 86400)
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def check_function(name: str, function: dict[str, Any]) -> None:
    """Check a function.

    Raises:
        ApiError: 400, if its name, a field or its configuration is invalid.
    """
    if not NAME.fullmatch(name):
        refuse(f"Invalid function name {name!r}: 4 to 63 lower-case letters, digits and hyphens, a letter first")
    check_fields("function", function)
    for part in ("buildConfig", "serviceConfig"):
        check_fields(part, function.get(part, {}))
    if function["buildConfig"].get("entryPoint") is None:
        refuse("build_config.entry_point is required")
    check_service(function["serviceConfig"])


def check_fields(resource: str, value: dict[str, Any]) -> None:
    """Check the names of fields.

    Args:
        resource: A key of FIELDS.
        value: The fields.

    Raises:
        ApiError: 400, if the published resource lacks a field.
    """
    for unknown in value.keys() - FIELDS[resource].split():
        refuse(f"Invalid JSON payload received. Unknown name \"{unknown}\" at '{resource}': Cannot find field.")


def check_service(config: dict[str, Any]) -> None:
    """Check the serviceConfig of a function.

    Raises:
        ApiError: 400, if a value is invalid.
    """
    concurrency = int(config.get("maxInstanceRequestConcurrency", 1))
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        refuse(f"max_instance_request_concurrency must be between 1 and {MAX_CONCURRENCY}")
    if not 1 <= int(config.get("timeoutSeconds", 60)) <= MAX_TIMEOUT_S:
        refuse(f"timeout_seconds must be between 1 and {MAX_TIMEOUT_S}")
    if int(config.get("minInstanceCount", 0)) > int(config.get("maxInstanceCount", 100)):
        refuse("min_instance_count must not be above max_instance_count")
    for variable in RESERVED_VARIABLES & config.get("environmentVariables", {}).keys():
        refuse(f"environment variable name {variable} is reserved")
    check_cpu(parse_cpus(config.get("availableCpu", "0.1666")), memory_bytes(config) / 2**20, concurrency)


def check_cpu(cpu: float, memory_mib: float, concurrency: int) -> None:
    """Check the combination of CPU, memory and concurrency.

    Raises:
        ApiError: 400, if Cloud Run does not offer it.
    """
    if cpu < 1:
        if concurrency > 1:
            refuse("Total cpu < 1 is not supported with concurrency > 1")
        if cpu < 0.08 or memory_mib > (512 if cpu < 0.5 else 1024):
            refuse(f"Invalid value specified for cpu: {cpu:g} is too little for {memory_mib:g} MiB of memory")
        return
    if cpu not in MEMORY_MIB:
        refuse(f"Invalid value specified for cpu: {cpu:g}; one of 1, 2, 4, 6, 8 or less than 1")
    low, high = MEMORY_MIB[int(cpu)]
    if not low <= memory_mib <= high:
        refuse(f"Invalid value specified for memory: with {cpu:g} CPU it is {low} to {high} MiB, not {memory_mib:g}")


def check_subscription(subscription: dict[str, Any]) -> None:
    """Check the numbers of a subscription.

    Raises:
        ApiError: 400, if one is out of range.
    """
    attempts = subscription.get("deadLetterPolicy", {}).get("maxDeliveryAttempts", 5)
    for name, value, (low, high) in (
        ("ack_deadline_seconds", int(subscription.get("ackDeadlineSeconds", 10)), ACK_DEADLINE_S),
        ("max_delivery_attempts", int(attempts), DELIVERY_ATTEMPTS),
        ("message_retention", int(subscription.get("messageRetentionDuration", "604800s").rstrip("s")), RETENTION_S),
    ):
        if not low <= value <= high:
            refuse(f"{name} must be between {low} and {high}, not {value}")


def parse_cpus(text: str) -> float:
    """Parse a number of CPUs: 1, 0.5 or 500m."""
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def memory_bytes(config: dict[str, Any]) -> int:
    """Return the memory of an instance, given as in 512Mi.

    Raises:
        ApiError: 400, if it is not a size.
    """
    match = re.fullmatch(r"(\d+)([A-Za-z]*)", config.get("availableMemory", "256Mi"))
    if not match or match[2] not in UNITS:
        raise ApiError(400, f"Invalid value specified for memory: {config['availableMemory']}")
    return int(match[1]) * UNITS[match[2]]


def refuse(message: str) -> NoReturn:
    """Refuse an invalid argument.

    Raises:
        ApiError: 400, always.
    """
    raise ApiError(400, message)
