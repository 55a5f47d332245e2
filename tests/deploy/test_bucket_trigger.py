"""deploy.sh with a bucket of photos: the trigger, its account, the dead-letter topic, and the roles granted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fake_gcp.cloud import FakeCloud
from tests.support.fake_gcp.commands import assert_failed, deploy
from tests.support.fake_gcp.marks import requires_gcloud
from tests.support.fake_gcp.rehearse import Rehearsal, StepResult
from tests.support.fake_gcp.resources import Project

pytestmark = requires_gcloud
# The function's name with the checksum of my-project/europe-west1/silhouette.
UNIQUE_NAME = "silhouette-9eee0de5"
BUCKETS = ("--photos", "gs://photos", "--masks", "gs://masks")
RUNTIME, EVENTS = (f"{UNIQUE_NAME}-{role}@my-project.iam.gserviceaccount.com" for role in ("runtime", "events"))
STORAGE, PUBSUB = (
    f"service-123456789012@{domain}.iam.gserviceaccount.com" for domain in ("gs-project-accounts", "gcp-sa-pubsub")
)
TRIGGER = f"projects/my-project/locations/europe-west1/triggers/{UNIQUE_NAME}"
DEAD_LETTERS = f"projects/my-project/topics/{UNIQUE_NAME}-dead-letters"
READ_REQUESTS = ("GET", "POST /token", ":get", ":testIamPermissions")


@pytest.fixture(scope="module")
def deployment(rehearsal: Rehearsal) -> StepResult:
    """A deployment with buckets, of a function that had none before."""
    return rehearsal.steps["redeployment"]


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """A project with nothing deployed, in which the test must change nothing."""
    with FakeCloud() as cloud:
        yield cloud
        assert changes(cloud.requests) == []
        assert cloud.refused_connections == []
        assert cloud.unexpected == []


def changes(requests: list[str]) -> list[str]:
    """Return the requests that change something."""
    return [request for request in requests if not any(read in request for read in READ_REQUESTS)]


def roles(*policies: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the members of policies with their roles."""
    bindings = [binding for policy in policies for binding in policy["bindings"]]
    return {(member.partition(":")[2], binding["role"]) for binding in bindings for member in binding["members"]}


def subscription(project: Project, trigger: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the subscription of a trigger, and its IAM policy."""
    name = trigger["transport"]["pubsub"]["subscription"]
    return project.pubsub[name], project.pubsub_policies[name]


def test_the_trigger_sends_new_photos_in_the_bucket_to_the_function(deployment: StepResult) -> None:
    assert deployment.command.exit_code == 0, deployment.command.output
    trigger = deployment.project.triggers[TRIGGER]
    filters = {item["attribute"]: item["value"] for item in trigger["eventFilters"]}
    assert filters == {"type": "google.cloud.storage.object.v1.finalized", "bucket": "photos"}
    assert trigger["destination"] == {"cloudRun": {"service": "silhouette", "region": "europe-west1"}}
    assert trigger["serviceAccount"].endswith(EVENTS)
    environment = deployment.function["serviceConfig"]["environmentVariables"]
    assert (environment["PHOTO_BUCKETS"], environment["MASK_BUCKET"]) == ("photos", "masks")
    assert deployment.function["buildConfig"]["entryPoint"] == "run"
    assert "at most 10 instances" in deployment.command.output


def test_the_trigger_is_retried_while_a_new_account_has_not_propagated(deployment: StepResult) -> None:
    assert deployment.command.output.count("has not propagated yet. Retrying") == 1
    assert list(deployment.project.triggers) == [TRIGGER]


def test_each_account_has_the_minimal_roles_on_the_smallest_resource(deployment: StepResult) -> None:
    project = deployment.project
    assert roles({"bindings": project.bindings}) == {
        (EVENTS, "roles/eventarc.eventReceiver"),
        (STORAGE, "roles/pubsub.publisher"),
    }
    assert roles(project.buckets["photos"]) == {(RUNTIME, "roles/storage.objectViewer")}
    assert roles(project.buckets["masks"]) == {(RUNTIME, "roles/storage.objectUser")}
    assert roles(deployment.invoker_policy) == {(EVENTS, "roles/run.invoker"), ("", "roles/run.invoker")}
    assert roles(project.pubsub_policies[DEAD_LETTERS]) == {(PUBSUB, "roles/pubsub.publisher")}
    _, policy = subscription(project, project.triggers[TRIGGER])
    assert roles(policy) == {(PUBSUB, "roles/pubsub.subscriber")}


def test_permanently_failed_events_stay_in_the_dead_letter_subscription(deployment: StepResult) -> None:
    project = deployment.project
    delivery, _ = subscription(project, project.triggers[TRIGGER])
    assert delivery["deadLetterPolicy"] == {"deadLetterTopic": DEAD_LETTERS, "maxDeliveryAttempts": 100}
    assert delivery["ackDeadlineSeconds"] == deployment.function["serviceConfig"]["timeoutSeconds"]
    dead_letters = project.pubsub[f"projects/my-project/subscriptions/{UNIQUE_NAME}-dead-letters"]
    assert dead_letters["topic"] == DEAD_LETTERS
    assert dead_letters["expirationPolicy"] == {}  # It never expires, even if it is not used for a month.
    assert f"gcloud pubsub subscriptions pull {UNIQUE_NAME}-dead-letters" in deployment.command.output


def test_an_identical_deployment_would_create_a_revision_and_nothing_else(rehearsal: Rehearsal) -> None:
    dry_run = rehearsal.steps["dry run"]
    assert dry_run.command.exit_code == 0, dry_run.command.output
    (line,) = [line for line in dry_run.command.output.splitlines() if "would run" in line]
    assert "gcloud functions deploy" in line
    assert "PHOTO_BUCKETS=photos" in line
    assert changes(dry_run.requests) == []


def test_the_status_shows_the_trigger_and_the_dead_letter_subscription(rehearsal: Rehearsal) -> None:
    output = rehearsal.steps["status"].command.output
    assert "Photos in gs://photos get masks in gs://masks" in output
    assert f"trigger     {UNIQUE_NAME} in europe-west1, which calls the function as {EVENTS}" in output
    assert f"gcloud pubsub subscriptions pull {UNIQUE_NAME}-dead-letters" in output


def test_a_deletion_removes_the_trigger_the_topic_and_the_account_but_not_the_buckets(rehearsal: Rehearsal) -> None:
    project = rehearsal.cloud.project
    assert rehearsal.deletion.exit_code == 0, rehearsal.deletion.output
    assert (project.triggers, project.pubsub, project.accounts) == ({}, {}, {})
    assert roles({"bindings": project.bindings}) == {(STORAGE, "roles/pubsub.publisher")}
    assert {"photos", "masks"} <= project.buckets.keys()
    assert "Could not delete" not in rehearsal.deletion.output


@pytest.mark.parametrize(
    ("options", "message", "next_step"),
    [
        (("--photos=gs://photos",), "--photos and --masks must be used together", "--photos gs://IN --masks gs://OUT"),
        (("--masks=gs://masks",), "--photos and --masks must be used together", "--photos gs://IN --masks gs://OUT"),
        (
            ("--photos=gs://photos", "--masks=gs://photos/"),
            "masks would be processed as photos",
            "--masks with another bucket",
        ),
        (("--photos=gs://photos/new", "--masks=gs://masks"), "gs://photos/new is not a bucket", "gs://BUCKET"),
        (("--photos=photos", "--masks=gs://masks"), "photos is not a bucket", "gs://BUCKET"),
    ],
)
def test_invalid_bucket_options_are_reported_without_any_request(
    cloud: FakeCloud, options: tuple[str, ...], message: str, next_step: str
) -> None:
    assert_failed(deploy(cloud, *options), message, next_step)
    assert cloud.requests == []


@pytest.mark.parametrize(
    ("timeout", "message"), [("601", "may be processed twice at once"), ("10m", "not a number of seconds")]
)
def test_a_timeout_after_which_a_photo_is_delivered_again_is_refused(
    cloud: FakeCloud, timeout: str, message: str
) -> None:
    assert_failed(deploy(cloud, *BUCKETS, "--timeout", timeout), message, "use --timeout")


def test_a_timeout_of_ten_minutes_is_accepted_with_a_bucket(cloud: FakeCloud) -> None:
    assert "--timeout" not in deploy(cloud, *BUCKETS, "--timeout", "600s", "--dry-run").output.split("would run")[0]


def test_missing_buckets_and_apis_are_reported_before_anything_is_changed(cloud: FakeCloud) -> None:
    result = deploy(cloud, *BUCKETS)
    assert_failed(
        result,
        "not enabled in my-project: eventarc.googleapis.com pubsub.googleapis.com",
        "gcloud services enable",
    )
    assert_failed(result, "cannot access the bucket gs://photos", "gcloud storage buckets create gs://photos")
    assert_failed(result, "cannot access the bucket gs://masks", "gcloud storage buckets create gs://masks")
    assert result.output.count("deploy.sh: ") == 3


def test_a_bucket_that_no_trigger_can_use_is_reported_before_anything_is_changed(cloud: FakeCloud) -> None:
    cloud.project.apis |= {"eventarc.googleapis.com", "pubsub.googleapis.com"}
    cloud.project.missing_permissions.add("eventarc.triggers.create")
    cloud.create_bucket("photos", "US-EAST1")
    cloud.create_bucket("masks", "US-EAST1")
    cloud.project.bucket_owners["photos"] = "1"
    cloud.project.triggers[TRIGGER] = {
        "name": TRIGGER,
        "eventFilters": [{"attribute": "bucket", "value": "other"}],
        "destination": {"cloudRun": {"service": "silhouette", "region": "europe-west1"}},
    }
    result = deploy(cloud, *BUCKETS)
    assert_failed(result, "gs://photos belongs to another project", "a bucket of my-project")
    assert_failed(result, "gs://photos is in us-east1, but the function is in europe-west1", "--region")
    assert_failed(result, f"the trigger {UNIQUE_NAME} is for gs://other", "eventarc triggers delete silhouette-")
    assert_failed(result, "you lack these roles in my-project: roles/eventarc.admin", "add-iam-policy-binding")
    assert result.output.count("deploy.sh: ") == 4
