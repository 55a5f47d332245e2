"""Who can call a deployed function, and from where, in an organization that restricts both."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.fake_gcp.cloud import FakeCloud
from tests.support.fake_gcp.commands import SILHOUETTE, CommandResult, assert_failed, deploy
from tests.support.fake_gcp.faults import Fault, forbidden
from tests.support.fake_gcp.marks import requires_gcloud

pytestmark = requires_gcloud
INGRESS = "Constraint constraints/cloudfunctions.allowedIngressSettings violated: ingress_settings set to ALLOW_ALL."
VPC = "Constraint constraints/cloudfunctions.requireVPCConnector violated: no vpc_connector is set."


@pytest.fixture(scope="module")
def organization() -> Iterator[FakeCloud]:
    """A project of an organization that forbids granting roles to everyone."""
    with FakeCloud() as cloud:
        cloud.project.domain_restricted = True
        yield cloud
        assert cloud.refused_connections == []
        assert cloud.unexpected == []


@pytest.fixture(scope="module")
def public(organization: FakeCloud) -> CommandResult:
    """The first deployment, with --public."""
    return deploy(organization, "--public")


def anonymous_status(cloud: FakeCloud) -> int:
    """Return the HTTP status of a request without a token."""
    return httpx.get(cloud.project.functions[SILHOUETTE]["url"]).status_code


def test_everyone_can_call_a_public_function_where_no_role_may_be_granted_to_everyone(
    organization: FakeCloud, public: CommandResult
) -> None:
    assert public.exit_code == 0, public.output
    assert "the check of the role is disabled" in public.output
    assert "Deployed and tested" in public.output
    assert anonymous_status(organization) == 200


@pytest.mark.usefixtures("public")
def test_an_organization_that_requires_the_check_of_the_role_too_is_named(organization: FakeCloud) -> None:
    text = "The check of the invoker's role must not be disabled."
    organization.faults.append(forbidden("run", "^PUT .*/services/silhouette", text, "run.managed.requireInvokerIam"))
    result = deploy(organization, "--public")
    organization.faults.clear()
    assert_failed(result, text, "deploy without --public, and grant roles/run.invoker")
    assert "but who may call it could not be changed" in result.output


@pytest.mark.usefixtures("public")
def test_a_deployment_without_public_checks_the_role_again(organization: FakeCloud) -> None:
    assert anonymous_status(organization) == 200
    dry_run = deploy(organization, "--dry-run")
    assert "--invoker-iam-check" in dry_run.output
    result = deploy(organization)
    assert result.exit_code == 0, result.output
    assert anonymous_status(organization) == 403


@pytest.mark.usefixtures("public")
def test_an_internal_function_is_deployed_without_a_test_from_this_machine(organization: FakeCloud) -> None:
    result = deploy(organization, "--ingress", "internal")
    assert result.exit_code == 0, result.output
    assert "Deployed, but not tested" in result.output
    function = organization.project.functions[SILHOUETTE]
    assert function["serviceConfig"]["ingressSettings"] == "ALLOW_INTERNAL_ONLY"
    assert anonymous_status(organization) == 404
    assert "--ingress-settings internal-only" in deploy(organization, "--dry-run").output
    rollback = deploy(organization, "--rollback")
    assert rollback.exit_code == 0, rollback.output


def test_an_unknown_ingress_is_reported(cloud: FakeCloud) -> None:
    assert_failed(deploy(cloud, "--ingress", "none"), "--ingress none does not exist", "internal-and-gclb")


def test_policies_that_can_be_read_are_reported_before_anything_is_changed(cloud: FakeCloud) -> None:
    cloud.project.policies = {
        "iam.disableServiceAccountCreation": {"booleanPolicy": {"enforced": True}},
        "cloudfunctions.allowedIngressSettings": {"listPolicy": {"allowedValues": ["ALLOW_INTERNAL_ONLY"]}},
        "run.allowedIngress": {"listPolicy": {"deniedValues": ["is:all"]}},
        "gcp.resourceLocations": {
            "listPolicy": {"allowedValues": ["in:europe-west3-locations", "in:us-east1-locations"]}
        },
    }
    result = deploy(cloud)
    assert_failed(result, "disableServiceAccountCreation forbids creating", "exempt my-project from constraints/iam.")
    assert_failed(result, "allowedIngressSettings forbids --ingress all", "use --ingress internal-only")
    assert_failed(result, "run.allowedIngress forbids --ingress all", "use --ingress internal-only")
    assert_failed(result, "resourceLocations forbids resources in europe-west1", "use --region with an allowed region")
    assert result.output.count("deploy.sh: ") == 4


def test_policies_that_allow_the_deployment_or_cannot_be_judged_are_accepted(cloud: FakeCloud) -> None:
    cloud.project.policies = {
        "cloudfunctions.allowedIngressSettings": {"listPolicy": {"allowedValues": ["ALLOW_INTERNAL_AND_GCLB"]}},
        "run.allowedIngress": {"listPolicy": {"allowedValues": ["internal-and-cloud-load-balancing"]}},
        "gcp.resourceLocations": {"listPolicy": {"allowedValues": ["in:us-east1-locations", "in:eu-locations"]}},
    }
    result = deploy(cloud, "--dry-run", "--ingress", "internal-and-cloud-load-balancing")
    assert result.exit_code == 0, result.output


POLICIES = {
    "accounts": (
        forbidden("iam", "^POST .*/serviceAccounts$", "Creation is not allowed.", "iam.disableServiceAccountCreation"),
        "exempt my-project from constraints/iam.disableServiceAccountCreation",
    ),
    "ingress": (
        forbidden("cloudfunctions", "^POST .*/functions$", INGRESS, "cloudfunctions.allowedIngressSettings"),
        "use --ingress internal-only or internal-and-gclb",
    ),
    "locations": (
        forbidden(
            "cloudfunctions",
            "generateUploadUrl",
            "'europe-west1' violates constraint 'constraints/gcp.resourceLocations'",
            "gcp.resourceLocations",
        ),
        "use --region with an allowed region: gcloud resource-manager org-policies describe gcp.resourceLocations",
    ),
    "network": (
        forbidden("cloudfunctions", "^POST .*/functions$", VPC, "cloudfunctions.requireVPCConnector"),
        "--vpc-connector CONNECTOR",
    ),
}


@pytest.mark.parametrize(("fault", "next_step"), POLICIES.values(), ids=POLICIES.keys())
def test_an_organization_policy_has_its_own_next_step(cloud: FakeCloud, fault: Fault, next_step: str) -> None:
    cloud.faults.append(fault)
    result = deploy(cloud)
    assert_failed(result, fault.error.message, next_step)
    assert "roles/" not in result.output.partition("  Next step: ")[2]
