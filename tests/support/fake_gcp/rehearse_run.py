"""The same with a Cloud Run service: a candidate whose masks differ is rejected, and one whose masks agree promoted."""

from __future__ import annotations

import copy
import dataclasses
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from model.tflite import card
from model.tflite.bundled import BUNDLED_MODEL
from tests.support.paths import SAMPLE

from .cloud import FakeCloud
from .commands import SILHOUETTE, CommandResult, segment
from .resources import Json

Run = Callable[..., CommandResult]


@dataclass
class ServiceStep:
    """The result of one deploy.sh command, and the service after it.

    Attributes:
        command: The exit code and the output.
        traffic: The traffic targets.
        revisions: The names of the revisions, oldest first.
        serving: The name of the revision that gets most requests.
        mask: The mask that the service returns for the sample photo.
        annotations: The annotations of the service and of its template.
        config: The settings of the latest revision.
    """

    command: CommandResult
    traffic: list[Json]
    revisions: list[str]
    serving: str
    mask: bytes
    annotations: Json
    config: Json


def rehearse_service(cloud: FakeCloud, folder: Path, run: Run) -> dict[str, ServiceStep]:
    """Deploy a Cloud Run service and two candidates, promote one, roll back and delete.

    Args:
        cloud: A new fake cloud.
        folder: A directory for temporary files.
        run: Runs deploy.sh with a title and options, and prints the output.

    Returns:
        The results of the steps before the deletion, by name.
    """
    cloud.project.apis.clear()
    model, photos = write_strict_model(folder), write_photos(folder)
    candidate = ("--candidate", "--photos-to-compare", str(photos))
    steps = {}

    def step(name: str, title: str, *options: str) -> None:
        steps[name] = record_service(cloud, run(title, "--service", "run", *options), folder)

    step("deployment", "9. Deployment as a Cloud Run service, to another new project", "--yes")
    title = "10. A candidate whose masks differ: it is rejected"
    step("different candidate", title, *candidate, "--min-agreement", "0.99", "--model", str(model))
    step("candidate", "11. A candidate whose masks agree", *candidate, "--model", "bundled")
    step("tenth", "12. A tenth of the requests for the candidate", "--promote", "10")
    step("promotion", "13. All requests for the candidate", "--promote")
    step("rollback", "14. Rollback to the previous revision", "--rollback")
    run("15. Deletion of the service and its account", "--service", "run", "--delete", "--yes")
    return steps


def write_strict_model(folder: Path) -> Path:
    """Write the bundled model with a higher threshold, so that its masks are smaller, and return its path."""
    bundled, strict = BUNDLED_MODEL, folder / "strict.tflite"
    values = card.read(bundled)
    assert values is not None
    with zipfile.ZipFile(bundled) as archive:
        start = min(member.header_offset for member in archive.infolist())
    strict.write_bytes(bundled.read_bytes()[:start])
    card.embed(strict, dataclasses.replace(values, threshold=0.98))
    return strict


def write_photos(folder: Path) -> Path:
    """Write two photos to compare masks on, and return their folder."""
    photos = folder / "photos-to-compare"
    photos.mkdir()
    shutil.copy(SAMPLE, photos / "cat.jpg")
    with Image.open(SAMPLE) as photo:
        ImageOps.mirror(photo).save(photos / "mirrored-cat.png")
    return photos


def record_service(cloud: FakeCloud, command: CommandResult, folder: Path) -> ServiceStep:
    """Return the result of a command with the service after it."""
    service = cloud.project.services[SILHOUETTE]
    assert service.serving is not None
    template = service.template["metadata"]["annotations"]
    return ServiceStep(
        command=command,
        traffic=copy.deepcopy(service.traffic),
        revisions=[revision.name for revision in service.revisions],
        serving=service.serving.name,
        mask=segment(cloud, SILHOUETTE, folder / "mask.png"),
        annotations=service.annotations | template,
        config=service.revisions[-1].config,
    )
