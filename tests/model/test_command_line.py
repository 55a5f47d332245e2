from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.origins import without_origin
from tests.support.paths import ROOT, SAMPLE


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_output_is_byte_for_byte_that_of_the_function(http: httpx.Client, server: str, tmp_path: Path) -> None:
    for output, suffix in (("mask", "png"), ("overlay", "png"), ("json", "json")):
        local, remote = tmp_path / f"local-{output}.{suffix}", tmp_path / f"remote-{output}.{suffix}"
        assert run(SAMPLE, "--output", output, "--out", local).returncode == 0
        client = [
            sys.executable,
            "-m",
            "client",
            str(SAMPLE),
            "--url",
            server,
            "--output",
            output,
            "--out",
            str(remote),
        ]
        subprocess.run(client, cwd=ROOT, check=True)
        response = http.post(f"/?output={output}", content=SAMPLE.read_bytes())
        assert local.read_bytes() == without_origin(remote) == response.content


def test_the_mask_is_written_beside_the_photo(tmp_path: Path) -> None:
    photo = tmp_path / "cat.jpg"
    photo.write_bytes(SAMPLE.read_bytes())
    process = run(photo)
    assert process.returncode == 0
    assert "cat-mask.png" in process.stdout
    assert (tmp_path / "cat-mask.png").is_file()


def test_a_photo_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    process = run(broken, tmp_path / "missing.jpg", SAMPLE, "--out", tmp_path / "out")
    assert process.returncode == 1
    assert "broken.jpg" in process.stderr
    assert "missing.jpg" in process.stderr
    assert "Traceback" not in process.stderr
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["sample-mask.png"]


def test_a_missing_model_or_an_invalid_option_is_reported_without_a_traceback(tmp_path: Path) -> None:
    for arguments in (["--model", tmp_path / "none.tflite"], ["--threshold", "7"], ["--class", "horse"]):
        process = run(SAMPLE, *arguments)
        assert process.returncode == 1
        assert "Traceback" not in process.stderr
