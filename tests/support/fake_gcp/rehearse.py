"""The whole way to the cloud and back, on this machine alone, told step by step: `make rehearse`."""

from __future__ import annotations

import copy
import dataclasses
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from .cloud import Cloud
from .commands import ROOT, SAMPLE, Done, deploy, segment
from .faults import too_new
from .resources import Json, Project

NAME = "silhouette"
BUNDLED = "model/weights/pets.tflite"
RUNNING = ("services", "operations", "uploads", "objects")
Tell = Callable[[str], object]


@dataclass
class Chapter:
    """What one command did: what it said, and what there was after it.

    stranger: the status that a caller without a token gets
    asked: what it asked of the cloud
    invokers: the policy that says who may call
    """

    done: Done
    function: Json
    serving: str
    mask: bytes
    stranger: int
    asked: list[str]
    invokers: Json
    project: Project


@dataclass
class Rehearsal:
    """All of it, to its end."""

    cloud: Cloud
    story: dict[str, Chapter]
    deleted: Done


def rehearse(cloud: Cloud, folder: Path, tell: Tell) -> Rehearsal:
    """Play the story, then remove all that it made."""
    story = play(cloud, folder, tell)
    tell(f"\n8. And removed\n$ ./deploy.sh --project {cloud.project.id} --delete --yes")
    deleted = deploy(cloud, "--delete", "--yes")
    tell(textwrap.indent(deleted.text.strip(), "    "))
    return Rehearsal(cloud, story, deleted)


def play(cloud: Cloud, folder: Path, tell: Tell) -> dict[str, Chapter]:
    """Deploy, change the model, fail, go back, open to all.

    folder: for what is made on the way
    returns: a chapter for each step
    """
    mine = folder / "mine.tflite"
    shutil.copy(ROOT / BUNDLED, mine)
    cloud.project.apis.clear()
    cloud.make_bucket("photos")
    cloud.make_bucket("masks", "EU")
    story = {}

    def step(name: str, title: str, *options: str) -> None:
        tell(f"\n{title}\n$ ./deploy.sh --project {cloud.project.id} {' '.join(options)}".rstrip())
        cloud.requests.clear()
        done = deploy(cloud, *options)
        tell(textwrap.indent(done.text.strip(), "    ") + f"\n    exit code {done.code}")
        story[name] = after(cloud, done, folder)

    step("created", "1. The first deploy, to a new project in which no API is enabled", "--yes")
    step("updated", "2. Another model and one more CPU: a new revision", f"--model={mine}", "--cpu", "2")
    cloud.build_failure = "no matching distribution found for flask==0"
    step("failed", "3. A build that fails: what served serves on", "--model", BUNDLED)
    cloud.build_failure = ""
    step("rolled back", "4. Back to the revision before", "--rollback")
    last = ("--public", "--model", BUNDLED, "--photos", "gs://photos", "--masks", "gs://masks", "--yes")
    cloud.faults.append(too_new())
    step("again", "5. The next deploy takes over, open to all, with a bucket of photos", *last)
    step("the same", "6. What the same again would change: nothing but the revision", "--dry-run", *last)
    step("looked at", "7. What is there now", "--status")
    return story


def after(cloud: Cloud, done: Done, folder: Path) -> Chapter:
    """Keep what there is after a command."""
    service, function, asked = cloud.project.services[NAME], dict(cloud.project.functions[NAME]), [*cloud.requests]
    assert service.serving is not None
    mask = segment(cloud, NAME, folder / "mask.png")
    stranger = httpx.get(function["url"]).status_code
    return Chapter(done, function, service.serving.name, mask, stranger, asked, service.policy, keep(cloud.project))


def keep(project: Project) -> Project:
    """Copy of the project what a command may change; what runs is not copied."""
    return dataclasses.replace(
        project,
        **{
            field.name: copy.deepcopy(getattr(project, field.name))
            for field in dataclasses.fields(project)
            if field.name not in RUNNING
        },
    )


def local_mask(folder: Path) -> bytes:
    """Have `python -m model` make the mask of the sample, with no server."""
    mask = folder / "local.png"
    command = [sys.executable, "-m", "model", str(SAMPLE), "--out", str(mask)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return mask.read_bytes()


def main() -> int:
    """Tell the story; yield 0 if it ends well."""
    if not shutil.which("gcloud"):
        print("the rehearsal needs gcloud: https://cloud.google.com/sdk/docs/install")
        return 1
    with Cloud() as cloud, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        story = rehearse(cloud, folder, print).story
        memory_mib = cloud.peak_bytes / 2**20
        left = cloud.connects or "nothing"
        same = [each.mask == local_mask(folder) for each in (story["created"], story["again"])]
    print(f"\nAn instance took {memory_mib:.0f} MiB at most. Tried to leave this machine: {left}.")
    print(f"The mask of the deployed function is {'' if all(same) else 'NOT '}the one that python -m model makes here.")
    return 0 if all(same) and left == "nothing" else 1


if __name__ == "__main__":
    sys.exit(main())
