"""deploy.sh and the client, run against the fake Google Cloud."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.origins import without_origin
from tests.support.paths import ROOT, SAMPLE

from .cloud import FakeCloud

# The function that deploy.sh deploys by default: REGION/NAME.
SILHOUETTE = "europe-west1/silhouette"
# The Python that runs the tests is certainly installed.
PYTHON = f"{sys.version_info.major}{sys.version_info.minor}"


@dataclass
class CommandResult:
    """The result of a command.

    Attributes:
        exit_code: Its exit code.
        output: What it wrote to standard output and standard error.
    """

    exit_code: int
    output: str


def deploy(cloud: FakeCloud, *options: str, root: Path = ROOT, **environment: str) -> CommandResult:
    """Run deploy.sh against a fake cloud, with the Python version of the tests unless an option names another.

    Args:
        cloud: The fake cloud.
        *options: Options of deploy.sh besides --project.
        root: The directory that is deployed.
        **environment: Additional environment variables; an empty SILHOUETTE_PYTHON leaves the version to deploy.sh.
    """
    command = [str(root / "deploy.sh"), "--project", cloud.project.id, *options]
    variables = {"VIRTUAL_ENV": sys.prefix, "PROPAGATION_WAIT_S": "0", "SILHOUETTE_PYTHON": PYTHON}
    env = cloud.environment() | variables | environment
    process = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return CommandResult(process.returncode, process.stdout)


def segment(cloud: FakeCloud, key: str, mask: Path) -> bytes:
    """Return the mask of the sample photo from a function REGION/NAME, which the client also writes to a file."""
    url = cloud.ingresses[key].url
    command = [sys.executable, "-m", "client", str(SAMPLE), "--url", url, "--auth", "gcloud", "--out", str(mask)]
    subprocess.run(command, cwd=ROOT, env=cloud.environment(), check=True, capture_output=True)
    return without_origin(mask)


def copy_tree(folder: Path) -> Path:
    """Copy the files that deploy.sh needs into a folder, for a test to modify, and return their directory."""
    tree = folder / "tree"
    for name in ("model", "client", "deploy"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("training", "__pycache__"))
    for name in ("deploy.sh", ".gcloudignore", "main.py", "requirements.in", "requirements.txt"):
        shutil.copy(ROOT / name, tree / name)
    return tree


def assert_failed(result: CommandResult, message: str, next_step: str) -> None:
    """Assert that deploy.sh failed with an error that has a message and a next step."""
    assert result.exit_code == 1, result.output
    errors = [error for error in result.output.split("deploy.sh: ")[1:] if message in error]
    assert errors, result.output
    assert next_step in errors[0].partition("  Next step: ")[2], result.output
