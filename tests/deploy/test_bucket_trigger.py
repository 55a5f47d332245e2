"""deploy.sh with a bucket of photos: the trigger, its account, the topic of what failed, and who may do what."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fake_gcp.cloud import Cloud
from tests.support.fake_gcp.commands import assert_failed, deploy
from tests.support.fake_gcp.rehearse import Chapter, Rehearsal
from tests.support.fake_gcp.resources import Project

pytestmark = [
    pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed"),
    pytest.mark.skipif(sys.version_info[:2] > (3, 13), reason="Cloud Functions has no such Python"),
]
BUCKETS = ("--photos", "gs://photos", "--masks", "gs://masks")
RUNTIME, EVENTS = (f"silhouette-{who}@my-project.iam.gserviceaccount.com" for who in ("runtime", "events"))
STORAGE, PUBSUB = (
    f"service-123456789012@{who}.iam.gserviceaccount.com" for who in ("gs-project-accounts", "gcp-sa-pubsub")
)
TRIGGER = "projects/my-project/locations/europe-west1/triggers/silhouette"
DEAD_LETTERS = "projects/my-project/topics/silhouette-dead-letters"
READS = ("GET", "POST /token", ":getIamPolicy", ":testIamPermissions")


@pytest.fixture(scope="module")
def made(rehearsal: Rehearsal) -> Chapter:
    """The deploy that names the buckets, of a function that was there without."""
    return rehearsal.story["again"]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A project with nothing deployed, and nothing changed after the test either."""
    with Cloud() as cloud:
        yield cloud
        assert changes(cloud.requests) == []
        assert cloud.connects == []
        assert cloud.unforeseen == []


def changes(requests: list[str]) -> list[str]:
    """List the requests that do more than look."""
    return [each for each in requests if not any(read in each for read in READS)]


def roles(*policies: dict[str, Any]) -> set[tuple[str, str]]:
    """List who has which role."""
    bindings = [binding for policy in policies for binding in policy["bindings"]]
    return {(member.partition(":")[2], each["role"]) for each in bindings for member in each["members"]}


def subscription(project: Project, trigger: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Find the subscription that a trigger brought along, and who may use it."""
    name = trigger["transport"]["pubsub"]["subscription"]
    return project.pubsub[name], project.policies[name]


def test_photos_that_land_in_the_bucket_go_to_the_function(made: Chapter) -> None:
    assert made.done.code == 0, made.done.text
    trigger = made.project.triggers[TRIGGER]
    filters = {each["attribute"]: each["value"] for each in trigger["eventFilters"]}
    assert filters == {"type": "google.cloud.storage.object.v1.finalized", "bucket": "photos"}
    assert trigger["destination"] == {"cloudRun": {"service": "silhouette", "region": "europe-west1"}}
    assert trigger["serviceAccount"].endswith(EVENTS)
    environment = made.function["serviceConfig"]["environmentVariables"]
    assert (environment["PHOTO_BUCKETS"], environment["MASK_BUCKET"]) == ("photos", "masks")
    assert made.function["buildConfig"]["entryPoint"] == "run"
    assert "at most 10 instances" in made.done.text


def test_a_trigger_that_comes_too_early_for_the_cloud_is_tried_again(made: Chapter) -> None:
    assert made.done.text.count("not known everywhere yet; once more") == 1
    assert list(made.project.triggers) == [TRIGGER]


def test_each_account_has_the_least_roles_in_the_smallest_place(made: Chapter) -> None:
    project = made.project
    assert roles({"bindings": project.granted}) == {
        (EVENTS, "roles/eventarc.eventReceiver"),
        (STORAGE, "roles/pubsub.publisher"),
    }
    assert roles(project.buckets["photos"]) == {(RUNTIME, "roles/storage.objectViewer")}
    assert roles(project.buckets["masks"]) == {(RUNTIME, "roles/storage.objectUser")}
    assert roles(made.invokers) == {(EVENTS, "roles/run.invoker"), ("", "roles/run.invoker")}
    assert roles(project.policies[DEAD_LETTERS]) == {(PUBSUB, "roles/pubsub.publisher")}
    _, policy = subscription(project, project.triggers[TRIGGER])
    assert roles(policy) == {(PUBSUB, "roles/pubsub.subscriber")}


def test_what_fails_for_good_is_kept_where_it_can_be_looked_at(made: Chapter) -> None:
    project = made.project
    delivery, _ = subscription(project, project.triggers[TRIGGER])
    assert delivery["deadLetterPolicy"] == {"deadLetterTopic": DEAD_LETTERS, "maxDeliveryAttempts": 100}
    assert delivery["ackDeadlineSeconds"] == made.function["serviceConfig"]["timeoutSeconds"]
    kept = project.pubsub["projects/my-project/subscriptions/silhouette-dead-letters"]
    assert kept["topic"] == DEAD_LETTERS
    assert kept["expirationPolicy"] == {}  # never: a quiet month must not remove it
    assert "gcloud pubsub subscriptions pull silhouette-dead-letters" in made.done.text


def test_the_same_deploy_again_would_make_a_revision_and_nothing_else(rehearsal: Rehearsal) -> None:
    same = rehearsal.story["the same"]
    assert same.done.code == 0, same.done.text
    (line,) = [each for each in same.done.text.splitlines() if "would run" in each]
    assert "gcloud functions deploy" in line
    assert "PHOTO_BUCKETS=photos" in line
    assert changes(same.asked) == []


def test_the_status_shows_the_trigger_and_where_failed_events_are(rehearsal: Rehearsal) -> None:
    text = rehearsal.story["looked at"].done.text
    assert "Photos from gs://photos become masks in gs://masks" in text
    assert f"trigger     silhouette in europe-west1, which calls as {EVENTS}" in text
    assert "gcloud pubsub subscriptions pull silhouette-dead-letters" in text


def test_a_delete_removes_trigger_topic_and_account_and_leaves_the_buckets(rehearsal: Rehearsal) -> None:
    project = rehearsal.cloud.project
    assert rehearsal.deleted.code == 0, rehearsal.deleted.text
    assert (project.triggers, project.pubsub, project.accounts) == ({}, {}, {})
    assert roles({"bindings": project.granted}) == {(STORAGE, "roles/pubsub.publisher")}
    assert {"photos", "masks"} <= project.buckets.keys()
    assert "stays" not in rehearsal.deleted.text


@pytest.mark.parametrize(
    ("options", "why", "next_step"),
    [
        (("--photos=gs://photos",), "--photos and --masks go together", "--photos gs://IN --masks gs://OUT"),
        (("--masks=gs://masks",), "--photos and --masks go together", "--photos gs://IN --masks gs://OUT"),
        (("--photos=gs://photos", "--masks=gs://photos/"), "would be taken for photos", "--masks with another bucket"),
        (("--photos=gs://photos/new", "--masks=gs://masks"), "gs://photos/new is not a whole bucket", "gs://BUCKET"),
        (("--photos=photos", "--masks=gs://masks"), "photos is not a whole bucket", "gs://BUCKET"),
    ],
)
def test_buckets_that_cannot_be_meant_are_said_without_a_look(
    cloud: Cloud, options: tuple[str, ...], why: str, next_step: str
) -> None:
    assert_failed(deploy(cloud, *options), why, next_step)
    assert cloud.requests == []


def test_buckets_and_apis_that_are_missing_are_said_before_anything_is_changed(cloud: Cloud) -> None:
    done = deploy(cloud, *BUCKETS)
    assert_failed(done, "lacks these APIs: eventarc.googleapis.com pubsub.googleapis.com", "gcloud services enable")
    assert_failed(done, "cannot see the bucket gs://photos", "gcloud storage buckets create gs://photos")
    assert_failed(done, "cannot see the bucket gs://masks", "gcloud storage buckets create gs://masks")
    assert done.text.count("deploy.sh: ") == 3


def test_a_bucket_that_no_trigger_here_can_watch_is_said_before_anything_is_changed(cloud: Cloud) -> None:
    cloud.project.apis |= {"eventarc.googleapis.com", "pubsub.googleapis.com"}
    cloud.project.permissions_lacking.add("eventarc.triggers.create")
    cloud.make_bucket("photos", "US-EAST1")
    cloud.make_bucket("masks", "US-EAST1")
    cloud.project.owners["photos"] = "1"
    cloud.project.triggers[TRIGGER] = {
        "name": TRIGGER,
        "eventFilters": [{"attribute": "bucket", "value": "older"}],
        "destination": {"cloudRun": {"service": "silhouette", "region": "europe-west1"}},
    }
    done = deploy(cloud, *BUCKETS)
    assert_failed(done, "gs://photos is another project's", "a bucket of my-project")
    assert_failed(done, "gs://photos is in us-east1, and the function in europe-west1", "--region")
    assert_failed(done, "takes photos from gs://older", "gcloud eventarc triggers delete silhouette")
    assert_failed(done, "you lack roles in my-project: roles/eventarc.admin", "add-iam-policy-binding")
    assert done.text.count("deploy.sh: ") == 4
