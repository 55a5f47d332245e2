"""The layers that the docstring of model/__init__.py describes."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from tests.support.paths import ROOT

LAYERS = (
    ("model.errors",),
    ("model.tflite", "model.image"),
    ("model.options", "model.outputs", "model.segmenter"),
    ("model.gcs",),
    ("model.serving",),
    ("model.__main__", "main"),
)


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


FILES = [ROOT / "main.py", *(file for file in (ROOT / "model").rglob("*.py") if "training" not in file.parts)]
MODULES = {module_name(file): file for file in FILES}


def imported_modules(file: Path) -> set[str]:
    """Return our own modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names & MODULES.keys() if MODULES[name].name != "__init__.py"}


def layer(module: str) -> int:
    (number,) = (i for i, names in enumerate(LAYERS) if any(f"{module}.".startswith(f"{name}.") for name in names))
    return number


def test_no_module_imports_from_a_layer_below_its_own() -> None:
    for module, file in MODULES.items():
        if module != "model":
            for imported in imported_modules(file):
                assert layer(imported) <= layer(module), f"{module} imports {imported}"


def test_no_modules_import_each_other() -> None:
    TopologicalSorter({module: imported_modules(file) for module, file in MODULES.items()}).prepare()  # raises
