"""The installed package: `silhouette`, with the command `silhouette`."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import client as package
from client import Client, errors
from tests.support.fake_function import FakeFunction, render
from tests.support.images import random_image
from tests.support.origins import without_origin
from tests.support.paths import ROOT

IMPORT_ALL = """
import importlib, pkgutil, silhouette
for module in pkgutil.walk_packages(silhouette.__path__, "silhouette."):
    importlib.import_module(module.name)
print(silhouette.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the checkout so that the build leaves nothing in it."""
    pytest.importorskip("setuptools", minversion="77", reason="setuptools is too old; run make test")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("client", "examples", "model"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "weights"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "main.py"):
        shutil.copy(ROOT / name, source)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", str(source), *options], check=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site_packages(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel is installed."""
    target = tmp_path_factory.mktemp("site-packages")
    options = ["--no-deps", "--no-index", "--quiet", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", str(wheel), *options], check=True)
    return target


def run_installed(site_packages: Path, *command: str) -> str:
    """Run a command away from the checkout, with the installed package on the path, and return its output."""
    environment = {**os.environ, "PYTHONPATH": str(site_packages)}
    process = subprocess.run(command, cwd=site_packages, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return process.stdout


def test_the_wheel_has_the_package_silhouette_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "silhouette",
        f"silhouette_client-{package.__version__}.dist-info",
    }
    shipped = {name.removeprefix("silhouette/") for name in names if name.startswith("silhouette/")}
    sources = {path.relative_to(ROOT / "client").as_posix() for path in (ROOT / "client").rglob("*.py")}
    assert shipped == sources | {"py.typed"}


def test_every_module_can_be_imported_as_silhouette(site_packages: Path) -> None:
    path = run_installed(site_packages, sys.executable, "-c", IMPORT_ALL)
    assert Path(path.strip()).parent == site_packages / "silhouette"


@pytest.mark.parametrize("name", ["client", "examples", "model", "main"])
def test_nothing_else_is_installed(site_packages: Path, name: str) -> None:
    code = f"import importlib.util; print(importlib.util.find_spec({name!r}))"
    assert run_installed(site_packages, sys.executable, "-c", code).strip() == "None"


@pytest.mark.skipif(os.name != "posix", reason="scripts have another form on Windows")
def test_the_command_writes_a_mask(site_packages: Path, fake: FakeFunction, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(random_image(7))
    run_installed(site_packages, str(site_packages / "bin" / "silhouette"), str(photo), "--url", fake.url)
    assert without_origin(tmp_path / "photo-mask.png") == render(random_image(7))


@pytest.mark.parametrize(
    ("command", "name"),
    [(["bin/silhouette"], "silhouette"), ([sys.executable, "-m", "silhouette"], "python -m silhouette")],
)
def test_the_help_names_the_command(site_packages: Path, command: list[str], name: str) -> None:
    help_text = run_installed(site_packages, *command, "--help")
    assert help_text.startswith(f"usage: {name} ")


def test_the_version_has_one_source() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "silhouette.version.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", package.__version__)


def test_the_user_agent_names_the_client_and_its_version(client: Client, fake: FakeFunction) -> None:
    client.segment(random_image(7))
    assert re.fullmatch(r"silhouette-client/\d+\.\d+\.\d+ python-httpx/\S+", fake.requests[0].headers["user-agent"])


def test_all_names_of_the_public_surface_exist() -> None:
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


def test_the_docstring_of_errors_shows_the_class_tree() -> None:
    assert errors.__doc__
    columns = {name: len(prefix) for prefix, name in re.findall(r"^([|` -]*)([A-Z]\w+)", errors.__doc__, re.M)}
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.ClientError):
            assert columns[value.__name__] == 3 * value.__mro__.index(errors.ClientError), value


def test_no_module_imports_the_package_by_its_name() -> None:
    for path in (ROOT / "client").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert not {name.partition(".")[0] for name in names} & {"client", "silhouette"}, path
