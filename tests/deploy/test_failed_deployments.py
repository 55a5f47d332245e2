"""A deploy that fails says what, why and what to do next, and what served before serves on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.fake_gcp.cloud import Cloud
from tests.support.fake_gcp.commands import REGION, assert_failed, copy_tree, deploy
from tests.support.fake_gcp.faults import ApiError, Fault, denied, etag_conflict, no_quota, passing_503

pytestmark = [
    pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed"),
    pytest.mark.skipif(sys.version_info[:2] > (3, 13), reason="Cloud Functions has no such Python"),
]


@pytest.fixture(scope="module")
def deployed() -> Iterator[Cloud]:
    """A project with the function, deployed once and open to all, so that a test sees it without a token."""
    with Cloud(region=REGION) as cloud:
        cloud.faults.append(Fault("cloudfunctions", "^POST .*/functions$", unknown_account(), times=1))
        done = deploy(cloud, "--public")
        assert done.code == 0, done.text
        assert "The new service account is not known everywhere yet" in done.text
        yield cloud
        assert cloud.connects == []
        assert cloud.unforeseen == []


def unknown_account() -> ApiError:
    """The answer while a service account is so new that not all of the cloud knows it."""
    return ApiError(400, "Service account silhouette-runtime@my-project.iam.gserviceaccount.com does not exist.")


@pytest.fixture
def cloud(deployed: Cloud) -> Iterator[Cloud]:
    """The same, with whatever a test breaks put right afterwards, and the revision still there that served before."""
    service = deployed.project.services["silhouette"]
    before = service.serving
    yield deployed
    deployed.faults.clear()
    deployed.next_breaks = False
    assert service.serving is before
    assert httpx.get(deployed.fronts["silhouette"].url).status_code == 200


FAULTS = {
    "the upload is not allowed": (
        denied("cloudfunctions", "generateUploadUrl", "cloudfunctions.functions.sourceCodeSet"),
        "sourceCodeSet",
        "roles/cloudfunctions.developer",
    ),
    "the update is not allowed": (
        denied("cloudfunctions", "^PATCH", "cloudfunctions.functions.update"),
        "cloudfunctions.functions.update",
        "roles/cloudfunctions.developer",
    ),
    "there is no quota": (no_quota(), "Quota exceeded", "quotas"),
}


@pytest.mark.parametrize(("fault", "why", "next_step"), FAULTS.values(), ids=FAULTS.keys())
def test_a_refused_deploy_leaves_the_older_revision_serving(
    cloud: Cloud, fault: Fault, why: str, next_step: str
) -> None:
    cloud.faults.append(fault)
    done = deploy(cloud, "--public")
    assert_failed(done, why, next_step)
    assert "serves on, as before" in done.text


def test_too_little_memory_leaves_the_older_revision_serving(cloud: Cloud, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path)
    with (tree / "main.py").open("a") as main:
        main.write("\nBALLAST = b'x' * (300 << 20)\n")
    done = deploy(cloud, "--public", "--memory", "256Mi", root=tree)
    assert_failed(done, "Memory limit", "--memory 2Gi")
    assert "serves on, as before" in done.text


def test_a_revision_that_gives_no_mask_is_rolled_back(cloud: Cloud) -> None:
    cloud.next_breaks = True
    done = deploy(cloud, "--public")
    assert_failed(done, "gives no mask", "gcloud functions logs read")
    assert "serves again" in done.text


def test_access_that_cannot_be_set_is_told_apart_from_a_deploy_that_failed(deployed: Cloud) -> None:
    lacks_right = denied("run", ":setIamPolicy", "run.services.setIamPolicy")
    for fault, why, next_step in (
        (lacks_right, "setIamPolicy", "roles/run.admin"),
        (etag_conflict(), "concurrent", "again"),
    ):
        deployed.faults = [fault]
        done = deploy(deployed)
        assert_failed(done, why, next_step)
        assert "only who may call it could not be set, and is as before" in done.text
    assert deployed.project.services["silhouette"].is_public()
    deployed.faults.clear()


def test_a_503_that_passes_is_waited_out(cloud: Cloud) -> None:
    cloud.faults.append(passing_503("cloudfunctions", "^GET .*/functions/silhouette"))
    done = deploy(cloud, "--status")
    assert done.code == 0, done.text
    assert cloud.faults[0].times == 0
