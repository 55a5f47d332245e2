"""deploy.sh and the client, run against a stand-in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT, SAMPLE

from .cloud import Cloud

REGION = "europe-west1"
# The Python of the tests is there for sure.
PYTHON = f"{sys.version_info.major}{sys.version_info.minor}"


@dataclass
class Done:
    """How a command ended: its exit code, and all that it printed."""

    code: int
    text: str


def deploy(cloud: Cloud, *options: str, root: Path = ROOT, **env: str) -> Done:
    """Run deploy.sh against a stand-in, with the Python of the tests."""
    command = [str(root / "deploy.sh"), "--project", cloud.project.id, "--python", PYTHON, *options]
    around = cloud.env() | {"VIRTUAL_ENV": sys.prefix, "ACCOUNT_WAIT_S": "0"} | env
    both = subprocess.STDOUT
    done = subprocess.run(command, env=around, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=both, text=True)
    return Done(done.returncode, done.stdout)


def segment(cloud: Cloud, name: str, mask: Path) -> bytes:
    """Have the client ask a function for the sample's mask."""
    url = cloud.fronts[name].url
    command = [sys.executable, "-m", "client", str(SAMPLE), "--url", url, "--auth", "gcloud", "--out", str(mask)]
    subprocess.run(command, cwd=ROOT, env=cloud.env(), check=True, capture_output=True)
    return mask.read_bytes()


def copy_tree(folder: Path) -> Path:
    """Copy what deploy.sh needs, to be broken by a test."""
    tree = folder / "tree"
    for name in ("model", "client", "deploy"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("training", "__pycache__"))
    for name in ("deploy.sh", ".gcloudignore", "main.py", "requirements.in", "requirements.txt"):
        shutil.copy(ROOT / name, tree / name)
    return tree


def assert_failed(done: Done, why: str, next_step: str) -> None:
    """Hold a command to its exit code, and to a message with the reason and the next step."""
    assert done.code == 1, done.text
    messages = [each for each in done.text.split("deploy.sh: ")[1:] if why in each]
    assert messages, done.text
    assert next_step in messages[0].partition("  next: ")[2], done.text
