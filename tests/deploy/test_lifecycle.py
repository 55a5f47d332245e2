"""deploy.sh from the first deployment to the deletion, with the real gcloud and a fake Google Cloud."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import httpx
import pytest

from model.tflite.bundled import BUNDLED_MODEL
from tests.support.fake_gcp.cloud import FakeCloud
from tests.support.fake_gcp.commands import SILHOUETTE, CommandResult, assert_failed, deploy, segment
from tests.support.fake_gcp.marks import requires_gcloud
from tests.support.fake_gcp.rehearse import FUNCTION_IMAGES, Rehearsal, StepResult, local_mask
from tests.support.fake_gcp.resources import APIS
from tests.support.paths import ROOT

pytestmark = requires_gcloud
ACCOUNT = "silhouette-9eee0de5-runtime@my-project.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def cloud(rehearsal: Rehearsal) -> FakeCloud:
    """The cloud after the deletion."""
    return rehearsal.cloud


@pytest.fixture(scope="module")
def steps(rehearsal: Rehearsal) -> dict[str, StepResult]:
    """The results of the steps before the deletion, by name."""
    return rehearsal.steps


@pytest.fixture(scope="module")
def first(steps: dict[str, StepResult]) -> StepResult:
    """The first deployment."""
    return steps["first deployment"]


@pytest.fixture(scope="module")
def update(steps: dict[str, StepResult]) -> StepResult:
    """The second deployment, with another model and a second CPU."""
    return steps["update"]


@pytest.fixture(scope="module")
def deletion(rehearsal: Rehearsal) -> CommandResult:
    """The deletion."""
    return rehearsal.deletion


def test_the_first_deployment_creates_everything_and_prints_the_next_commands(
    cloud: FakeCloud, first: StepResult
) -> None:
    output = first.command.output
    assert first.command.exit_code == 0, output
    assert cloud.project.apis >= APIS
    assert first.function["serviceConfig"]["serviceAccountEmail"] == ACCOUNT
    assert f"Deployed and tested: {first.function['url']}" in output
    assert "Cost of a month in europe-west1, at Cloud Run's tier 1 prices as of 20" in output
    assert "--status" in output
    assert "--delete" in output
    assert "--rollback" not in output
    assert "0 photos  $0.00" in output
    assert "1000000 photos  $1.20" in output


def test_the_deployed_function_returns_the_same_mask_as_the_local_command(
    steps: dict[str, StepResult], tmp_path: Path
) -> None:
    assert {step.mask for step in steps.values()} == {local_mask(tmp_path)}


def test_threads_equal_the_concurrency_and_interpreters_the_cpus(first: StepResult, update: StepResult) -> None:
    config, updated_config = (step.function["serviceConfig"] for step in (first, update))
    assert config["environmentVariables"] == {"THREADS": "8", "INTERPRETERS": "1", "GOOGLE_CLOUD_PROJECT": "my-project"}
    assert config["maxInstanceRequestConcurrency"] == 8
    assert updated_config["environmentVariables"]["INTERPRETERS"] == "2"
    assert updated_config["availableCpu"] == "2"


def test_only_callers_with_a_token_are_admitted_unless_the_function_is_public(steps: dict[str, StepResult]) -> None:
    assert [step.anonymous_status for step in steps.values()] == [403, 403, 403, 403, 200, 200, 200]


def test_an_update_creates_a_revision_and_keeps_the_settings_that_are_omitted(
    first: StepResult, update: StepResult
) -> None:
    assert update.serving != first.serving
    config = update.function["serviceConfig"]
    assert config["environmentVariables"]["MODEL_URI"] == "model/weights/mine.tflite"
    assert config["availableMemory"] == first.function["serviceConfig"]["availableMemory"]
    assert config["serviceAccountEmail"] == ACCOUNT
    assert "--rollback" in update.command.output


def test_the_command_that_deletes_old_images_is_printed_until_they_have_a_cleanup_policy(
    first: StepResult, steps: dict[str, StepResult]
) -> None:
    command = next(line for line in first.command.output.splitlines() if "set-cleanup-policies" in line)
    with FakeCloud() as cloud:
        cloud.project.repositories[FUNCTION_IMAGES] = {}
        subprocess.run(shlex.split(command), cwd=ROOT, env=cloud.environment(), check=True, capture_output=True)
        policies = cloud.project.repositories[FUNCTION_IMAGES]["cleanupPolicies"]
    assert [policy["action"] for policy in policies.values()] == ["Delete", "Keep"]
    assert "set-cleanup-policies" not in steps["redeployment"].command.output


def test_the_previous_revision_keeps_serving_after_a_failed_build(steps: dict[str, StepResult]) -> None:
    failed = steps["failed build"]
    assert_failed(failed.command, "no matching distribution", "the build log")
    assert f"{steps['update'].serving} is still serving" in failed.command.output
    assert failed.serving == steps["update"].serving


def test_a_rollback_sends_traffic_to_the_previous_revision(first: StepResult, steps: dict[str, StepResult]) -> None:
    rollback = steps["rollback"]
    assert rollback.command.exit_code == 0, rollback.command.output
    assert rollback.serving == first.serving
    assert f"{first.serving} is serving again" in rollback.command.output


def test_a_deployment_after_a_rollback_serves(steps: dict[str, StepResult]) -> None:
    redeployment = steps["redeployment"]
    assert redeployment.command.exit_code == 0, redeployment.command.output
    revision = redeployment.function["serviceConfig"]["revision"]
    assert redeployment.serving == revision != steps["rollback"].serving
    assert "MODEL_URI" not in redeployment.function["serviceConfig"]["environmentVariables"]


def test_the_status_shows_the_address_and_the_serving_revision(steps: dict[str, StepResult]) -> None:
    status = steps["status"]
    assert status.function["url"] in status.command.output
    assert f"serving     {status.serving}" in status.command.output
    assert "2 CPU, 1Gi" in status.command.output


def test_a_deletion_removes_the_function_and_its_account(
    cloud: FakeCloud, steps: dict[str, StepResult], deletion: CommandResult
) -> None:
    assert deletion.exit_code == 0, deletion.output
    assert cloud.project.functions == {}
    assert ACCOUNT not in cloud.project.accounts
    with pytest.raises(httpx.ConnectError):
        httpx.get(steps["redeployment"].function["url"])


@pytest.mark.usefixtures("deletion")
def test_no_request_tries_to_leave_this_machine(cloud: FakeCloud) -> None:
    assert cloud.refused_connections == []
    assert cloud.unexpected == []


def test_only_the_functions_own_account_may_read_the_bucket_of_the_model(tmp_path: Path) -> None:
    with FakeCloud() as cloud:
        cloud.put_object("gs://models/pets.tflite", BUNDLED_MODEL.read_bytes(), generation="7")
        result = deploy(cloud, "--model", "gs://models/pets.tflite#7")
        assert result.exit_code == 0, result.output
        bindings = cloud.project.buckets["models"]["bindings"]
        assert bindings == [{"role": "roles/storage.objectViewer", "members": [f"serviceAccount:{ACCOUNT}"]}]
        assert segment(cloud, SILHOUETTE, tmp_path / "mask.png") == local_mask(tmp_path)
