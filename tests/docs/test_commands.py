"""Every command and code block in the documents works."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.origins import without_origin
from tests.support.pages import PAGES, Block, block, blocks, commands
from tests.support.paths import ROOT, SAMPLE

README, CLIENT, HTTP_API, CONTRIBUTING = (
    ROOT / name for name in ("README.md", "docs/client.md", "docs/http-api.md", "CONTRIBUTING.md")
)
LOCAL_URL = "http://127.0.0.1:8080"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a photo, as a reader has it."""
    (tmp_path / "photo.jpg").write_bytes(SAMPLE.read_bytes())
    return tmp_path


def run(commands: str, folder: Path) -> None:
    """Run lines of shell as a reader would, with the Python of these tests and the repository on its path."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", commands], cwd=folder, env=env, check=True)


# Calls of the function


def test_a_folder_of_photos_becomes_a_folder_of_masks(server: str, folder: Path) -> None:
    (folder / "photos").mkdir()
    (folder / "photo.jpg").rename(folder / "photos" / "cat.jpg")
    command = block(CLIENT, "sh", "python -m client photos")
    assert command in block(README, "sh", "python -m client photos")
    run(f"export SILHOUETTE_URL={server}\n{command}", folder)
    assert [file.name for file in (folder / "masks").iterdir()] == ["cat-mask.png"]
    assert len((folder / "log.jsonl").read_text().splitlines()) == 1


def test_two_functions_are_compared(server: str, folder: Path) -> None:
    (folder / "photos").mkdir()
    (folder / "photo.jpg").rename(folder / "photos" / "cat.jpg")
    command = block(CLIENT, "sh", "python -m client --url")
    run(command.replace("https://NEW", server).replace("https://OLD", server), folder)
    assert (folder / "worst.png").is_file()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_commands_that_call_the_function_write_the_files_that_they_name(server: str, folder: Path) -> None:
    calls = [
        block(CLIENT, "sh", "python -m client photo.jpg"),
        block(README, "sh", "curl").replace(LOCAL_URL, server),
        block(HTTP_API, "sh", "curl").replace(LOCAL_URL, server),
    ]
    assert calls[0].splitlines()[0] in block(README, "sh", "python -m client photo.jpg").splitlines()
    run("\n".join([f"export SILHOUETTE_URL={server}", *calls]), folder)
    created = {"photo-mask.png", "overlay.png", "side-by-side.png", "mask.png", "cutout.png", "tensor.json"}
    assert created <= {file.name for file in folder.iterdir()}
    assert (folder / "mask.png").read_bytes() == without_origin(folder / "photo-mask.png")


@pytest.mark.parametrize(
    ("page", "printed"), [(README, "(300, 451)"), (CLIENT, "(451, 300) pets")], ids=["README", "client"]
)
def test_the_python_examples_segment_a_photo(
    page: Path,
    printed: str,
    server: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    exec(block(page, "python", "from client").replace(LOCAL_URL, server), {})
    assert printed in capsys.readouterr().out


def test_the_command_without_a_server_writes_a_mask(folder: Path) -> None:
    run(block(CLIENT, "sh", "python -m model photo.jpg"), folder)
    assert (folder / "photo-mask.png").is_file()


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_javascript_example_gets_the_mask(server: str, folder: Path) -> None:
    script = f"""
const fs = require("fs");
(async () => {{
  const url = "{server}", file = fs.readFileSync("photo.jpg");
  {block(README, "js", "const mask")}
  fs.writeFileSync("mask.png", Buffer.from(await mask.arrayBuffer()));
}})();
"""
    subprocess.run(["node", "-e", script], cwd=folder, check=True)
    run("python -m model photo.jpg", folder)
    assert (folder / "mask.png").read_bytes() == (folder / "photo-mask.png").read_bytes()


# Set-up


def test_the_demo_writes_its_two_pictures(folder: Path) -> None:
    assert block(README, "sh", "make demo").strip() == "make demo"
    run("python -m examples.demo photo.jpg", folder)
    assert {file.name for file in (folder / "demo").iterdir()} == {"mask.png", "overlay.png", "function.log"}


def test_the_commands_behind_make_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in block(CONTRIBUTING, "sh", "python -m venv").splitlines():
        words = line.replace(".venv/bin/", "$(BIN)/")
        words = words.replace("pip install", "pip install --quiet --disable-pip-version-check")
        words = words.replace("python -m venv .venv", "$(PYTHON) -m venv $(VENV)").replace("8080", "$(PORT)")
        assert words in makefile


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_the_rehearsal_is_a_target_of_make() -> None:
    assert block(ROOT / "docs" / "deploy.md", "sh", "make rehearse").strip() == "make rehearse"
    done = subprocess.run(["make", "-n", "rehearse"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "-m tests.support.fake_gcp.rehearse" in done.stdout


# Every command belongs to a group that is checked


def check_make(command: str) -> None:
    """Check that make knows the targets."""
    subprocess.run([*shlex.split(command), "-n"], cwd=ROOT, capture_output=True, check=True)


def check_help(command: str) -> None:
    """Check that the help of a Python command lists each option of the command line."""
    words = shlex.split(command)
    module = words[words.index("-m") + 1]
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout, option


def check_training(command: str) -> None:
    """Check a command of the training pipeline, which may be shortened to the module's name."""
    check_help(command if command.startswith("python") else f"python -m model.training.{command}")


def check_deploy(command: str) -> None:
    """Check that each option is in the help of deploy.sh, and each, like gcloud's flags after --, in its tests."""
    files = [*ROOT.glob("tests/deploy/test_*.py"), ROOT / "tests" / "support" / "fake_gcp" / "rehearse.py"]
    exercised = "".join(file.read_text() for file in files)
    done = subprocess.run(["./deploy.sh", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    options, _, flags = command.partition(" -- ")
    for option in set(re.findall(r"--[a-z-]+", options)) - {"--project"}:
        assert option in done.stdout, option
        assert f'"{option}"' in exercised, option
    for flag in re.findall(r"--[a-z-]+", flags):
        assert f'"{flag}' in exercised, flag


def check_gcloud(command: str) -> None:
    """Check that gcloud has the command."""
    if not shutil.which("gcloud"):
        pytest.skip("gcloud is not installed")
    group = re.split(r" -| silhouette", command)[0]
    subprocess.run([*group.split(), "--help"], capture_output=True, check=True)


def check_files(command: str) -> None:
    """Check the files that a command for another platform names: its tool is not installed here."""
    for word in shlex.split(command):
        if re.match(r"(/opt/silhouette/)?(deploy/|model/|main\.py|requirements\.txt)", word):
            assert (ROOT / word.removeprefix("/opt/silhouette/")).is_file() or word.endswith("/model"), word
        if word.startswith("build/"):
            platform = re.fullmatch(r"build/silhouette-(lambda|azure)\.zip", word)
            assert platform
            assert f"deploy.bundle {platform[1]}" in (ROOT / "docs" / "other-platforms.md").read_text()


def check_elsewhere(command: str) -> None:
    """Check nothing: a test above runs this very line."""


CHECKS: dict[str, Callable[[str], None]] = {
    r"make ": check_make,
    r"\./deploy\.sh ": check_deploy,
    r"gcloud ": check_gcloud,
    r"python -m model\.training\.": check_training,
    r"(train|quantize) ": check_training,
    r"python -m (client gs://|benchmarks\.)": check_help,
    r"python -m (client photos? |client photo\.jpg$|client photo\.jpg --|model photo\.jpg$)": check_elsewhere,
    r"python -m client --url": check_elsewhere,
    r"python -m deploy\.bundle ": check_help,
    r"(sam|az|pack|kubectl|sudo) ": check_files,
    r"(curl --aws-sigv4 |python -m pip install uv$)": check_files,
    r"curl (?!--aws)": check_elsewhere,
    r"(python -m venv|\.venv/bin/)": check_elsewhere,
    r"\. \.venv-train/bin/activate$": check_elsewhere,
}


@pytest.mark.parametrize(("page", "command"), sorted(set(commands())), ids=lambda value: str(value)[:60])
def test_each_command_in_the_documents_is_checked(page: str, command: str) -> None:
    checks = [check for pattern, check in CHECKS.items() if re.match(pattern, command)]
    assert len(checks) == 1, f"no test runs this command of {page}: add it to CHECKS"
    checks[0](command)


@pytest.mark.parametrize(
    "code",
    [each for page in PAGES for each in blocks(page) if each.language == "python"],
    ids=lambda code: code.page.name,
)
def test_each_python_example_is_valid_code(code: Block) -> None:
    ast.parse(code.text)
