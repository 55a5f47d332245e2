"""A complete deployment against the fake Google Cloud, step by step: `make rehearse`."""

from __future__ import annotations

import copy
import dataclasses
import functools
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from model.tflite.bundled import BUNDLED_MODEL
from tests.support.paths import ROOT, SAMPLE

from .cloud import FakeCloud
from .commands import SILHOUETTE, CommandResult, deploy, segment
from .faults import eventarc_not_propagated
from .rehearse_run import rehearse_service
from .resources import Json, Project

FUNCTION_IMAGES = "projects/my-project/locations/europe-west1/repositories/gcf-artifacts"
NOT_COPIED = ("services", "operations", "uploads", "objects")  # They have threads and processes, or are large.
Print = Callable[[str], object]


@dataclass
class StepResult:
    """The result of one deploy.sh command, and the state of the cloud after it.

    Attributes:
        command: The exit code and the output.
        function: The function, as the API returns it.
        serving: The name of the serving revision.
        mask: The mask that the function returns for the sample photo.
        anonymous_status: The HTTP status of a request without a token.
        requests: The requests to the APIs during the command.
        invoker_policy: The IAM policy of the service.
        project: A copy of the project's resources.
    """

    command: CommandResult
    function: Json
    serving: str
    mask: bytes
    anonymous_status: int
    requests: list[str]
    invoker_policy: Json
    project: Project


@dataclass
class Rehearsal:
    """The results of all steps.

    Attributes:
        cloud: The fake cloud after the last step.
        steps: The results of the steps before the deletion, by name.
        deletion: The result of the deletion.
    """

    cloud: FakeCloud
    steps: dict[str, StepResult]
    deletion: CommandResult


def rehearse(cloud: FakeCloud, folder: Path, print_line: Print) -> Rehearsal:
    """Deploy, update, fail, roll back, deploy again, and delete.

    Args:
        cloud: A new fake cloud.
        folder: A directory for temporary files.
        print_line: Where each command and its output are printed.
    """
    cloud.project.apis.clear()
    cloud.create_bucket("photos")
    cloud.create_bucket("masks", "EU")
    steps = run_steps(cloud, folder, print_line)
    options = ("--delete", "--yes")
    deletion = run_command(cloud, print_line, "8. Deletion of the function and all its resources", *options)
    return Rehearsal(cloud, steps, deletion)


def run_steps(cloud: FakeCloud, folder: Path, print_line: Print) -> dict[str, StepResult]:
    """Run the steps before the deletion, and return their results by name."""
    other_model = folder / "mine.tflite"
    shutil.copy(BUNDLED_MODEL, other_model)
    buckets = ("--photos", "gs://photos", "--masks", "gs://masks")
    redeployment = ("--public", "--model", "bundled", *buckets, "--yes")
    steps = {}

    def step(name: str, title: str, *options: str) -> None:
        cloud.requests.clear()
        command = run_command(cloud, print_line, title, *options)
        steps[name] = record_state(cloud, command, folder)

    step("first deployment", "1. First deployment, to a new project without any enabled API", "--yes")
    step("update", "2. Update: another model and a second CPU", f"--model={other_model}", "--cpu", "2")
    cloud.project.repositories[FUNCTION_IMAGES] = {"cleanupPolicies": {"old": {"id": "old", "action": "DELETE"}}}
    cloud.build_error = "no matching distribution found for flask==0"
    step("failed build", "3. Failed build: the previous revision keeps serving", "--model", "bundled")
    cloud.build_error = ""
    step("rollback", "4. Rollback to the previous revision", "--rollback")
    cloud.faults.append(eventarc_not_propagated())
    step("redeployment", "5. Deployment after the rollback: public, with a bucket of photos", *redeployment)
    step("dry run", "6. Dry run of the same command: it would change only the revision", "--dry-run", *redeployment)
    step("status", "7. Status", "--status")
    return steps


def run_command(cloud: FakeCloud, print_line: Print, title: str, *options: str) -> CommandResult:
    """Run deploy.sh, and print the command and its output under a title."""
    print_line(f"\n{title}\n$ ./deploy.sh --project {cloud.project.id} {' '.join(options)}")
    result = deploy(cloud, *options)
    print_line(textwrap.indent(result.output.strip(), "    ") + f"\n    exit code {result.exit_code}")
    return result


def record_state(cloud: FakeCloud, command: CommandResult, folder: Path) -> StepResult:
    """Return the result of a command with the state of the cloud after it."""
    service, function = cloud.project.services[SILHOUETTE], dict(cloud.project.functions[SILHOUETTE])
    assert service.serving is not None
    requests = [*cloud.requests]
    return StepResult(
        command=command,
        function=function,
        serving=service.serving.name,
        mask=segment(cloud, SILHOUETTE, folder / "mask.png"),
        anonymous_status=httpx.get(function["url"]).status_code,
        requests=requests,
        invoker_policy=service.policy,
        project=copy_project(cloud.project),
    )


def copy_project(project: Project) -> Project:
    """Return a copy of a project; the resources in NOT_COPIED are shared."""
    names = [field.name for field in dataclasses.fields(project) if field.name not in NOT_COPIED]
    return dataclasses.replace(project, **{name: copy.deepcopy(getattr(project, name)) for name in names})


def local_mask(folder: Path) -> bytes:
    """Return the mask of the sample photo from `python -m model`, without a server."""
    mask = folder / "local.png"
    command = [sys.executable, "-m", "model", str(SAMPLE), "--out", str(mask)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return mask.read_bytes()


def main() -> int:
    """Run all steps, and return 0 if they end as expected."""
    if not shutil.which("gcloud"):
        print("The rehearsal requires gcloud: https://cloud.google.com/sdk/docs/install")
        return 1
    with (
        FakeCloud() as cloud,
        FakeCloud() as run_cloud,
        tempfile.TemporaryDirectory() as name,
        ThreadPoolExecutor() as pool,
    ):
        folder, lines = Path(name), list[str]()
        (folder / "run").mkdir()
        run = functools.partial(run_command, run_cloud, lines.append)
        services_result = pool.submit(rehearse_service, run_cloud, folder / "run", run)
        steps = rehearse(cloud, folder, print).steps
        expected = local_mask(folder)
        services = services_result.result()
        print("\n".join(lines))
    masks = [steps["first deployment"].mask, steps["redeployment"].mask, *(step.mask for step in services.values())]
    same = all(mask == expected for mask in masks)
    refused = [*cloud.refused_connections, *run_cloud.refused_connections]
    connections = ", ".join(refused) or "none"
    print(f"\nPeak memory of an instance: {cloud.peak_bytes / 2**20:.0f} MiB.")
    print(f"Attempted connections outside this machine: {connections}.")
    print(f"Masks of the deployed function and of python -m model: {'identical' if same else 'DIFFERENT'}.")
    return 0 if same and not refused else 1


if __name__ == "__main__":
    sys.exit(main())
