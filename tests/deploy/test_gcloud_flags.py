"""Flags of gcloud after --, which deploy.sh passes on to the deployment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fake_gcp.cloud import FakeCloud
from tests.support.fake_gcp.commands import SILHOUETTE, assert_failed, deploy
from tests.support.fake_gcp.marks import requires_gcloud

pytestmark = requires_gcloud


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    """A project with nothing deployed."""
    with FakeCloud() as cloud:
        yield cloud
        assert cloud.refused_connections == []
        assert cloud.unexpected == []


def test_the_flags_reach_the_function_with_the_settings_of_deploy_sh(cloud: FakeCloud) -> None:
    key = "projects/my-project/locations/europe-west1/keyRings/ring/cryptoKeys/key"
    repository = "projects/my-project/locations/europe-west1/repositories/images"
    flags: tuple[str, ...] = ("--set-secrets=TOKEN=token:1", "--vpc-connector", "network", f"--kms-key={key}")
    flags += (f"--docker-repository={repository}", "--update-labels", "team=vision")
    flags += ("--update-env-vars", "^;^ALLOWED_ORIGINS=https://a.example,https://b.example;WAIT_LIMIT_S=5")
    result = deploy(cloud, "--memory", "2Gi", "--", *flags)
    assert result.exit_code == 0, result.output
    function = cloud.project.functions[SILHOUETTE]
    config = function["serviceConfig"]
    assert [(secret["key"], secret["secret"]) for secret in config["secretEnvironmentVariables"]] == [
        ("TOKEN", "token")
    ]
    assert config["vpcConnector"].endswith("/connectors/network")
    assert (function["kmsKeyName"], function["buildConfig"]["dockerRepository"]) == (key, repository)
    assert function["labels"]["team"] == "vision"
    assert config["availableMemory"] == "2Gi"
    assert config["environmentVariables"] == {
        "THREADS": "8",
        "INTERPRETERS": "1",
        "GOOGLE_CLOUD_PROJECT": "my-project",
        "ALLOWED_ORIGINS": "https://a.example,https://b.example",
        "WAIT_LIMIT_S": "5",
    }


@pytest.mark.parametrize(
    ("flags", "flag", "next_step"),
    [
        (("--memory=2Gi",), "--memory", "use --memory before --"),
        (("--clear-labels", "--region", "us-east1"), "--region", "use --region before --"),
        (("--clear-max-instances",), "--clear-max-instances", "use --max-instances before --"),
        (("--runtime=python312",), "--runtime", "use --python before --"),
        (("--allow-unauthenticated",), "--allow-unauthenticated", "use --public before --"),
        (("--trigger-bucket", "photos"), "--trigger-bucket", "use --photos and --masks before --"),
        (("--set-env-vars", "A=1"), "--set-env-vars", "use --update-env-vars NAME=VALUE after --"),
        (("--env-vars-file=env.yaml",), "--env-vars-file", "use --update-env-vars NAME=VALUE after --"),
        (("--source=.",), "--source", "use --model before --"),
        (("--flags-file=flags.yaml",), "--flags-file", "leave out --flags-file"),
        (("--update-env-vars=A=1,THREADS=2",), "THREADS in --update-env-vars", "use --concurrency before --"),
        (("--remove-env-vars", "MODEL_URI"), "MODEL_URI in --remove-env-vars", "use --model before --"),
    ],
)
def test_a_flag_that_contradicts_deploy_sh_is_refused_with_the_option_to_use(
    cloud: FakeCloud, flags: tuple[str, ...], flag: str, next_step: str
) -> None:
    result = deploy(cloud, "--", "--vpc-connector", "network", *flags)
    assert_failed(result, f"{flag} ", next_step)
    assert "contradicts what deploy.sh sets" in result.output
    assert cloud.requests == []


@pytest.mark.parametrize(
    ("options", "message", "next_step"),
    [
        (("--", "secrets"), "secrets is not a flag of gcloud", "gcloud functions deploy --help"),
        (("--", "--update-env-vars", "A=1|2"), "has a value with |", "leave | out"),
        (("--status", "--", "--memory=2Gi"), "accept no flags of gcloud", "leave out --"),
    ],
)
def test_a_mistake_after_the_two_dashes_is_reported_without_any_request(
    cloud: FakeCloud, options: tuple[str, ...], message: str, next_step: str
) -> None:
    assert_failed(deploy(cloud, *options), message, next_step)
    assert cloud.requests == []
