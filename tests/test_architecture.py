from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.paths import ROOT

ROOMS = {
    "flask": {"main.py", "model/serving/request_body.py"},
    "werkzeug": {"main.py", "model/serving/request_body.py"},
    "functions_framework": {"main.py"},
    "gunicorn": {"main.py"},
    "PIL": {"model/image/decode.py", "model/image/resize.py", "model/image/encode.py"},
    "tflite_runtime": {"model/tflite/runtime.py"},
    "ai_edge_litert": {"model/tflite/runtime.py"},
    "google": {"model/gcs/client.py", "model/gcs/download.py", "model/gcs/mask_store.py"},
    "google_crc32c": {"model/gcs/download.py"},
    "flatbuffers": set(),
    "tensorflow": set(),
    "keras": set(),
}


def deployed() -> list[Path]:
    return [ROOT / "main.py", *(file for file in (ROOT / "model").rglob("*.py") if "training" not in file.parts)]


def imports(file: Path) -> set[str]:
    """List the top-level packages and our own rooms that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_each_outside_library_enters_through_its_own_rooms() -> None:
    for library, rooms in ROOMS.items():
        users = {
            file.relative_to(ROOT).as_posix()
            for file in deployed()
            if any(name.partition(".")[0] == library for name in imports(file))
        }
        assert users <= rooms, library


def test_nothing_deployed_imports_the_workshop_or_the_client() -> None:
    for file in deployed():
        assert not any(name.startswith(("model.training", "client")) for name in imports(file)), file


def test_the_client_imports_nothing_of_the_model() -> None:
    for file in (ROOT / "client").rglob("*.py"):
        assert not any(name.partition(".")[0] in ("model", "main") for name in imports(file)), file


def test_only_one_room_reads_the_environment() -> None:
    readers = {file.name for file in deployed() if "os.environ" in file.read_text() or "getenv" in file.read_text()}
    assert readers == {"settings.py"}


@pytest.mark.parametrize(
    "library",
    [
        "google.cloud.storage",
        "google.auth",
        "google.api_core",
        "google_crc32c",
        "flatbuffers",
        "requests",
        "tensorflow",
        "keras",
    ],
)
def test_the_bundled_model_serves_without_importing(library: str) -> None:
    code = f"""
import sys
from functions_framework import create_app
app = create_app("run", "main.py")
photo = open("client/web/sample.jpg", "rb").read()
assert app.test_client().post("/", data=photo, content_type="image/jpeg").status_code == 200
assert {library!r} not in sys.modules, sorted(name for name in sys.modules if name.startswith({library!r}))
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_no_package_that_the_cloud_installs_has_a_room_of_our_name() -> None:
    """functions-framework puts our folder last on the path, so that any such package would win over it."""
    assert not {"main", "model", "client"} & packages_distributions().keys()
