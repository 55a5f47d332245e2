"""The archives of AWS Lambda with the locked packages, for both CPUs; the one for this machine is run."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy import bundle
from tests.support.lambda_service import function_url_event, response_body, run_lambda
from tests.support.paths import ROOT, SAMPLE


def build(folder: Path, architecture: str) -> Path:
    """Build the archive as a user does."""
    archive = folder / f"{architecture}.zip"
    command = [sys.executable, "-m", "deploy.bundle", "lambda", "--arch", architecture, "--out", str(archive)]
    subprocess.run(command, cwd=ROOT, check=True)
    return archive


@pytest.mark.parametrize("architecture", bundle.ARCHITECTURES)
def test_the_archive_fits_and_has_the_libraries_of_its_cpu(architecture: str, tmp_path: Path) -> None:
    archive = build(tmp_path, architecture)
    assert archive.stat().st_size < bundle.MAX_ZIP_BYTES
    with zipfile.ZipFile(archive) as content:
        names = content.namelist()
        assert sum(entry.file_size for entry in content.infolist()) < bundle.MAX_UNZIPPED_BYTES
    assert {"handler.py", "main.py", "apig_wsgi/__init__.py", "ai_edge_litert/interpreter.py"} <= set(names)
    extensions = [name for name in names if ".cpython-" in name and name.endswith(".so")]
    assert extensions
    assert all(f"313-{bundle.ARCHITECTURES[architecture]}-linux" in name for name in extensions)


@pytest.mark.skipif(
    (platform.machine(), sys.version_info[:2]) != ("x86_64", (3, 13)), reason="the archive is for Python 3.13 on x86-64"
)
def test_the_archive_returns_the_mask_of_the_source_under_the_runtime_client_of_aws(tmp_path: Path) -> None:
    folder, photo = tmp_path / "task", SAMPLE.read_bytes()
    with zipfile.ZipFile(build(tmp_path, "x86_64")) as archive:
        archive.extractall(folder)
    with run_lambda(folder) as service:
        result = service.invoke(function_url_event("POST", "/", {"Content-Type": "image/jpeg"}, photo))
    assert modules_without_bytecode(folder) == []
    command = [sys.executable, "-m", "model", str(SAMPLE), "--out", str(tmp_path / "mask.png")]
    subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(folder)}, check=True)
    assert response_body(result) == (tmp_path / "mask.png").read_bytes()


def modules_without_bytecode(folder: Path) -> list[str]:
    """Return the modules of the archive that its handler imports from source."""
    code = """
import json, os, sys
import handler
files = [(module.__file__ or "", module.__cached__) for module in sys.modules.values() if hasattr(module, "__cached__")]
print(json.dumps([file for file, cached in files if file.startswith(os.getcwd()) and not os.path.exists(cached or "")]))
"""
    done = subprocess.run([sys.executable, "-Bc", code], cwd=folder, capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return [module for module in modules if module.endswith(".py")]
