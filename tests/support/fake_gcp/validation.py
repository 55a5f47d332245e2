"""What Google's published API refuses; each rule names the page of cloud.google.com that states it."""

from __future__ import annotations

import re
from typing import Any

from .faults import ApiError

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
RESERVED = {"FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE", "K_SERVICE", "K_REVISION", "PORT"}
# functions/quotas: concurrency, timeout of an HTTP function
MAX_CONCURRENCY, MAX_TIMEOUT_S = 1000, 3600
# run/docs/configuring/services/cpu: whole CPUs, and the least and most memory in MiB beside each
MEMORY_MIB = {1: (128, 4096), 2: (128, 8192), 4: (2048, 16384), 6: (4096, 24576), 8: (4096, 32768)}
# pubsub/docs/reference/rest/v1/projects.subscriptions: ackDeadlineSeconds, maxDeliveryAttempts; retention in seconds
ACK_S, ATTEMPTS, RETENTION_S = (10, 600), (5, 100), (600, 31 * 86400)
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def check_function(name: str, function: dict[str, Any]) -> None:
    """Refuse a function that the API would refuse.

    raises: ApiError 400
    """
    if not NAME.fullmatch(name):
        refuse(f"Invalid function name {name!r}: 4 to 63 lower-case letters, digits and hyphens, a letter first")
    check_fields("function", function)
    for part in ("buildConfig", "serviceConfig"):
        check_fields(part, function.get(part, {}))
    if function["buildConfig"].get("entryPoint") is None:
        refuse("build_config.entry_point is required")
    check_service(function["serviceConfig"])


def check_fields(kind: str, value: dict[str, Any]) -> None:
    """Refuse fields that the published resource does not have.

    raises: ApiError 400
    """
    for unknown in value.keys() - FIELDS[kind].split():
        refuse(f"Invalid JSON payload received. Unknown name \"{unknown}\" at '{kind}': Cannot find field.")


def check_service(config: dict[str, Any]) -> None:
    """Refuse a configuration that no instance can have.

    raises: ApiError 400
    """
    concurrency = int(config.get("maxInstanceRequestConcurrency", 1))
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        refuse(f"max_instance_request_concurrency must be between 1 and {MAX_CONCURRENCY}")
    if not 1 <= int(config.get("timeoutSeconds", 60)) <= MAX_TIMEOUT_S:
        refuse(f"timeout_seconds must be between 1 and {MAX_TIMEOUT_S}")
    if int(config.get("minInstanceCount", 0)) > int(config.get("maxInstanceCount", 100)):
        refuse("min_instance_count must not be above max_instance_count")
    for taken in RESERVED & config.get("environmentVariables", {}).keys():
        refuse(f"environment variable name {taken} is reserved")
    check_cpu(cpus(config.get("availableCpu", "0.1666")), memory_bytes(config) / 2**20, concurrency)


def check_cpu(cpu: float, memory_mib: float, concurrency: int) -> None:
    """Refuse CPU, memory and concurrency that are not offered together.

    raises: ApiError 400
    """
    if cpu < 1:
        if concurrency > 1:
            refuse("Total cpu < 1 is not supported with concurrency > 1")
        if cpu < 0.08 or memory_mib > (512 if cpu < 0.5 else 1024):
            refuse(f"Invalid value specified for cpu: {cpu:g} is too little beside {memory_mib:g} MiB of memory")
        return
    if cpu not in MEMORY_MIB:
        refuse(f"Invalid value specified for cpu: {cpu:g}; one of 1, 2, 4, 6, 8 or less than 1")
    least, most = MEMORY_MIB[int(cpu)]
    if not least <= memory_mib <= most:
        refuse(f"Invalid value specified for memory: with {cpu:g} CPU it is {least} to {most} MiB, not {memory_mib:g}")


def check_subscription(subscription: dict[str, Any]) -> None:
    """Refuse a subscription whose numbers are not offered.

    raises: ApiError 400
    """
    attempts = subscription.get("deadLetterPolicy", {}).get("maxDeliveryAttempts", 5)
    for what, value, (least, most) in (
        ("ack_deadline_seconds", int(subscription.get("ackDeadlineSeconds", 10)), ACK_S),
        ("max_delivery_attempts", int(attempts), ATTEMPTS),
        ("message_retention", int(subscription.get("messageRetentionDuration", "604800s").rstrip("s")), RETENTION_S),
    ):
        if not least <= value <= most:
            refuse(f"{what} must be between {least} and {most}, not {value}")


def cpus(text: str) -> float:
    """Read a number of CPUs: 1, 0.5 or 500m."""
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def memory_bytes(config: dict[str, Any]) -> int:
    """Read the memory of an instance: 512Mi.

    raises: ApiError 400
    """
    match = re.fullmatch(r"(\d+)([A-Za-z]*)", config.get("availableMemory", "256Mi"))
    if not match or match[2] not in UNITS:
        raise ApiError(400, f"Invalid value specified for memory: {config['availableMemory']}")
    return int(match[1]) * UNITS[match[2]]


def refuse(message: str) -> None:
    """Answer that an argument is invalid.

    raises: ApiError 400
    """
    raise ApiError(400, message)
