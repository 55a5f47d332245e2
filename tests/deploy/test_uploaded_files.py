"""The files that are uploaded to Cloud Functions."""

from __future__ import annotations

import ast
import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from deploy import bundle
from tests.support.fake_gcp.cloud import FakeCloud
from tests.support.fake_gcp.commands import assert_failed, copy_tree, deploy
from tests.support.fake_gcp.marks import requires_gcloud
from tests.support.fake_gcp.rehearse import Rehearsal
from tests.support.paths import ROOT

pytestmark = requires_gcloud


def listed_files(tree: Path) -> set[str]:
    """Return the files of a directory that gcloud would upload."""
    command = ["gcloud", "meta", "list-files-for-upload", "."]
    with FakeCloud() as cloud:
        process = subprocess.run(command, cwd=tree, env=cloud.environment(), capture_output=True, text=True, check=True)
    return set(process.stdout.splitlines())


def imported_modules(file: Path) -> set[Path]:
    """Return the files of main.py and model/ that a file may import, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = list(file.relative_to(ROOT).parent.parts)
            prefix = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*prefix, *([node.module] if node.module else [])])
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    parents = {".".join(name.split(".")[:end]) for name in names for end in range(1, name.count(".") + 2)}
    paths = [ROOT.joinpath(*name.split(".")) for name in parents if name]
    candidates = [candidate for path in paths for candidate in (path.with_suffix(".py"), path / "__init__.py")]
    return {path for path in candidates if path.is_file()}


def modules_reachable_from(start: Path) -> set[str]:
    """Return the files that a module imports, directly and indirectly, relative to the repository."""
    reached, pending = {start}, [start]
    while pending:
        new = imported_modules(pending.pop()) - reached
        reached |= new
        pending += new
    return {file.relative_to(ROOT).as_posix() for file in reached}


def test_the_upload_contains_exactly_the_files_that_run(rehearsal: Rehearsal) -> None:
    function = rehearsal.steps["first deployment"].function
    source = function["buildConfig"]["source"]["storageSource"]["object"]
    with zipfile.ZipFile(io.BytesIO(rehearsal.cloud.project.uploads[source])) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    expected = [ROOT / "main.py", ROOT / "requirements.txt"]
    expected += [file for file in (ROOT / "model").rglob("*.py") if "training" not in file.parts]
    expected += [*(ROOT / "model/weights").glob("*.tflite"), *(ROOT / "client/web").iterdir()]
    assert names == {file.relative_to(ROOT).as_posix() for file in expected}


def test_every_module_that_main_imports_is_uploaded() -> None:
    reachable = modules_reachable_from(ROOT / "main.py")
    assert {"main.py", "model/image/decode.py", "model/gcs/client.py"} <= reachable
    assert reachable <= listed_files(ROOT)


def test_the_archives_for_other_platforms_have_the_same_files() -> None:
    files = {file.relative_to(ROOT).as_posix() for file in bundle.source_files()}
    assert files | {"requirements.txt"} == listed_files(ROOT)


@pytest.mark.parametrize(
    ("file", "uploaded"),
    [
        ("model/new_package/new_module.py", True),
        ("model/training/cli.py", False),
        ("model/training/nets/unet.py", False),
        ("model/image/notes.txt", False),
        ("model/image/.hidden.py/secret.txt", False),
        ("model/weights/report.md", False),
        ("client/client.py", False),
        ("client/web/.env", False),
        ("tests/conftest.py", False),
        (".env", False),
        ("other.py", False),
    ],
)
def test_a_files_location_determines_whether_it_is_uploaded(tmp_path: Path, file: str, uploaded: bool) -> None:
    tree = copy_tree(tmp_path)
    (tree / file).parent.mkdir(parents=True, exist_ok=True)
    (tree / file).touch()
    assert (file in listed_files(tree)) == uploaded


def test_a_training_module_stops_the_deployment_if_gcloudignore_allows_it(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path)
    (tree / "model/training").mkdir()
    (tree / "model/training/cli.py").touch()
    ignored = (tree / ".gcloudignore").read_text().replace("/model/training\n", "")
    (tree / ".gcloudignore").write_text(ignored)
    with FakeCloud() as cloud:
        result = deploy(cloud, "--dry-run", root=tree)
    assert_failed(result, "must not be: model/training/cli.py", "git checkout .gcloudignore")
