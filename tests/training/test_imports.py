from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.paths import ROOT

TRAINING = ROOT / "model" / "training"
SHARED = ["cli", "photo_options", "card_options"]
COMMANDS = ["dataset", "train", "quantize", "evaluate", "describe", "publish"]
LAYERS = {  # which of the others each may import
    "data": {"cli"},
    "nets": {"cli", "data"},
    "measure": {"cli", "data"},
    "fit": {"cli", "data", "nets", "measure"},
    "cli": set(),
    "photo_options": {"cli", "data"},
    "card_options": {"cli"},
    **{command: {*SHARED, "data", "nets", "measure", "fit"} for command in COMMANDS},
}


def imported(file: Path) -> set[str]:
    """Return the top-level modules and sub-packages of model.training that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[2] for name in names if name.startswith("model.training.")}


@pytest.mark.parametrize("name", LAYERS)
def test_modules_import_only_lower_layers(name: str) -> None:
    module = TRAINING / f"{name}.py"
    files = [module] if module.is_file() else sorted((TRAINING / name).glob("*.py"))
    assert files
    for file in files:
        assert imported(file) <= LAYERS[name] | {name}, file


def test_every_module_has_a_layer() -> None:
    names = {path.stem for path in TRAINING.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert names == LAYERS.keys() | {"__init__"}
