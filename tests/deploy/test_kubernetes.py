"""Kubernetes and Knative: the files that pack includes, and what the manifests and the image's command lead to.

The manifests are checked against the published schemas by `make roads`.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy import bundle
from tests.support.function_process import launched
from tests.support.paths import ROOT

DESCRIPTOR = tomllib.loads((ROOT / "deploy/knative/project.toml").read_text())["io"]["buildpacks"]
SERVICE = yaml.safe_load((ROOT / "deploy/knative/service.yaml").read_text())
DEPLOYMENT, KUBERNETES_SERVICE, AUTOSCALER = yaml.safe_load_all((ROOT / "deploy/knative/deployment.yaml").read_text())
CONTAINERS = [manifest["spec"]["template"]["spec"]["containers"][0] for manifest in (SERVICE, DEPLOYMENT)]


def test_pack_includes_exactly_the_files_that_run(tmp_path: Path) -> None:
    """The rules are those of .gitignore, so git stands in for pack here."""
    (tmp_path / ".gitignore").write_text("\n".join(DESCRIPTOR["include"]))
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    candidates = tracked + "model/training/new/new.py\nmodel/new/new.py\nclient/web/.env\n.env\nother.py\n"
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"], cwd=tmp_path, input=candidates, capture_output=True, text=True
    )
    expected = {file.relative_to(ROOT).as_posix() for file in bundle.source_files()}
    assert set(done.stdout.split()) == expected | {"requirements.txt", "model/new/new.py"}


def test_the_image_runs_the_function_on_the_same_python_as_the_other_platforms() -> None:
    env = {variable["name"]: variable["value"] for variable in DESCRIPTOR["build"]["env"]}
    assert env == {"GOOGLE_FUNCTION_TARGET": "run", "GOOGLE_RUNTIME_VERSION": f"{bundle.PYTHON_VERSION}.x"}


def test_a_container_answers_its_probes_and_returns_the_mask(sample: bytes, sample_mask: bytes) -> None:
    paths = {container[name]["httpGet"]["path"] for container in CONTAINERS for name in container if "Probe" in name}
    assert paths == {"/health"}
    env = {variable["name"]: variable["value"] for variable in CONTAINERS[0]["env"]}
    with launched(env) as function:
        assert httpx.get(f"{function.url}/health").status_code == 200
        assert httpx.post(function.url, content=sample).content == sample_mask


def test_a_container_processes_as_many_photos_as_it_has_cpus() -> None:
    for container in CONTAINERS:
        env = {variable["name"]: variable["value"] for variable in container["env"]}
        assert f"{env['INTERPRETERS']}000m" == container["resources"]["limits"]["cpu"]


def test_there_are_threads_for_more_requests_than_knative_sends() -> None:
    env: dict[str, Any] = {variable["name"]: variable["value"] for variable in CONTAINERS[0]["env"]}
    assert int(env["THREADS"]) > SERVICE["spec"]["template"]["spec"]["containerConcurrency"]


def test_a_pod_ends_its_requests_before_it_is_killed() -> None:
    pod = DEPLOYMENT["spec"]["template"]["spec"]
    graceful = int(re.search(r"SHUTDOWN_TIMEOUT_S = (\d+)", (ROOT / "main.py").read_text())[1])  # type: ignore[index]
    stop_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] + graceful
    assert stop_s < pod["terminationGracePeriodSeconds"]


def test_the_service_and_the_autoscaler_name_the_deployment() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert KUBERNETES_SERVICE["spec"]["selector"] == DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels
    assert KUBERNETES_SERVICE["spec"]["ports"][0]["targetPort"] == CONTAINERS[1]["ports"][0]["name"]
    target = AUTOSCALER["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == (DEPLOYMENT["kind"], DEPLOYMENT["metadata"]["name"])
