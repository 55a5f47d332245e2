"""The service accounts of a deployment: who may act as them, and whether the one that builds can build."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fake_gcp.cloud import FakeCloud
from tests.support.fake_gcp.commands import SILHOUETTE, assert_failed, deploy
from tests.support.fake_gcp.faults import denied
from tests.support.fake_gcp.marks import requires_gcloud
from tests.support.fake_gcp.resources import BUILDER_ROLE, Json

pytestmark = requires_gcloud
COMPUTE = "123456789012-compute@developer.gserviceaccount.com"
LEGACY = "123456789012@cloudbuild.gserviceaccount.com"
RUNTIME, EVENTS, BUILD = (
    f"{name}@my-project.iam.gserviceaccount.com" for name in ("mine", "silhouette-9eee0de5-events", "build")
)
MINIMAL = ("roles/logging.logWriter", "roles/artifactregistry.writer", "roles/storage.objectViewer")
ACT_AS = "iam.serviceAccounts.actAs"


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """A project with nothing deployed, whose build account has no role."""
    with FakeCloud() as cloud:
        cloud.project.builder_bound = False
        yield cloud
        assert cloud.refused_connections == []
        assert cloud.unexpected == []


def bindings(member: str, *roles: str) -> list[Json]:
    """Return the bindings that grant roles to a member."""
    return [{"role": role, "members": [member]} for role in roles]


def create_account(cloud: FakeCloud, email: str) -> None:
    """Create a service account."""
    cloud.project.accounts[email] = {"name": f"projects/my-project/serviceAccounts/{email}", "email": email}


def test_the_api_is_asked_which_account_builds(cloud: FakeCloud) -> None:
    cloud.project.builder, cloud.project.builder_bound = LEGACY, True
    result = deploy(cloud, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "build's service account" not in result.output
    cloud.project.bindings, cloud.project.builder_bound = bindings(f"serviceAccount:{COMPUTE}", BUILDER_ROLE), False
    assert_failed(deploy(cloud, "--dry-run"), f"lacks the role to build: {LEGACY}", f"serviceAccount:{LEGACY} --role")


@pytest.mark.parametrize("roles", [MINIMAL, ("roles/run.builder",)])
def test_a_build_account_with_the_roles_that_a_build_needs_is_accepted(
    cloud: FakeCloud, roles: tuple[str, ...]
) -> None:
    cloud.project.bindings = bindings(f"serviceAccount:{COMPUTE}", *roles)
    result = deploy(cloud, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "build's service account" not in result.output


def test_a_role_that_the_build_account_inherits_from_the_organization_is_accepted(cloud: FakeCloud) -> None:
    cloud.project.organization = bindings(f"serviceAccount:{COMPUTE}", "roles/editor")
    result = deploy(cloud, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "build's service account" not in result.output


@pytest.mark.parametrize(
    "granted",
    [
        bindings(f"serviceAccount:{COMPUTE}", *MINIMAL[:2]),
        bindings(f"serviceAccount:{COMPUTE}", "projects/my-project/roles/builder"),
        bindings("group:builders@example.com", BUILDER_ROLE),
    ],
    ids=["two of three roles", "custom role", "group"],
)
def test_a_build_account_that_perhaps_can_build_causes_only_a_warning(cloud: FakeCloud, granted: list[Json]) -> None:
    cloud.project.bindings = granted
    result = deploy(cloud, "--dry-run")
    assert result.exit_code == 0, result.output
    assert f"{COMPUTE} may lack roles/" in result.output
    assert f"add-iam-policy-binding my-project --member serviceAccount:{COMPUTE}" in result.output


def test_policies_that_cannot_be_read_cause_only_a_warning(cloud: FakeCloud) -> None:
    cloud.project.organization = []
    cloud.faults.append(denied("cloudresourcemanager", "organizations/1:getIamPolicy", "any"))
    result = deploy(cloud, "--dry-run")
    assert result.exit_code == 0, result.output
    assert f"{COMPUTE} may lack {' '.join(MINIMAL)}; continuing" in result.output
    cloud.faults.append(denied("cloudresourcemanager", "projects/my-project:getIamPolicy", "any"))
    result = deploy(cloud, "--dry-run")
    assert result.exit_code == 0, result.output
    assert f"Cannot check whether {COMPUTE} can build; continuing." in result.output


def test_a_build_that_fails_for_lack_of_a_role_names_the_command_that_grants_it(cloud: FakeCloud) -> None:
    cloud.project.bindings = bindings(f"serviceAccount:{COMPUTE}", "projects/my-project/roles/builder")
    cloud.build_error = "Could not build the function due to a missing permission on the build service account."
    result = deploy(cloud)
    assert_failed(result, "missing permission", f"--member serviceAccount:{COMPUTE} --role {BUILDER_ROLE}")


def test_a_user_with_the_role_on_the_accounts_alone_may_deploy(cloud: FakeCloud) -> None:
    cloud.project.missing_permissions |= {ACT_AS, "iam.serviceAccounts.create"}
    cloud.project.acts_as = {RUNTIME, BUILD}
    create_account(cloud, RUNTIME)
    create_account(cloud, BUILD)
    cloud.project.bindings = bindings(f"serviceAccount:{BUILD}", *MINIMAL)
    options = ("--service-account", RUNTIME, "--build-service-account", BUILD)
    result = deploy(cloud, *options)
    assert result.exit_code == 0, result.output
    function = cloud.project.functions[SILHOUETTE]
    assert function["serviceConfig"]["serviceAccountEmail"] == RUNTIME
    assert function["buildConfig"]["serviceAccount"] == f"projects/my-project/serviceAccounts/{BUILD}"


def test_an_account_as_which_the_user_may_not_act_is_named(cloud: FakeCloud) -> None:
    cloud.project.builder_bound = True
    cloud.project.apis |= {"eventarc.googleapis.com", "pubsub.googleapis.com"}
    cloud.project.missing_permissions.add(ACT_AS)
    cloud.project.acts_as = {RUNTIME}
    cloud.create_bucket("photos")
    cloud.create_bucket("masks")
    for email in (RUNTIME, BUILD, EVENTS):
        create_account(cloud, email)
    options = ("--service-account", RUNTIME, "--build-service-account", BUILD)
    result = deploy(cloud, *options, "--photos", "gs://photos", "--masks", "gs://masks")
    for email in (BUILD, EVENTS):
        next_step = f"gcloud iam service-accounts add-iam-policy-binding {email}"
        assert_failed(result, f"you lack roles/iam.serviceAccountUser on the service account {email}", next_step)
    assert f"account {RUNTIME}" not in result.output
    assert "you lack these roles" not in result.output


def test_an_account_that_does_not_exist_yet_requires_the_role_in_the_project(cloud: FakeCloud) -> None:
    cloud.project.builder_bound = True
    cloud.project.missing_permissions.add(ACT_AS)
    result = deploy(cloud)
    assert_failed(result, "you lack these roles in my-project: roles/iam.serviceAccountUser", "add-iam-policy-binding")
