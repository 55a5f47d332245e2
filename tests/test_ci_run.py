""".ci/run, with stand-ins for make, pyenv and the Pythons."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.paths import ROOT


def add_command(file: Path, script: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def run(folder: Path, *arguments: str) -> tuple[list[str], str]:
    """Run .ci/run with the commands in a folder alone; return the arguments of each call of make, and the output."""
    add_command(folder / "make", f'echo "$@" >> {folder}/made')
    add_command(folder / "chromium", "")
    for name in ("bash", "dirname"):
        (folder / name).symlink_to(shutil.which(name) or name)
    command = [str(ROOT / ".ci/run"), *arguments]
    process = subprocess.run(command, env={"PATH": str(folder)}, check=True, capture_output=True, text=True)
    return (folder / "made").read_text().splitlines(), process.stdout


def test_the_tests_run_once_on_each_python_from_3_11_on(tmp_path: Path) -> None:
    bin_folder, versions = tmp_path / "bin", tmp_path / "pyenv" / "versions"
    add_command(bin_folder / "pyenv", f"echo {tmp_path}/pyenv")
    add_command(bin_folder / "python3", "echo 3.11")
    add_command(bin_folder / "python3.11", "echo 3.11")
    add_command(bin_folder / "python3.12", "exit 127")  # pyenv's command for a version that is not selected
    add_command(bin_folder / "python3.13", "echo 3.13")
    add_command(bin_folder / "python3.14", "echo 3.14")
    add_command(versions / "3.10.13/bin/python", "exit 1")
    add_command(versions / "3.12.1/bin/python", "echo 3.12")
    add_command(versions / "3.13.0/bin/python", "echo 3.13")
    made, output = run(bin_folder)
    assert made == [
        "test",
        "audit platforms",
        "train-test",
        "test PYTHON=python3.13 VENV=.venv-3.13 TESTS=-m 'not gcloud'",
        "roads ROADS_PYTHON=python3.13",
        "test PYTHON=python3.14 VENV=.venv-3.14 TESTS=-m 'not gcloud'",
        f"test PYTHON={versions}/3.12.1/bin/python VENV=.venv-3.12 TESTS=-m 'not gcloud'",
    ]
    assert output == "Tested on Python: 3.11 3.13 3.14 3.12 \n"


def test_a_python_that_is_named_is_the_only_one(tmp_path: Path) -> None:
    made, _ = run(tmp_path, "python3.14")
    assert made == ["test audit platforms PYTHON=python3.14"]
