from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.paths import ROOT, SAMPLE


def model(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_same_bytes_come_with_a_server_and_without(http: httpx.Client, server: str, tmp_path: Path) -> None:
    for output in ("mask", "overlay", "json"):
        here, there = tmp_path / f"here-{output}.png", tmp_path / f"there-{output}.png"
        assert model(SAMPLE, "--output", output, "--out", here).returncode == 0
        client = [sys.executable, "-m", "client", str(SAMPLE), "--url", server, "--output", output, "--out", str(there)]
        subprocess.run(client, cwd=ROOT, check=True)
        answer = http.post(f"/?output={output}", content=SAMPLE.read_bytes())
        assert here.read_bytes() == there.read_bytes() == answer.content


def test_the_mask_lands_beside_the_photo(tmp_path: Path) -> None:
    photo = tmp_path / "cat.jpg"
    photo.write_bytes(SAMPLE.read_bytes())
    done = model(photo)
    assert done.returncode == 0
    assert "cat-mask.png" in done.stdout
    assert (tmp_path / "cat-mask.png").is_file()


def test_a_photo_that_fails_does_not_stop_the_rest(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    done = model(broken, tmp_path / "missing.jpg", SAMPLE, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "broken.jpg" in done.stderr
    assert "missing.jpg" in done.stderr
    assert "Traceback" not in done.stderr
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["sample-mask.png"]


def test_a_model_or_an_option_without_sense_is_one_line(tmp_path: Path) -> None:
    for arguments in (["--model", tmp_path / "none.tflite"], ["--threshold", "7"], ["--class", "horse"]):
        done = model(SAMPLE, *arguments)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
