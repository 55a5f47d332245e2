"""The prerequisites that deploy.sh checks, and the mistakes that it reports before it changes anything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.fake_gcp.cloud import FakeCloud
from tests.support.fake_gcp.commands import PYTHON, SILHOUETTE, assert_failed, copy_tree, deploy
from tests.support.fake_gcp.errors import ApiError
from tests.support.fake_gcp.faults import Fault, denied
from tests.support.fake_gcp.marks import requires_gcloud
from tests.support.paths import ROOT

pytestmark = requires_gcloud


def test_every_missing_prerequisite_is_listed_with_its_next_step(cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.project.billing = cloud.project.builder_bound = False
    cloud.project.apis -= {"run.googleapis.com", "cloudbuild.googleapis.com"}
    cloud.project.missing_permissions |= {"cloudfunctions.functions.create", "iam.serviceAccounts.actAs"}
    tree = copy_tree(tmp_path)
    (tree / ".env").write_text("PASSWORD=1")
    with (tree / ".gcloudignore").open("a") as allowed, (tree / "requirements.in").open("a") as requirements:
        allowed.write("!.env\n")
        requirements.write("Flask==0.1  # new\n")
    options = (
        "--cpu=0.5",
        "--model=gs://models/pets.tflite#7",
        "--service-account=me@my-project.iam",
    )
    result = deploy(cloud, *options, root=tree)
    assert_failed(result, "must not be: .env", "git checkout .gcloudignore")
    assert_failed(result, "it lacks flask==0.1", "make lock")
    assert_failed(result, "no billing account", "/billing/linkedaccount?project=my-project")
    assert_failed(result, "not enabled in my-project: run.googleapis.com cloudbuild.googleapis.com", "--yes")
    assert_failed(result, "less than one CPU", "--concurrency 1")
    assert_failed(result, "cannot find the service account me@", "gcloud iam service-accounts list")
    assert_failed(result, "roles/cloudfunctions.developer roles/iam.serviceAccountUser", "add-iam-policy-binding")
    assert_failed(result, "service account lacks the role to build", "--role roles/cloudbuild.builds.builder")
    assert_failed(result, "cannot read the model gs://models/pets.tflite#7", "gcloud storage ls --all-versions")


def test_an_expired_login_is_reported(cloud: FakeCloud) -> None:
    cloud.faults.append(Fault("oauth2", "/token", ApiError(401, "Token has been expired or revoked.")))
    assert_failed(deploy(cloud), "gcloud is not logged in", "gcloud auth login")


def test_an_inaccessible_project_is_reported(cloud: FakeCloud) -> None:
    cloud.faults.append(denied("cloudresourcemanager", "^GET", "resourcemanager.projects.get"))
    assert_failed(deploy(cloud), "cannot access the project my-project", "gcloud projects list")


def test_a_check_that_is_denied_stops_the_deployment_only_if_it_is_required(cloud: FakeCloud) -> None:
    cloud.faults += [denied(api, "", "any") for api in ("cloudbilling", "serviceusage")]
    cloud.faults.append(denied("cloudresourcemanager", "POST", "any"))
    result = deploy(cloud, "--dry-run")
    assert_failed(result, "cannot list the enabled APIs", "roles/serviceusage.serviceUsageAdmin")
    assert result.output.count("deploy.sh: ") == 1
    assert result.output.count("; continuing.") == 3
    cloud.faults.append(denied("cloudfunctions", "^GET", "cloudfunctions.functions.get"))
    assert_failed(deploy(cloud), "cannot check whether silhouette is deployed", "roles/cloudfunctions.developer")


def test_a_service_account_that_cannot_be_created_is_reported(cloud: FakeCloud) -> None:
    cloud.faults.append(denied("iam", "^POST", "iam.serviceAccounts.create"))
    assert_failed(deploy(cloud), "cannot create the service account", "roles/iam.serviceAccountCreator")


def test_a_bucket_whose_access_cannot_be_granted_is_reported(cloud: FakeCloud) -> None:
    cloud.put_object("gs://models/pets.tflite", b"any", generation="7")
    cloud.faults.append(denied("storage", "^PUT", "storage.buckets.setIamPolicy"))
    result = deploy(cloud, "--model", "gs://models/pets.tflite#7")
    assert_failed(result, "access to gs://models", "roles/storage.admin")


def test_the_reason_why_the_api_refuses_a_deployment_is_printed(cloud: FakeCloud) -> None:
    result = deploy(cloud, "--memory", "8Gi")
    assert_failed(result, "Invalid value specified for memory: with 1 CPU", "run this again")
    assert "No revision is serving" in result.output


def test_a_dry_run_prints_the_commands_that_change_something_and_runs_none(cloud: FakeCloud) -> None:
    cloud.put_object("gs://models/pets.tflite", b"any", generation="7")
    result = deploy(cloud, "--dry-run", "--model", "gs://models/pets.tflite")
    assert result.exit_code == 0, result.output
    for text in (
        "service-accounts create",
        "buckets add-iam-policy-binding",
        "functions deploy",
        "MODEL_URI=gs://models",
    ):
        assert text in result.output
    assert "names no generation" in result.output
    assert cloud.project.accounts == {}
    assert cloud.project.functions == {}


@pytest.mark.parametrize(
    ("deployed", "option", "runtime"),
    [
        ("", "", "python313"),
        ("python311", "", "python311"),
        ("python311", "314", "python314"),
        ("", "311", "python311"),
    ],
)
def test_a_first_deployment_runs_on_python_3_13_and_later_ones_keep_their_version(
    cloud: FakeCloud, deployed: str, option: str, runtime: str
) -> None:
    if deployed:
        build = {"runtime": deployed, "entryPoint": "run"}
        cloud.project.functions[SILHOUETTE] = {"state": "ACTIVE", "buildConfig": build, "serviceConfig": {}}
    result = deploy(cloud, "--dry-run", SILHOUETTE_PYTHON=option)
    assert result.exit_code == 0, result.output
    assert f"--runtime {runtime} " in result.output
    assert ("stays on Python 3.11, which is deprecated from 2027-10-24" in result.output) == (
        deployed == runtime == "python311"
    )


@pytest.mark.parametrize(
    ("deployed", "option", "removed"),
    [
        ("model/weights/pets.tflite", [], True),  # as deployed by version 0.1.0
        ("gs://models/mine.tflite#7", ["--model", "bundled"], True),
        ("", [], False),
    ],
)
def test_the_bundled_model_replaces_the_deployed_one_without_a_uri_of_its_own(
    cloud: FakeCloud, deployed: str, option: list[str], removed: bool
) -> None:
    variables = {"MODEL_URI": deployed} if deployed else {}
    cloud.project.functions[SILHOUETTE] = {
        "state": "ACTIVE",
        "buildConfig": {"runtime": f"python{PYTHON}", "entryPoint": "run"},
        "serviceConfig": {"environmentVariables": variables},
    }
    result = deploy(cloud, "--dry-run", *option)
    assert result.exit_code == 0, result.output
    assert "MODEL_URI=" not in result.output
    assert ("--remove-env-vars MODEL_URI" in result.output) == removed


def test_a_python_version_without_a_runtime_is_reported(cloud: FakeCloud) -> None:
    result = deploy(cloud, "--python", "310")
    assert_failed(result, "--python 310 is not an available runtime", "use --python 311, 312, 313 or 314")


def test_status_and_rollback_need_a_deployed_function(cloud: FakeCloud) -> None:
    assert_failed(deploy(cloud, "--status"), "silhouette is not deployed", "./deploy.sh --project my-project")
    assert_failed(deploy(cloud, "--rollback"), "there is no revision before the first", "--status")


def test_nothing_is_deleted_without_confirmation(cloud: FakeCloud) -> None:
    assert_failed(deploy(cloud, "--delete"), "nothing was deleted", "--yes")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--project is required"),
        (["--project"], "--project requires a value"),
        (["--projekt", "p"], "unknown option --projekt"),
        (["--project=p"], "gcloud is not installed"),
    ],
)
def test_a_mistake_in_the_command_is_reported_at_once(tmp_path: Path, options: list[str], message: str) -> None:
    for name in ("bash", "cat", "cksum", "dirname", "mktemp", "rm", "tr"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    command = [str(ROOT / "deploy.sh"), *options]
    result = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Next step: " in result.stderr


def test_the_help_describes_every_option(cloud: FakeCloud) -> None:
    script = (ROOT / "deploy.sh").read_text()
    result = deploy(cloud, "--help")
    assert result.exit_code == 0
    for line in script.splitlines():
        if line.startswith(("OPTIONS", "SWITCHES")):
            for option in line.split('"')[1].split():
                assert f"--{option.replace('_', '-')} " in result.output, option


def test_options_can_be_set_as_environment_variables(cloud: FakeCloud) -> None:
    result = deploy(cloud, SILHOUETTE_DELETE="yes", SILHOUETTE_NAME="other-name")
    assert "nothing was deleted" in result.output
    assert PYTHON in ("311", "312", "313", "314")
