"""The import graph of the repository's own modules."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.paths import ROOT


def python_files(*folders: str) -> list[Path]:
    """Return main.py and the Python files in these folders of the repository, without hidden folders in them."""
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    return [ROOT / "main.py", *(file for file in files if "/." not in f"/{file.relative_to(ROOT).as_posix()}")]


def deployed_files() -> list[Path]:
    """Return the Python files that are deployed."""
    return [file for file in python_files("model") if "training" not in file.parts]


def module_name(file: Path) -> str:
    """Return the dotted name of a module, that of the package for an `__init__.py`."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_names(file: Path) -> set[str]:
    """Return the dotted names of everything that a file imports, of modules as well as of what is in them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = _absolute_package(file, node)
            names |= {package, *(f"{package}.{alias.name}" for alias in node.names)}
    return names


def _absolute_package(file: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parents = file.relative_to(ROOT).parts[: -node.level]
    return ".".join([*parents, *filter(None, [node.module])])


def import_graph(files: list[Path]) -> dict[str, set[str]]:
    """Return which of the files' modules each of them imports, without the packages that it is in itself."""
    modules = {module_name(file): file for file in files}
    return {
        name: {
            imported for imported in imported_names(file) & modules.keys() if not f"{name}.".startswith(f"{imported}.")
        }
        for name, file in modules.items()
    }
