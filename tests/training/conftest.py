"""Fixtures of the training pipeline's tests: drawn photos, trained models, and commands in their own processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import xception_unet
from tests.support.paths import ROOT
from tests.support.training import CARD, RunCommand, draw


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of 24 photos of discs, 64 x 72 pixels, and of their trimaps."""
    return draw(tmp_path_factory.mktemp("drawn"), 24)


@pytest.fixture(scope="session")
def run_command() -> RunCommand:
    """A function that runs a command in a new process, with its name, arguments and environment variables."""

    def run_command(name: str, *args: object, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", f"model.training.{name}", *map(str, args)]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True)

    return run_command


@pytest.fixture(scope="session")
def discs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of 24 photos of red or blue discs, and of their masks: 1 red, 2 blue."""
    return draw(tmp_path_factory.mktemp("discs"), 24, classes=3)


@pytest.fixture(scope="session")
def unets(discs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of a U-Net that segments red and blue discs: .h5 of Keras 2 for BGR and for RGB, and a SavedModel."""
    import tf_keras

    from model.training.data import samples

    folder = samples.load(*discs)
    photos = np.stack([np.asarray(s.photo.resize((64, 64)))[..., ::-1] for s in folder.samples]).astype(np.float32)
    ids = np.stack([np.asarray(s.ids.resize((64, 64), Image.Resampling.NEAREST)) for s in folder.samples])
    tf_keras.utils.set_random_seed(3)
    model = xception_unet.build(tf_keras, 64, classes=3)
    model.compile(tf_keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    model.fit(photos, ids, batch_size=12, epochs=25, verbose=0)
    out = tmp_path_factory.mktemp("unets")
    files = {"BGR": out / "unet-bgr.h5", "RGB": out / "unet-rgb.hdf5", "saved": out / "saved"}
    model.save(files["BGR"], save_format="h5")
    model.export(str(files["saved"]))
    first = next(layer for layer in model.layers if layer.weights)
    first.set_weights([first.get_weights()[0][:, :, ::-1], *first.get_weights()[1:]])
    model.save(files["RGB"], save_format="h5")
    return files


@pytest.fixture(scope="session")
def converted(unets: dict[str, Path], discs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the U-Net for BGR, converted by every recipe."""
    from model.training import quantize

    out = tmp_path_factory.mktemp("converted")
    recipes = ["--recipe", "all", "--photos", str(discs[0]), "--out", str(out)]
    quantize.main([str(unets["BGR"]), *recipes, *CARD, "--order", "BGR"])
    return out


@pytest.fixture
def train_small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `train` train a small network from random weights, in place of the real one from the ImageNet weights."""
    from model.training.nets import network
    from tests.support import small_network

    monkeypatch.setattr(network, "build", small_network.build)
    monkeypatch.setattr(network, "load_imagenet", lambda *_: None)
