"""The command that downloads Oxford-IIIT Pet, or checks a user's own folders."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from model.training import dataset
from model.training.cli import CommandError
from tests.support.file_server import serving
from tests.support.training import RunCommand, draw, error_line


def archive(folder: Path, name: str) -> bytes:
    """Return a .tar.gz of a folder under another name, with one of the stray files that the original archives have."""
    with io.BytesIO() as stream:
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            tar.add(folder, name)
            tar.addfile(tarfile.TarInfo(f"{name}/._junk.png"))
        return stream.getvalue()


def test_oxford_iiit_pet_is_downloaded_unpacked_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, masks = draw(tmp_path / "theirs", 12)
    files = {"images.tar.gz": archive(photos, "images"), "annotations.tar.gz": archive(masks, "annotations/trimaps")}
    sums = {n.partition(".")[0]: (n, hashlib.md5(data).hexdigest()) for n, data in files.items()}
    monkeypatch.setattr(dataset, "ARCHIVES", sums)
    out = tmp_path / "ours"
    with serving(files) as server:
        for _ in range(2):
            dataset.main(["--url", server.url, "--out", str(out)])
        assert len(server.ranges) == 2
    assert "12 pairs of mask format trimap" in capsys.readouterr().out
    assert {p.name for p in out.iterdir() if p.is_dir()} == {"images", "annotations"}
    assert (out / "dataset.png").stat().st_size > 1000


def test_an_invalid_archive_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(np.random.default_rng(0).bytes(700_000))
    with pytest.raises(CommandError, match="not the expected archive"):
        dataset.extract(tmp_path / "a.tar.gz", tmp_path, "images")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


def test_broken_pairs_are_listed_and_the_command_fails(tmp_path: Path, run_command: RunCommand) -> None:
    photos, masks = draw(tmp_path, 4)
    (photos / "round_1.jpg").write_bytes(b"")
    completed = run_command("dataset", "--photos", photos, "--masks", masks, "--out", tmp_path / "out")
    assert "1 pairs are broken" in error_line(completed)
    assert "broken: round_1.jpg" in completed.stdout
    assert (tmp_path / "out" / "dataset.json").exists()
