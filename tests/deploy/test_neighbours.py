"""Functions of one project, in two regions or with long names, do not affect each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fake_gcp.cloud import FakeCloud
from tests.support.fake_gcp.commands import CommandResult, deploy
from tests.support.fake_gcp.faults import denied
from tests.support.fake_gcp.marks import requires_gcloud
from tests.support.fake_gcp.resources import Json, Project, new_policy

pytestmark = requires_gcloud
BUCKETS = ("--photos", "gs://photos", "--masks", "gs://masks")
PREFIX = "segmentation-of-the-photos-of-all-pets-in-every-shelter-of-eur"  # 62 letters, the maximum being 63
FIRST, SECOND, THIRD = f"europe-west1/{PREFIX}a", f"europe-west4/{PREFIX}a", f"europe-west1/{PREFIX}b"
RUNTIME, EVENTS = (f"silhouette-{role}@my-project.iam.gserviceaccount.com" for role in ("runtime", "events"))
EVENT_RECEIVER = "roles/eventarc.eventReceiver"


def options(key: str) -> tuple[str, ...]:
    """Return the options of deploy.sh for a function REGION/NAME."""
    region, name = key.split("/")
    return ("--region", region, "--name", name)


def state(project: Project) -> dict[str, Any]:
    """Return all resources of a project by type and name, with each role of each account as one of them."""
    resources: dict[str, Any] = {}
    policies = {"project": {"bindings": project.bindings}}
    for resource_type in ("accounts", "functions", "pubsub", "triggers"):
        for name, resource in getattr(project, resource_type).items():
            resources[f"{resource_type} {name}"] = json.loads(json.dumps(resource))
    for key, service in project.services.items():
        assert service.serving is not None
        resources[f"service {key}"] = service.serving.name
        policies[f"service {key}"] = service.policy
    policies |= {f"bucket {name}": policy for name, policy in project.buckets.items()}
    policies |= {f"pubsub {name}": policy for name, policy in project.pubsub_policies.items()}
    for resource, policy in policies.items():
        for binding in policy["bindings"]:
            resources |= {f"{resource} {binding['role']} {member}": True for member in binding["members"]}
    return resources


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return the resources that were created, changed or deleted."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeCloud]:
    """A project with two buckets, one of which can be used in two regions."""
    with FakeCloud() as cloud:
        cloud.project.apis |= {"eventarc.googleapis.com", "pubsub.googleapis.com"}
        cloud.create_bucket("photos", "EU")
        cloud.create_bucket("masks", "EU")
        yield cloud
        assert cloud.refused_connections == []
        assert cloud.unexpected == []


@pytest.fixture(scope="module")
def states(cloud: FakeCloud) -> dict[str, dict[str, Any]]:
    """The state of the project at the start and after each command: deployments, an update and deletions."""
    states = {"start": state(cloud.project)}

    def run(step: str, *arguments: str) -> None:
        result = deploy(cloud, *arguments)
        assert result.exit_code == 0, result.output
        assert "Could not delete" not in result.output
        states[step] = state(cloud.project)

    for step, key in (("first", FIRST), ("second", SECOND), ("third", THIRD)):
        run(step, *options(key), *BUCKETS)
    run("update", *options(SECOND), "--memory", "2Gi")
    for step, key in (("first deleted", FIRST), ("second deleted", SECOND), ("third deleted", THIRD)):
        run(step, *options(key), "--delete", "--yes")
    return states


def test_a_deployment_changes_no_resource_of_another_function(states: dict[str, dict[str, Any]]) -> None:
    first = changed(states["start"], states["first"])
    second = changed(states["first"], states["second"])
    third = changed(states["second"], states["third"])
    assert len(second) == len(third) == len(first) - 1  # Only the first grants Cloud Storage its role.
    assert first.isdisjoint(second | third)
    assert second.isdisjoint(third)
    types = {name.split()[0] for name in first}
    assert types == {"accounts", "bucket", "functions", "project", "pubsub", "service", "triggers"}


def test_an_update_changes_the_function_and_nothing_else(states: dict[str, dict[str, Any]]) -> None:
    assert changed(states["third"], states["update"]) == {f"functions {SECOND}", f"service {SECOND}"}


@pytest.mark.parametrize(
    ("step", "before", "created"),
    [
        ("first deleted", "update", ("start", "first")),
        ("second deleted", "first deleted", ("first", "second")),
        ("third deleted", "second deleted", ("second", "third")),
    ],
)
def test_a_deletion_removes_what_its_own_deployment_created_and_nothing_else(
    states: dict[str, dict[str, Any]], step: str, before: str, created: tuple[str, str]
) -> None:
    removed = changed(states[before], states[step])
    own = changed(states[created[0]], states[created[1]])
    kept = {name for name in own if name.startswith("bucket ") or "gs-project-accounts" in name}
    assert removed == own - kept


def deployed_by_0_1_0(cloud: FakeCloud, region: str) -> None:
    """Add a function as version 0.1.0 deployed it: its accounts and its topic have the same names in every region."""
    project, key, root = cloud.project, f"{region}/silhouette", "projects/my-project"
    for email in (RUNTIME, EVENTS):
        project.accounts[email] = {"name": f"{root}/serviceAccounts/{email}", "email": email}
    environment = {"PHOTO_BUCKETS": "photos", "MASK_BUCKET": "masks"}
    config: Json = {"serviceAccountEmail": RUNTIME, "environmentVariables": environment, "availableMemory": "1Gi"}
    config |= {"availableCpu": "1", "timeoutSeconds": 60, "revision": "silhouette-00001-abc", "uri": cloud.url}
    function = {"name": f"{root}/locations/{region}/functions/silhouette", "state": "ACTIVE", "environment": "GEN_2"}
    project.functions[key] = function | {"buildConfig": {"runtime": "python311"}, "serviceConfig": config}
    transport = {name: f"{root}/{name}s/eventarc-{region}-silhouette" for name in ("topic", "subscription")}
    trigger: Json = {"name": f"{root}/locations/{region}/triggers/silhouette", "serviceAccount": EVENTS}
    trigger |= {"eventFilters": [{"attribute": "bucket", "value": "photos"}], "transport": {"pubsub": transport}}
    trigger["destination"] = {"cloudRun": {"service": "silhouette", "region": region}}
    project.triggers[trigger["name"]] = trigger
    dead_letters = {name: f"{root}/{name}s/silhouette-dead-letters" for name in ("topic", "subscription")}
    policy = {"deadLetterPolicy": {"deadLetterTopic": dead_letters["topic"], "maxDeliveryAttempts": 100}}
    for names, settings in ((transport, policy | {"ackDeadlineSeconds": 60}), (dead_letters, {})):
        project.pubsub[names["topic"]] = {"name": names["topic"]}
        project.pubsub[names["subscription"]] = {"name": names["subscription"], "topic": names["topic"], **settings}
        project.pubsub_policies |= {name: new_policy([]) for name in names.values()}
    members = [f"serviceAccount:{EVENTS}"]
    agent = {"role": "roles/pubsub.publisher", "members": [f"serviceAccount:{project.storage_agent}"]}
    project.bindings = [{"role": EVENT_RECEIVER, "members": members}, agent]


@pytest.fixture
def old_cloud() -> Iterator[FakeCloud]:
    """A project with a function that version 0.1.0 deployed to two regions."""
    with FakeCloud() as cloud:
        cloud.project.apis |= {"eventarc.googleapis.com", "pubsub.googleapis.com"}
        cloud.create_bucket("photos", "EU")
        cloud.create_bucket("masks", "EU")
        for region in ("europe-west1", "europe-west4"):
            deployed_by_0_1_0(cloud, region)
        yield cloud
        assert cloud.refused_connections == []
        assert cloud.unexpected == []


def delete(cloud: FakeCloud, region: str, name: str = "silhouette") -> CommandResult:
    """Delete a function, and check that deploy.sh succeeds."""
    result = deploy(cloud, "--region", region, "--name", name, "--delete", "--yes")
    assert result.exit_code == 0, result.output
    return result


def test_a_function_of_version_0_1_0_keeps_its_names(old_cloud: FakeCloud) -> None:
    result = deploy(old_cloud, "--dry-run")
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.output.splitlines() if "would run" in line]
    assert "gcloud functions deploy silhouette" in line
    assert "--service-account silhouette-runtime@" in line


def test_a_deleted_account_of_version_0_1_0_is_created_again_with_its_roles(old_cloud: FakeCloud) -> None:
    old_cloud.project.accounts.clear()
    old_cloud.project.bindings.pop(0)
    result = deploy(old_cloud, "--dry-run")
    assert result.exit_code == 0, result.output
    for command in (
        "service-accounts create silhouette-runtime",
        "service-accounts create silhouette-events",
        "buckets add-iam-policy-binding gs://photos --member serviceAccount:silhouette-runtime@",
        "buckets add-iam-policy-binding gs://masks --member serviceAccount:silhouette-runtime@",
        f"projects add-iam-policy-binding my-project --condition None --format none --member "
        f"serviceAccount:{EVENTS} --role {EVENT_RECEIVER}",
        "run services add-iam-policy-binding silhouette",
    ):
        assert command in result.output


def test_what_another_function_uses_is_deleted_with_the_last_one(old_cloud: FakeCloud) -> None:
    before = state(old_cloud.project)
    result = delete(old_cloud, "europe-west1")
    removed = changed(before, state(old_cloud.project))
    subscription = "projects/my-project/{}s/eventarc-europe-west1-silhouette"
    assert removed == {
        "functions europe-west1/silhouette",
        "triggers projects/my-project/locations/europe-west1/triggers/silhouette",
        *(f"pubsub {subscription.format(name)}" for name in ("topic", "subscription")),
    }
    for text in (
        f"{RUNTIME}, which the function silhouette in europe-west4 uses",
        f"{EVENTS}, which the trigger silhouette in europe-west4 uses",
        "silhouette-dead-letters, which the subscription eventarc-europe-west4-silhouette uses",
    ):
        assert f"Not deleted: {text}." in result.output
    assert "Not deleted: silhouette" not in delete(old_cloud, "europe-west4").output
    project = old_cloud.project
    assert (project.accounts, project.triggers, project.pubsub, project.functions) == ({}, {}, {}, {})


def test_no_account_is_deleted_if_its_other_uses_cannot_be_listed(old_cloud: FakeCloud) -> None:
    old_cloud.faults.append(denied("run", "^GET .*/locations/-/services$", "run.services.list"))
    result = delete(old_cloud, "europe-west1")
    assert old_cloud.project.accounts.keys() == {RUNTIME, EVENTS}
    assert f"Not deleted: {RUNTIME}, because its other uses cannot be listed: " in result.output
    assert "run.services.list" in result.output
