"""deploy.sh --service run: a Cloud Run service that is built from source, and candidates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.fake_gcp.cloud import FakeCloud
from tests.support.fake_gcp.commands import SILHOUETTE, CommandResult, assert_failed, copy_tree, deploy
from tests.support.fake_gcp.faults import denied
from tests.support.fake_gcp.instance import Instance
from tests.support.fake_gcp.marks import requires_gcloud
from tests.support.fake_gcp.rehearse import local_mask
from tests.support.fake_gcp.rehearse_run import ServiceStep, rehearse_service
from tests.support.fake_gcp.resources import FUNCTION_LABELS, Revision, Service

pytestmark = requires_gcloud
RUN = ("--service", "run")


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeCloud]:
    """A cloud with the Cloud Run service that the steps deploy and delete."""
    with FakeCloud() as cloud:
        yield cloud
        assert cloud.refused_connections == []
        assert cloud.unexpected == []


@pytest.fixture(scope="module")
def steps(cloud: FakeCloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ServiceStep]:
    """The results of the steps of the rehearsal."""
    folder = tmp_path_factory.mktemp("rehearsal")
    return rehearse_service(cloud, folder, lambda title, *options: deploy(cloud, *options))


@pytest.fixture(scope="module")
def deployed() -> Iterator[FakeCloud]:
    """A project with a Cloud Run service, deployed once for the tests that must leave it serving."""
    with FakeCloud() as cloud:
        assert_succeeded(deploy(cloud, *RUN))
        yield cloud
        assert cloud.refused_connections == []
        assert cloud.unexpected == []


@pytest.fixture
def service(deployed: FakeCloud) -> Iterator[Service]:
    """The deployed service, of which the same revision must be serving after the test; faults are removed then."""
    service = deployed.project.services[SILHOUETTE]
    before = service.serving
    yield service
    deployed.faults.clear()
    deployed.new_revisions_broken, deployed.build_error = False, ""
    assert service.serving is before


@pytest.fixture
def empty() -> Iterator[FakeCloud]:
    """A project in which the test must deploy nothing."""
    with FakeCloud() as cloud:
        yield cloud
        assert not any(" POST /v2/" in request or " DELETE " in request for request in cloud.requests)
        assert cloud.unexpected == []


def assert_succeeded(result: CommandResult) -> None:
    """Assert that deploy.sh succeeded."""
    assert result.exit_code == 0, result.output


def shares(step: ServiceStep) -> dict[str, int]:
    """Return the percentages of the revisions with traffic."""
    return {target["revisionName"]: target["percent"] for target in step.traffic if target.get("percent")}


def tags(step: ServiceStep) -> dict[str, str]:
    """Return the revisions with traffic tags, by tag."""
    return {target["tag"]: target["revisionName"] for target in step.traffic if "tag" in target}


def test_a_service_is_deployed_from_source_with_a_cpu_boost_and_without_cloud_functions(
    cloud: FakeCloud, steps: dict[str, ServiceStep]
) -> None:
    step = steps["deployment"]
    assert_succeeded(step.command)
    assert "Deployed and tested: " in step.command.output
    assert "--service run --delete" in step.command.output
    assert "cloudfunctions.googleapis.com" not in cloud.project.apis
    assert step.annotations["run.googleapis.com/build-function-target"] == "run"
    assert step.annotations["run.googleapis.com/startup-cpu-boost"].lower() == "true"
    assert step.config["serviceAccountEmail"].startswith("silhouette-")
    assert step.config["environmentVariables"]["THREADS"] == str(step.config["maxInstanceRequestConcurrency"]) == "8"


def test_the_service_returns_the_same_mask_as_the_local_command_throughout(
    steps: dict[str, ServiceStep], tmp_path: Path
) -> None:
    assert {step.mask for step in steps.values()} == {local_mask(tmp_path)}


def test_a_candidate_whose_masks_differ_is_not_promoted(steps: dict[str, ServiceStep]) -> None:
    step = steps["different candidate"]
    assert_failed(step.command, "agree less than 0.99", "lower --min-agreement")
    assert "is still serving" in step.command.output
    assert step.serving == steps["deployment"].serving
    assert shares(step) == {step.serving: 100}
    assert tags(step) == {"rejected": step.revisions[-1]}


def test_a_candidate_gets_no_requests_until_it_is_promoted(steps: dict[str, ServiceStep]) -> None:
    step = steps["candidate"]
    assert_succeeded(step.command)
    assert "mean IoU 1.0000 over 2 photo(s)" in step.command.output
    assert "--promote 10" in step.command.output
    assert step.command.output.count("http://127.0.0.1:") >= 4
    assert shares(step) == {steps["deployment"].serving: 100}
    assert tags(step) == {"candidate": step.revisions[-1]}


def test_a_rejected_revision_is_deleted_by_the_next_deployment(steps: dict[str, ServiceStep]) -> None:
    rejected = steps["different candidate"].revisions[-1]
    assert rejected not in steps["candidate"].revisions
    assert len(steps["candidate"].revisions) == 2


def test_requests_move_to_the_candidate_in_steps_and_back(steps: dict[str, ServiceStep]) -> None:
    old, new = steps["candidate"].revisions
    assert shares(steps["tenth"]) == {old: 90, new: 10}
    assert shares(steps["promotion"]) == {new: 100}
    assert tags(steps["promotion"]) == {}
    assert "--rollback" in steps["promotion"].command.output
    assert shares(steps["rollback"]) == {old: 100}
    assert f"{old} is serving again" in steps["rollback"].command.output


def test_a_deletion_removes_the_service_and_its_account(cloud: FakeCloud, steps: dict[str, ServiceStep]) -> None:
    assert steps
    assert cloud.project.services == {}
    assert cloud.project.accounts == {}


def test_a_revision_that_returns_no_mask_never_serves(deployed: FakeCloud, service: Service) -> None:
    deployed.new_revisions_broken = True
    result = deploy(deployed, *RUN)
    assert_failed(result, "returns no mask", "gcloud run services logs read silhouette")
    assert "is still serving" in result.output
    assert_failed(deploy(deployed, *RUN, "--promote"), "silhouette has no candidate", "--candidate")
    assert_failed(deploy(deployed, *RUN, "--rollback"), "no revision before", "--status")
    status = deploy(deployed, *RUN, "--status")
    assert f"rejected    {service.revisions[-1].name}" in status.output


def test_a_failed_build_leaves_the_previous_revision_serving(deployed: FakeCloud, service: Service) -> None:
    deployed.build_error = "no matching distribution found for flask==0"
    result = deploy(deployed, *RUN)
    assert_failed(result, "no matching distribution", "the build log")
    assert "is still serving" in result.output


def test_a_revision_that_does_not_start_leaves_the_previous_one_serving(
    deployed: FakeCloud, service: Service, tmp_path: Path
) -> None:
    tree = copy_tree(tmp_path)
    with (tree / "main.py").open("a") as main:
        main.write("\nraise SystemExit('cannot start')\n")
    result = deploy(deployed, *RUN, root=tree)
    assert_failed(result, "failed to start", "gcloud run services logs read silhouette")
    assert "is still serving" in result.output
    assert_failed(deploy(deployed, *RUN, "--promote"), "did not start", "gcloud run services logs read silhouette")


def test_a_service_is_public_although_the_organization_restricts_who_may_be_granted_access(
    deployed: FakeCloud,
) -> None:
    service, url = deployed.project.services[SILHOUETTE], deployed.ingresses[SILHOUETTE].url
    assert httpx.get(url).status_code == 403
    deployed.faults.append(denied("run", ":setIamPolicy", "run.services.setIamPolicy"))
    assert_succeeded(deploy(deployed, *RUN, "--public"))
    deployed.faults.clear()
    assert service.is_public()
    assert httpx.get(url).status_code == 200
    assert_succeeded(deploy(deployed, *RUN))
    assert httpx.get(url).status_code == 403


def test_a_trigger_sends_new_photos_in_the_bucket_to_the_service(deployed: FakeCloud) -> None:
    deployed.project.apis |= {"eventarc.googleapis.com", "pubsub.googleapis.com"}
    deployed.create_bucket("photos")
    deployed.create_bucket("masks")
    buckets = ("--photos", "gs://photos", "--masks", "gs://masks")
    assert_failed(deploy(deployed, *RUN, "--candidate", *buckets), "a candidate cannot change the buckets", "omit")
    assert_succeeded(deploy(deployed, *RUN, *buckets))
    (trigger,) = deployed.project.triggers.values()
    assert trigger["destination"] == {"cloudRun": {"service": "silhouette", "region": "europe-west1"}}
    dry_run = deploy(deployed, *RUN, "--dry-run")
    lines = [line for line in dry_run.output.splitlines() if line.startswith("would run")]
    assert [line.split()[2:6] for line in lines] == [
        ["gcloud", "run", "deploy", "silhouette"],
        ["gcloud", "run", "services", "update-traffic"],
    ]


# The other road has the name


def add_service(cloud: FakeCloud, labels: dict[str, str], folder: Path) -> None:
    """Add a service, as Cloud Functions or somebody else has deployed it, whose instance is not started."""
    instance = Instance(folder / "python", folder, {}, 1, folder / "log")
    revision = Revision("silhouette-00001-abc", folder, {}, instance)
    cloud.project.services[SILHOUETTE] = Service("europe-west1", "silhouette", labels=labels, revisions=[revision])


@pytest.mark.parametrize("action", ["--dry-run", "--yes", "--status", "--rollback", "--promote", "--delete"])
def test_a_function_is_not_touched_by_commands_for_a_service(empty: FakeCloud, tmp_path: Path, action: str) -> None:
    add_service(empty, dict(FUNCTION_LABELS), tmp_path)
    options = ("--delete", "--yes") if action == "--delete" else (action,)
    assert_failed(deploy(empty, *RUN, *options), "silhouette in my-project, europe-west1 is a Cloud Function", "--name")


@pytest.mark.parametrize("action", ["--dry-run", "--yes", "--status", "--rollback", "--delete"])
def test_a_service_is_not_touched_by_commands_for_a_function(empty: FakeCloud, tmp_path: Path, action: str) -> None:
    add_service(empty, {}, tmp_path)
    options = ("--delete", "--yes") if action == "--delete" else (action,)
    result = deploy(empty, *options)
    assert_failed(result, "is a Cloud Run service, not a function", "add --service run, or choose another name")


@pytest.mark.parametrize(
    ("options", "message", "next_step"),
    [
        (("--service", "batch"), "--service batch does not exist", "--service run"),
        (("--candidate",), "a function sends all requests to a new version", "--name silhouette-run --service run"),
        (("--promote", "10"), "a function sends all requests to a new version", "--name silhouette-run --service run"),
        ((*RUN, "--photos-to-compare", "photos"), "are about a candidate", "add --candidate"),
        ((*RUN, "--candidate", "--min-agreement", "0.9"), "requires photos to compare", "--photos-to-compare FOLDER"),
        (
            (*RUN, "--candidate", "--photos-to-compare=.", "--min-agreement=98"),
            "98 is not a number from 0 to 1",
            "--min-agreement 0.95",
        ),
        ((*RUN, "--promote", "101"), "--promote 101 is not a percentage", "--promote 10"),
        ((*RUN, "--promote=0"), "--promote 0 is not a percentage", "--promote 10"),
        ((*RUN, "--candidate", "--public"), "does not change who may call", "omit --public"),
    ],
)
def test_options_that_do_not_fit_are_refused_without_any_request(
    empty: FakeCloud, options: tuple[str, ...], message: str, next_step: str
) -> None:
    assert_failed(deploy(empty, *options), message, next_step)
    assert empty.requests == []


def test_a_candidate_needs_a_revision_that_serves_and_photos_that_exist(empty: FakeCloud) -> None:
    result = deploy(empty, *RUN, "--candidate", "--photos-to-compare", "no-such-folder")
    assert_failed(result, "no revision of silhouette is serving", "without --candidate")
    assert_failed(result, "no-such-folder", "--photos-to-compare FOLDER")
