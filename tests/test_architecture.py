"""The rules of ARCHITECTURE.md that can be checked: imports, the length of functions, and words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.imports import deployed_files, import_graph, imported_names, python_files
from tests.support.paths import ROOT

# Which modules may import an outside library.
LIBRARY_USERS = {
    "flask": {"main.py", "model/serving/request_body.py"},
    "werkzeug": {
        "main.py",
        "model/serving/request_body.py",
        "model/serving/request_options.py",
        "model/serving/upload.py",
    },
    "functions_framework": {"main.py"},
    "gunicorn": {"main.py"},
    "PIL": {
        *("model/image/decode.py", "model/image/pixels.py", "model/image/colour.py", "model/image/tiff.py"),
        *("model/image/resize.py", "model/image/encode.py"),
    },
    "tflite_runtime": {"model/tflite/runtime.py"},
    "ai_edge_litert": {"model/tflite/runtime.py"},
    "google": {"model/gcs/client.py", "model/gcs/mask_store.py"},
    "google_crc32c": {"model/gcs/download.py"},
    "flatbuffers": set(),
    "tensorflow": set(),
    "keras": set(),
}
# From the lowest layer to the highest; a module imports from its own layer and from lower ones.
MODEL_LAYERS = (
    ("model.errors",),
    ("model.tflite.card", "model.tflite.flatbuffer", "model.tflite.schema", "model.tflite.tensor_specs"),
    ("model.image",),
    ("model.tflite",),
    ("model.gcs",),
    ("model.options", "model.outputs"),
    ("model.segmenter",),
    ("model.serving",),
    ("main", "model.__main__"),
)
CLIENT_LAYERS = (
    ("client.",),
    ("client.client", "client.async_client"),
    ("client",),
    ("client.cli",),
    ("client.__main__",),
)
TRAINING_LAYERS = (
    ("model.training.cli",),
    ("model.training.data",),
    ("model.training.measure",),
    ("model.training.nets",),
    ("model.training.fit",),
    ("model.training",),
)
LONGEST_FUNCTION_LINES = 50
# Words that earlier versions used in senses of their own.
JARGON = r"\broom(s)?\b|workshop|older recipe|\bhouse\b|patien(t|ce)"


def test_each_outside_library_is_imported_by_few_modules() -> None:
    for library, allowed in LIBRARY_USERS.items():
        users = {
            file.relative_to(ROOT).as_posix()
            for file in deployed_files()
            if any(name.partition(".")[0] == library for name in imported_names(file))
        }
        assert users <= allowed, library


def test_no_deployed_module_imports_the_training_pipeline_or_the_client() -> None:
    for file in deployed_files():
        assert not any(name.startswith(("model.training", "client")) for name in imported_names(file)), file


def test_the_client_imports_nothing_of_the_model() -> None:
    for file in (ROOT / "client").rglob("*.py"):
        assert not any(name.partition(".")[0] in ("model", "main") for name in imported_names(file)), file


def layer(module: str, layers: tuple[tuple[str, ...], ...]) -> int:
    """Return the index of a module's layer: the one that names it or, else, the closest package around it."""
    fits = [
        (len(name), index)
        for index, names in enumerate(layers)
        for name in names
        if module == name or module.startswith(f"{name.rstrip('.')}.")
    ]
    return max(fits, default=(0, -1))[1]


@pytest.mark.parametrize(
    ("folder", "layers"),
    [("model", MODEL_LAYERS), ("client", CLIENT_LAYERS), ("model/training", TRAINING_LAYERS)],
    ids=["model", "client", "training"],
)
def test_no_module_imports_from_a_higher_layer(folder: str, layers: tuple[tuple[str, ...], ...]) -> None:
    files = deployed_files() if folder == "model" else sorted((ROOT / folder).rglob("*.py"))
    for module, imports in import_graph(files).items():
        for imported in imports:
            assert layer(imported, layers) <= layer(module, layers), f"{module} imports {imported}"


def test_there_is_no_import_cycle() -> None:
    TopologicalSorter(import_graph(python_files("model", "client", "benchmarks"))).prepare()  # raises CycleError


def test_only_one_module_reads_the_environment() -> None:
    readers = {file.name for file in deployed_files() if re.search("os.environ|getenv", file.read_text())}
    assert readers == {"settings.py"}


@pytest.mark.parametrize(
    "library",
    [
        "google.cloud.storage",
        "google.auth",
        "google.api_core",
        "google_crc32c",
        "PIL.ImageCms",
        "PIL.GifImagePlugin",
        "PIL.PngImagePlugin",
        "model.image.colour",
        "model.image.tiff",
        "model.tflite.complete_card",
        "model.tflite.verify",
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


def test_no_installed_package_has_the_name_of_a_deployed_one() -> None:
    """functions-framework appends our folder to sys.path, so that such a package would take precedence."""
    assert not {"main", "model", "client"} & packages_distributions().keys()


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git tracks."""
    done = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


def test_no_function_is_longer_than_a_screen() -> None:
    for file in tracked("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= LONGEST_FUNCTION_LINES, f"{file}:{node.lineno}: {node.name} has {lines} lines"


def test_the_jargon_of_earlier_versions_is_gone() -> None:
    this = Path(__file__).resolve()
    for file in tracked("*.py", "*.md", "*.sh", "*.toml", "*.html", "*.json", "*.txt", "*.yml", "Makefile"):
        if file.resolve() == this or file.name.startswith("requirements"):
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            assert not re.search(JARGON, line, re.IGNORECASE), f"{file}:{number}: {line.strip()}"


def test_the_map_in_architecture_md_names_every_module() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for file in tracked("main.py", "model/*.py", "client/*.py", "benchmarks/*.py", "examples/*.py"):
        if file.name not in ("__init__.py", "__main__.py") and "competitors" not in file.parts:
            assert re.search(rf"\b{file.stem}\b", text), file.relative_to(ROOT)
