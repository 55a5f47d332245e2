"""A failed deployment prints the reason and the next step, and the previous revision keeps serving."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.fake_gcp.cloud import FakeCloud
from tests.support.fake_gcp.commands import SILHOUETTE, assert_failed, copy_tree, deploy
from tests.support.fake_gcp.faults import (
    Fault,
    account_not_propagated,
    denied,
    etag_conflict,
    quota_exceeded,
    transient_503,
)
from tests.support.fake_gcp.marks import requires_gcloud

pytestmark = requires_gcloud
ACCOUNT = "silhouette-9eee0de5-runtime@my-project.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def deployed() -> Iterator[FakeCloud]:
    """A project with a public function, deployed once for all tests of this module."""
    with FakeCloud() as cloud:
        cloud.faults.append(account_not_propagated(ACCOUNT))
        result = deploy(cloud, "--public")
        assert result.exit_code == 0, result.output
        assert "The new service account has not propagated yet" in result.output
        yield cloud
        assert cloud.refused_connections == []
        assert cloud.unexpected == []


@pytest.fixture
def cloud(deployed: FakeCloud) -> Iterator[FakeCloud]:
    """The same project, in which the same revision must be serving after the test; faults are removed then."""
    service = deployed.project.services[SILHOUETTE]
    before = service.serving
    yield deployed
    deployed.faults.clear()
    deployed.new_revisions_broken = False
    assert service.serving is before
    assert httpx.get(deployed.ingresses[SILHOUETTE].url).status_code == 200


FAULTS = {
    "upload denied": (
        denied("cloudfunctions", "generateUploadUrl", "cloudfunctions.functions.sourceCodeSet"),
        "sourceCodeSet",
        "roles/cloudfunctions.developer",
    ),
    "update denied": (
        denied("cloudfunctions", "^PATCH", "cloudfunctions.functions.update"),
        "cloudfunctions.functions.update",
        "roles/cloudfunctions.developer",
    ),
    "quota exceeded": (quota_exceeded(), "Quota exceeded", "quotas"),
}


@pytest.mark.parametrize(("fault", "message", "next_step"), FAULTS.values(), ids=FAULTS.keys())
def test_the_previous_revision_keeps_serving_after_a_refused_deployment(
    cloud: FakeCloud, fault: Fault, message: str, next_step: str
) -> None:
    cloud.faults.append(fault)
    result = deploy(cloud, "--public")
    assert_failed(result, message, next_step)
    assert "is still serving" in result.output


def test_the_previous_revision_keeps_serving_if_the_new_one_lacks_memory(cloud: FakeCloud, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path)
    with (tree / "main.py").open("a") as main:
        main.write("\nBALLAST = b'x' * (300 << 20)\n")
    result = deploy(cloud, "--public", "--memory", "256Mi", root=tree)
    assert_failed(result, "Memory limit", "--memory 2Gi")
    assert "is still serving" in result.output


def test_a_revision_that_returns_no_mask_is_rolled_back(cloud: FakeCloud) -> None:
    cloud.new_revisions_broken = True
    result = deploy(cloud, "--public")
    assert_failed(result, "returns no mask", "gcloud functions logs read")
    assert "is serving again" in result.output


def test_a_failed_change_of_access_is_distinguished_from_a_failed_deployment(deployed: FakeCloud) -> None:
    no_permission = denied("run", ":setIamPolicy", "run.services.setIamPolicy")
    for fault, message, next_step in (
        (no_permission, "setIamPolicy", "roles/run.admin"),
        (etag_conflict(), "concurrent", "again"),
    ):
        deployed.faults = [fault]
        result = deploy(deployed)
        assert_failed(result, message, next_step)
        assert "but who may call it could not be changed" in result.output
    assert deployed.project.services[SILHOUETTE].is_public()
    deployed.faults.clear()


def test_a_transient_503_is_retried(cloud: FakeCloud) -> None:
    cloud.faults.append(transient_503("cloudfunctions", "^GET .*/functions/silhouette"))
    result = deploy(cloud, "--status")
    assert result.exit_code == 0, result.output
    assert cloud.faults[0].remaining == 0
