"""Revisions of services: an instance of an image, started with the variables that Cloud Run sets."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING

from .build import BuildFailed, install, unpack
from .instance import Instance, StartFailed
from .resources import Image, Json, Revision
from .validation import memory_bytes

if TYPE_CHECKING:
    from .cloud import FakeCloud


def build_image(cloud: FakeCloud, upload: str, runtime: str, entry_point: str) -> Image:
    """Build an upload.

    Args:
        cloud: The fake cloud.
        upload: The name of the upload.
        runtime: As in python311.
        entry_point: The function in main.py.

    Raises:
        BuildFailed: If the build fails.
    """
    if cloud.build_error:
        raise BuildFailed(cloud.build_error)
    source = cloud.folder / f"source-{secrets.token_hex(8)}"
    unpack(cloud.project.uploads[upload], source)
    return Image(source, install(source, runtime), entry_point)


def start_revision(cloud: FakeCloud, service: str, name: str, image: Image, config: Json) -> Revision:
    """Start an instance of an image, and return it as a revision, which has an error if it does not start.

    Args:
        cloud: The fake cloud.
        service: The name of the service.
        name: The name of the revision.
        image: The image.
        config: The serviceConfig of a function.
    """
    env = container_env(service, name, image)
    env |= {"STORAGE_EMULATOR_HOST": f"{cloud.url}/as/{config.get('serviceAccountEmail')}"}
    env |= config.get("environmentVariables", {})
    log = cloud.folder / f"{name}.log"
    instance = Instance(image.python, image.source, env, memory_bytes(config), log)
    revision = Revision(name, image.source, dict(config), instance, cloud.new_revisions_broken)
    try:
        instance.ensure_running()
    except StartFailed as error:
        cloud.start_errors.append(str(error))
        revision.error = start_failure_reason(error)
    return revision


def new_revision_name(cloud: FakeCloud, service: str) -> str:
    """Return a name for a new revision of a service."""
    cloud.revision_count += 1
    return f"{service}-{cloud.revision_count:05d}-{''.join(secrets.choice(string.ascii_lowercase) for _ in range(3))}"


def container_env(service: str, revision: str, image: Image) -> dict[str, str]:
    """Return the environment variables that Cloud Run sets, and a PATH; nothing of the tests' environment."""
    run = {"K_SERVICE": service, "K_REVISION": revision, "K_CONFIGURATION": service}
    path = f"{image.python.parent}:/usr/bin:/bin"
    return run | {"FUNCTION_TARGET": image.entry_point, "PATH": path, "HOME": "/tmp"}


def start_failure_reason(error: StartFailed) -> str:
    """Return Cloud Run's message about a container that does not start."""
    if str(error).startswith("Memory limit"):
        return str(error)
    return "The user-provided container failed to start and listen on the port defined by the PORT variable."


def remove_revision(cloud: FakeCloud, revision: Revision) -> None:
    """Stop the instance of a revision, and record its memory."""
    revision.instance.stop()
    cloud.peak_bytes = max(cloud.peak_bytes, revision.instance.peak_bytes)
