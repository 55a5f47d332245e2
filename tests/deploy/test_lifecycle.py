"""deploy.sh on a stand-in for Google Cloud, with the real gcloud: the way from nothing to a mask, and back."""

from __future__ import annotations

import io
import shutil
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.support.fake_gcp.cloud import Cloud
from tests.support.fake_gcp.commands import Done, assert_failed, deploy, segment
from tests.support.fake_gcp.rehearse import BUNDLED, Chapter, Rehearsal, local_mask
from tests.support.fake_gcp.resources import APIS
from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed"),
    pytest.mark.skipif(sys.version_info[:2] > (3, 13), reason="Cloud Functions has no such Python"),
]
ACCOUNT = "silhouette-runtime@my-project.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def cloud(rehearsal: Rehearsal) -> Cloud:
    """What is there when all is over."""
    return rehearsal.cloud


@pytest.fixture(scope="module")
def story(rehearsal: Rehearsal) -> dict[str, Chapter]:
    """What there was on the way."""
    return rehearsal.story


@pytest.fixture(scope="module")
def created(story: dict[str, Chapter]) -> Chapter:
    """The first deploy."""
    return story["created"]


@pytest.fixture(scope="module")
def updated(story: dict[str, Chapter]) -> Chapter:
    """The second, of another model and with another CPU."""
    return story["updated"]


@pytest.fixture(scope="module")
def deleted(rehearsal: Rehearsal) -> Done:
    """The end."""
    return rehearsal.deleted


def test_the_first_deploy_makes_all_it_needs_and_says_how_to_go_on(cloud: Cloud, created: Chapter) -> None:
    assert created.done.code == 0, created.done.text
    assert cloud.project.apis >= APIS
    assert created.function["serviceConfig"]["serviceAccountEmail"] == ACCOUNT
    assert f"It works: {created.function['url']}" in created.done.text
    assert "--status" in created.done.text
    assert "--delete" in created.done.text
    assert "--rollback" not in created.done.text
    assert "0 photos  $0.00" in created.done.text
    assert "1000000 photos  $1.20" in created.done.text


def test_the_mask_of_the_deployed_function_is_the_local_one(story: dict[str, Chapter], tmp_path: Path) -> None:
    assert {chapter.mask for chapter in story.values()} == {local_mask(tmp_path)}


def test_threads_are_the_concurrency_and_interpreters_the_cpus(created: Chapter, updated: Chapter) -> None:
    first, second = (each.function["serviceConfig"] for each in (created, updated))
    assert first["environmentVariables"] == {"THREADS": "8", "INTERPRETERS": "1", "GOOGLE_CLOUD_PROJECT": "my-project"}
    assert first["maxInstanceRequestConcurrency"] == 8
    assert second["environmentVariables"] | {"INTERPRETERS": "2"} == second["environmentVariables"]
    assert second["availableCpu"] == "2"


PACKAGES = [(f"model/{name}", "*.py") for name in ("gcs", "image", "serving", "tflite")]


def test_the_upload_holds_what_runs_and_nothing_else(cloud: Cloud, created: Chapter) -> None:
    source = created.function["buildConfig"]["source"]["storageSource"]["object"]
    with zipfile.ZipFile(io.BytesIO(cloud.project.uploads[source])) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    wanted = {"main.py", "requirements.txt"}
    for folder, pattern in (("model", "*.py"), ("model/weights", "*.tflite"), ("client/web", "*"), *PACKAGES):
        wanted |= {str(file.relative_to(ROOT)) for file in (ROOT / folder).glob(pattern)}
    assert names == wanted


def test_nobody_gets_in_without_a_token_unless_it_is_public(story: dict[str, Chapter]) -> None:
    assert [chapter.stranger for chapter in story.values()] == [403, 403, 403, 403, 200, 200, 200]


def test_another_model_is_another_revision_and_settings_left_out_stay(created: Chapter, updated: Chapter) -> None:
    assert updated.serving != created.serving
    config = updated.function["serviceConfig"]
    assert config["environmentVariables"]["MODEL_URI"] == "model/weights/mine.tflite"
    assert config["availableMemory"] == created.function["serviceConfig"]["availableMemory"]
    assert config["serviceAccountEmail"] == ACCOUNT
    assert "--rollback" in updated.done.text


def test_a_failing_build_leaves_the_older_revision_serving(story: dict[str, Chapter]) -> None:
    assert_failed(story["failed"].done, "no matching distribution", "the build's log")
    assert f"{story['updated'].serving} serves on, as before" in story["failed"].done.text
    assert story["failed"].serving == story["updated"].serving


def test_a_rollback_sends_traffic_to_the_revision_before(created: Chapter, story: dict[str, Chapter]) -> None:
    rolled_back = story["rolled back"]
    assert rolled_back.done.code == 0, rolled_back.done.text
    assert rolled_back.serving == created.serving
    assert f"{created.serving} serves again" in rolled_back.done.text


def test_a_deploy_after_a_rollback_serves(story: dict[str, Chapter]) -> None:
    again = story["again"]
    assert again.done.code == 0, again.done.text
    assert again.serving == again.function["serviceConfig"]["revision"] != story["rolled back"].serving


def test_the_status_names_the_address_and_the_revision_that_serves(story: dict[str, Chapter]) -> None:
    status = story["looked at"]
    assert status.function["url"] in status.done.text
    assert f"serves      {status.serving}" in status.done.text
    assert "2 CPU, 1Gi" in status.done.text


def test_a_delete_removes_the_function_and_its_account(cloud: Cloud, story: dict[str, Chapter], deleted: Done) -> None:
    assert deleted.code == 0, deleted.text
    assert cloud.project.functions == {}
    assert ACCOUNT not in cloud.project.accounts
    with pytest.raises(httpx.ConnectError):
        httpx.get(story["again"].function["url"])


def test_nothing_tried_to_leave_this_machine(cloud: Cloud, deleted: Done) -> None:
    assert cloud.connects == []
    assert cloud.unforeseen == []


def test_a_model_in_a_bucket_is_read_by_the_functions_own_account_alone(tmp_path: Path) -> None:
    with Cloud() as cloud:
        cloud.put("gs://models/pets.tflite", (ROOT / BUNDLED).read_bytes(), generation="7")
        done = deploy(cloud, "--model", "gs://models/pets.tflite#7")
        assert done.code == 0, done.text
        policy = cloud.project.buckets["models"]["bindings"]
        assert policy == [{"role": "roles/storage.objectViewer", "members": [f"serviceAccount:{ACCOUNT}"]}]
        assert segment(cloud, "silhouette", tmp_path / "mask.png") == local_mask(tmp_path)
