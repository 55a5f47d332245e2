"""What deploy.sh finds before it deploys anything, and what it says to do about it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_gcp.cloud import Cloud
from tests.support.fake_gcp.commands import PYTHON, ROOT, assert_failed, copy_tree, deploy
from tests.support.fake_gcp.faults import ApiError, Fault, denied

pytestmark = [
    pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed"),
    pytest.mark.skipif(sys.version_info[:2] > (3, 13), reason="Cloud Functions has no such Python"),
]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A project with nothing deployed, and nothing deployed after the test either."""
    with Cloud() as cloud:
        yield cloud
        assert cloud.project.services == {}
        assert cloud.connects == []
        assert cloud.unforeseen == []


def test_all_that_is_missing_is_said_at_once_with_the_next_step_for_each(cloud: Cloud, tmp_path: Path) -> None:
    cloud.project.billing = cloud.project.builder_bound = False
    cloud.project.apis -= {"run.googleapis.com", "cloudbuild.googleapis.com"}
    cloud.project.permissions_lacking |= {"cloudfunctions.functions.create", "iam.serviceAccounts.actAs"}
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
    done = deploy(cloud, *options, root=tree)
    assert_failed(done, "should not: .env", "git checkout .gcloudignore")
    assert_failed(done, "it has no flask==0.1", "make lock")
    assert_failed(done, "no billing account", "/billing/linkedaccount?project=my-project")
    assert_failed(done, "lacks these APIs: run.googleapis.com cloudbuild.googleapis.com", "--yes")
    assert_failed(done, "less than one CPU", "--concurrency 1")
    assert_failed(done, "no service account me@", "gcloud iam service-accounts list")
    assert_failed(done, "roles/cloudfunctions.developer roles/iam.serviceAccountUser", "add-iam-policy-binding")
    assert_failed(done, "the account that builds may not", "--role roles/cloudbuild.builds.builder")
    assert_failed(done, "cannot see the model gs://models/pets.tflite#7", "gcloud storage ls --all-versions")


def test_an_expired_login_is_said(cloud: Cloud) -> None:
    cloud.faults.append(Fault("oauth2", "/token", ApiError(401, "Token has been expired or revoked.")))
    assert_failed(deploy(cloud), "gcloud is not logged in", "gcloud auth login")


def test_a_project_that_is_not_mine_is_said(cloud: Cloud) -> None:
    cloud.faults.append(denied("cloudresourcemanager", "^GET", "resourcemanager.projects.get"))
    assert_failed(deploy(cloud), "there is no project my-project that you may see", "gcloud projects list")


def test_what_may_not_be_seen_is_said_and_only_what_matters_stops_the_deploy(cloud: Cloud) -> None:
    cloud.faults += [denied(api, "", "any") for api in ("cloudbilling", "serviceusage")]
    cloud.faults.append(denied("cloudresourcemanager", "POST", "any"))
    done = deploy(cloud, "--dry-run")
    assert_failed(done, "cannot see which APIs are enabled", "roles/serviceusage.serviceUsageAdmin")
    assert done.text.count("deploy.sh: ") == 1
    assert done.text.count("cannot be seen from here; going on") == 2
    cloud.faults.append(denied("cloudfunctions", "^GET", "cloudfunctions.functions.get"))
    assert_failed(deploy(cloud), "cannot see whether silhouette is deployed", "roles/cloudfunctions.developer")


def test_a_service_account_that_may_not_be_made_is_said(cloud: Cloud) -> None:
    cloud.faults.append(denied("iam", "^POST", "iam.serviceAccounts.create"))
    assert_failed(deploy(cloud), "the service account cannot be made", "roles/iam.serviceAccountCreator")


def test_a_bucket_that_cannot_be_opened_is_said(cloud: Cloud) -> None:
    cloud.put("gs://models/pets.tflite", b"any", generation="7")
    cloud.faults.append(denied("storage", "^PUT", "storage.buckets.setIamPolicy"))
    done = deploy(cloud, "--model", "gs://models/pets.tflite#7")
    assert_failed(done, "cannot be let into gs://models", "roles/storage.admin")


def test_what_the_api_refuses_is_said_in_its_words(cloud: Cloud) -> None:
    done = deploy(cloud, "--memory", "8Gi")
    assert_failed(done, "Invalid value specified for memory: with 1 CPU", "run this again")
    assert "Nothing serves yet" in done.text


def test_a_dry_run_changes_nothing_and_prints_what_would(cloud: Cloud) -> None:
    cloud.put("gs://models/pets.tflite", b"any", generation="7")
    done = deploy(cloud, "--dry-run", "--model", "gs://models/pets.tflite")
    assert done.code == 0, done.text
    for part in (
        "service-accounts create",
        "buckets add-iam-policy-binding",
        "functions deploy",
        "MODEL_URI=gs://models",
    ):
        assert part in done.text
    assert "names no generation" in done.text
    assert cloud.project.accounts == {}
    assert cloud.project.functions == {}


def test_nothing_is_there_to_look_at_or_to_go_back_to_before_the_first_deploy(cloud: Cloud) -> None:
    assert_failed(deploy(cloud, "--status"), "silhouette is not deployed", "./deploy.sh --project my-project")
    assert_failed(deploy(cloud, "--rollback"), "there is no revision before the first", "--status")


def test_nothing_is_deleted_without_a_yes(cloud: Cloud) -> None:
    assert_failed(deploy(cloud, "--delete"), "nothing is deleted", "--yes")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([], "which project?"),
        (["--project"], "--project needs a value"),
        (["--projekt", "p"], "there is no option --projekt"),
        (["--project=p"], "gcloud is not installed"),
    ],
)
def test_a_mistake_in_the_command_is_said_at_once(tmp_path: Path, options: list[str], why: str) -> None:
    for name in ("bash", "cat", "dirname", "mktemp", "rm", "tr"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    command = [str(ROOT / "deploy.sh"), *options]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert why in done.stderr
    assert "next: " in done.stderr


def test_the_help_names_every_option(cloud: Cloud) -> None:
    text = (ROOT / "deploy.sh").read_text()
    helped = deploy(cloud, "--help")
    assert helped.code == 0
    for line in text.splitlines():
        if line.startswith(("OPTIONS", "SWITCHES")):
            for option in line.split('"')[1].split():
                assert f"--{option.replace('_', '-')} " in helped.text, option


def test_an_option_can_come_from_the_environment(cloud: Cloud) -> None:
    done = deploy(cloud, SILHOUETTE_DELETE="yes", SILHOUETTE_NAME="other-name")
    assert "nothing is deleted" in done.text
    assert PYTHON in ("311", "312", "313")
