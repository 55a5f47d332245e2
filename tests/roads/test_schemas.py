"""The manifests are valid by the published schemas of AWS, Kubernetes and Knative."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.knative_serving.serving.v1 import Service

from tests.support.paths import ROOT

TEMPLATE = ROOT / "deploy/lambda/template.yaml"
MANIFESTS = list(yaml.safe_load_all((ROOT / "deploy/knative/deployment.yaml").read_text()))
KNATIVE = yaml.safe_load((ROOT / "deploy/knative/service.yaml").read_text())
KUBERNETES_VERSIONS = ("1.32", "1.37")  # the oldest that clouds offer, and the newest


def lint(template: Path) -> subprocess.CompletedProcess[str]:
    """Run AWS's linter, which has the schemas of every resource and of the SAM transform."""
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--regions", "eu-west-1", "--", str(template)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_template_of_lambda_is_valid() -> None:
    done = lint(TEMPLATE)
    assert done.returncode == 0, done.stdout


def test_the_linter_notices_a_misspelt_property(tmp_path: Path) -> None:
    wrong = tmp_path / "template.yaml"
    wrong.write_text(TEMPLATE.read_text().replace("MemorySize:", "MemorySise:"))
    assert "'MemorySise' was unexpected" in lint(wrong).stdout


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
def test_the_manifests_of_kubernetes_are_valid(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_is_noticed() -> None:
    wrong = copy.deepcopy(MANIFESTS[0])
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES_VERSIONS[-1], strict=True)
    wrong = copy.deepcopy(KNATIVE)
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    assert known_fields(wrong) != wrong


def test_the_service_of_knative_is_valid() -> None:
    assert known_fields(KNATIVE) == KNATIVE


def known_fields(manifest: dict[str, Any]) -> Any:
    """Return what the types generated from Knative's CustomResourceDefinition know of a manifest."""
    return Service.model_validate(manifest).model_dump(mode="json", by_alias=True, exclude_unset=True)
