"""What the README shows is what happens: its commands run, its tables are the code's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import main
from model.options import NAMES, OUTPUTS
from model.serving.settings import Settings
from tests.support.paths import ROOT, SAMPLE

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def block(kind: str, starts: str) -> str:
    """Find the one block of a kind that has a line starting so."""
    start = re.compile(f"^{re.escape(starts)}", re.MULTILINE)
    (found,) = [text for name, text in BLOCKS if name == kind and start.search(text)]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a photo, from which python finds the repository's own packages."""
    (tmp_path / "photo.jpg").write_bytes(SAMPLE.read_bytes())
    return tmp_path


def run(commands: str, folder: Path) -> None:
    """Run lines of shell as a reader would, with the Python of these tests and the repository at hand."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", commands], cwd=folder, env=env, check=True)


def test_a_folder_of_photos_becomes_a_folder_of_masks(server: str, folder: Path) -> None:
    (folder / "photos").mkdir()
    (folder / "photo.jpg").rename(folder / "photos" / "cat.jpg")
    run(f"export SILHOUETTE_URL={server}\n{block('sh', 'python -m client photos')}", folder)
    assert [file.name for file in (folder / "masks").iterdir()] == ["cat-mask.png"]
    assert len((folder / "log.jsonl").read_text().splitlines()) == 1


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_commands_that_call_the_function_write_what_they_say(server: str, folder: Path) -> None:
    commands = block("sh", "python -m client photo.jpg").replace("http://127.0.0.1:8080", server)
    run(f"export SILHOUETTE_URL={server}\n{commands}", folder)
    made = {"photo-mask.png", "overlay.png", "side-by-side.png", "mask.png"}
    assert made <= {file.name for file in folder.iterdir()}
    assert (folder / "mask.png").read_bytes() == (folder / "photo-mask.png").read_bytes()


def test_the_python_lines_print_a_mask(
    server: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    exec(block("python", "from client").replace("http://127.0.0.1:8080", server), {})
    assert "(300, 451)" in capsys.readouterr().out


def test_the_command_without_a_server_writes_a_mask(folder: Path) -> None:
    run(block("sh", "python -m model photo.jpg"), folder)
    assert (folder / "photo-mask.png").is_file()


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_javascript_line_gets_the_mask(server: str, folder: Path) -> None:
    line = block("js", "const mask")
    script = f"""
const fs = require("fs");
(async () => {{
  const url = "{server}", file = fs.readFileSync("photo.jpg");
  {line}
  fs.writeFileSync("mask.png", Buffer.from(await mask.arrayBuffer()));
}})();
"""
    subprocess.run(["node", "-e", script], cwd=folder, check=True)
    run("python -m model photo.jpg", folder)
    assert (folder / "mask.png").read_bytes() == (folder / "photo-mask.png").read_bytes()


@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_the_proxy_command_is_one_that_gcloud_has() -> None:
    words = block("sh", "gcloud run services proxy").split()[:4]
    assert "proxy" in subprocess.run([*words, "--help"], capture_output=True, text=True, check=True).stdout


def test_the_demo_writes_its_two_pictures(folder: Path) -> None:
    assert block("sh", "make demo").strip() == "make demo"
    run("python -m examples.demo photo.jpg", folder)
    assert {file.name for file in (folder / "demo").iterdir()} == {"mask.png", "overlay.png", "function.log"}


def test_the_commands_behind_make_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in block("sh", "python -m venv").splitlines():
        words = line.replace(".venv/bin/", "$(BIN)/")
        words = words.replace("pip install", "pip install --quiet --disable-pip-version-check")
        words = words.replace("python -m venv .venv", "$(PYTHON) -m venv $(VENV)").replace("8080", "$(PORT)")
        assert words in makefile


def test_the_deploy_commands_are_those_that_the_tests_of_the_deployment_run() -> None:
    played = "".join(
        file.read_text() for file in [*ROOT.glob("tests/deploy/test_*.py"), ROOT / "tests/support/fake_gcp/rehearse.py"]
    )
    told = subprocess.run(["./deploy.sh", "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^\./deploy\.sh .*", README, re.MULTILINE)
    assert len(commands) == 7
    for option in set(re.findall(r"--[a-z-]+", " ".join(commands))) - {"--project"}:
        assert option in told
        assert f'"{option}"' in played, option


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_the_rehearsal_is_a_target_of_make() -> None:
    assert block("sh", "make rehearse").strip() == "make rehearse"
    done = subprocess.run(["make", "-n", "rehearse"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "-m tests.support.fake_gcp.rehearse" in done.stdout


def test_the_tables_name_every_option_setting_and_code() -> None:
    for name in (*NAMES, *OUTPUTS, *(field.name.upper() for field in fields(Settings))):
        assert f"`{name}`" in README, name
    for error, status in main.STATUS.items():
        row = next(line for line in README.splitlines() if f"`{main.errors.code_of(error.__name__)}`" in line)
        assert str(status) in row, row


def test_what_is_said_of_the_bundled_model_is_from_its_report() -> None:
    table = README.partition("## The bundled model")[2].partition("\n| ")[2].partition("\n\n")[0]
    assert len(table.splitlines()) == 7
    assert table in (ROOT / "model" / "weights" / "report.md").read_text()


def test_what_is_said_of_breeds_that_the_network_never_saw_is_from_their_histories() -> None:
    last = [file.read_text().split()[-1].split(",") for file in (ROOT / "model/weights/left-out").iterdir()]
    low, high = sorted(f"{float(iou):.2f}" for _, _, iou, *_ in last)
    assert f"of {low} or {high} on the third" in README


def test_what_is_said_of_hostile_bodies_and_of_the_storm_is_from_their_results() -> None:
    hostile, soak = (json.loads((ROOT / f"benchmarks/results/{name}.json").read_text()) for name in ("hostile", "soak"))
    trust = README.partition("## Trust it")[2]
    assert f"| {hostile['cases']:,} | 0 | {hostile['wrong']} |" in trust
    assert f"{hostile['by_status']['200']:,} got a mask" in trust
    assert f"after {hostile['worst_s']} s, with at most {hostile['worst_pss_mb']} MB" in trust
    storm = f"{soak['right']:,} masks, {soak['refused']:,} told to come back, {soak['hung up']:,} that hung up"
    assert f"{storm} | {soak['lost']} | {soak['wrong']} |" in trust
    assert f"stood at {soak['pss_mb'][1]:.0f} MB, threads at {soak['threads'][1]:.0f}," in trust
