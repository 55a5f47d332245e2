from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from model.training import quantize, train
from model.training.cli import CommandError
from model.training.data.batches import Pairs
from model.training.data.samples import load
from model.training.nets import network, tflite_weights
from tests.support import small_network
from tests.support.training import train_arguments

pytestmark = pytest.mark.usefixtures("train_small_network")


def test_a_run_starts_from_the_weights_of_another(
    drawn: tuple[Path, Path], discs: tuple[Path, Path], tmp_path: Path
) -> None:
    train.main(train_arguments(drawn, tmp_path / "first", "--epochs", 2))
    weights = tmp_path / "first" / "model.h5"
    no_change = ["--epochs", 1, "--peak-rate", 1e-9, "--weights", weights]
    train.main(train_arguments(drawn, tmp_path / "second", *no_change))
    first, second = (
        keras.models.load_model(tmp_path / run / "model.h5", compile=False).trainable_weights
        for run in ("first", "second")
    )
    for expected, actual in zip(first, second, strict=True):
        np.testing.assert_allclose(expected, actual, atol=1e-5)
    with pytest.raises(CommandError, match="not a model of this network with 3 channels"):
        train.main(train_arguments(discs, tmp_path / "third", "--epochs", 1, "--classes", 3, "--weights", weights))


def test_a_run_starts_from_the_mean_of_several_models(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = [tmp_path / "first.h5", tmp_path / "second.h5"]
    for file in files:
        model = small_network.build(64)
        model.set_weights([rng.uniform(0.5, 1, weights.shape) for weights in model.get_weights()])
        model.save(file)
    train.main(train_arguments(drawn, tmp_path / "mean", "--epochs", 0, "--weights", *files))
    train.main(train_arguments(drawn, tmp_path / "run", "--epochs", 1, "--peak-rate", 1e-9, "--weights", *files))
    first, second, mean, trained = (
        keras.models.load_model(file, compile=False).trainable_weights
        for file in (*files, tmp_path / "mean" / "model.h5", tmp_path / "run" / "model.h5")
    )
    for one, other, between, after in zip(first, second, mean, trained, strict=True):
        np.testing.assert_allclose((np.asarray(one) + np.asarray(other)) / 2, between, atol=1e-6)
        np.testing.assert_allclose(between, after, atol=1e-5)
    with pytest.raises(CommandError, match="at least 1"):
        train.main(train_arguments(drawn, tmp_path / "nothing", "--epochs", 0))


def test_a_fresh_encoder_has_the_imagenet_weights_and_the_decoder_those_of_the_file(
    drawn: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "first.h5"
    model = small_network.build(64)
    model.set_weights([np.full_like(weights, 0.5) for weights in model.get_weights()])
    model.save(file)

    def load_imagenet(model: keras.Model, tensors: object) -> None:
        stem = model.get_layer("stem")
        stem.set_weights([np.full_like(weights, 0.25) for weights in stem.get_weights()])

    monkeypatch.setattr(network, "load_imagenet", load_imagenet)
    for options, expected in ([], 0.5), (["--fresh-encoder"], 0.25):
        out = tmp_path / f"out-{expected}"
        train.main(train_arguments(drawn, out, "--epochs", 1, "--peak-rate", 1e-9, "--weights", file, *options))
        trained = keras.models.load_model(out / "model.h5", compile=False)
        np.testing.assert_allclose(trained.get_layer("stem").get_weights()[0], expected, atol=1e-4)
        np.testing.assert_allclose(trained.get_layer("classify").get_weights()[0], 0.5, atol=1e-4)


@pytest.mark.parametrize("recipe", ["float32", "float16"])
def test_a_run_starts_from_the_float_tflite_of_another(
    drawn: tuple[Path, Path], discs: tuple[Path, Path], tmp_path: Path, recipe: str
) -> None:
    train.main(train_arguments(drawn, tmp_path / "first", "--epochs", 3))
    weights = tmp_path / "first" / "model.tflite"
    quantize.main([str(tmp_path / "first" / "model.h5"), "--recipe", recipe, "--out", str(weights)])
    photos = Pairs(load(*drawn).samples, 64, 1, 0)[0][0]
    model = small_network.build(64)
    tflite_weights.load(model, weights, photos)
    expected = keras.models.load_model(tmp_path / "first" / "model.h5", compile=False)(photos, training=False)
    tolerance = 1e-5 if recipe == "float32" else 5e-3
    np.testing.assert_allclose(model(photos, training=False), expected, atol=tolerance)
    # the restored mean and variance are those of the batch, so that training continues from the same outputs
    np.testing.assert_allclose(model(photos, training=True), expected, atol=0.02)
    train.main(train_arguments(drawn, tmp_path / "second", "--epochs", 1, "--peak-rate", 1e-9, "--weights", weights))
    with pytest.raises(CommandError, match="not a float model of this network with 3 channels"):
        train.main(train_arguments(discs, tmp_path / "third", "--epochs", 1, "--classes", 3, "--weights", weights))


def test_a_run_does_not_start_from_an_int8_tflite(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    train.main(train_arguments(drawn, tmp_path / "first", "--epochs", 1))
    recipe = ["--recipe", "int8", "--photos", str(drawn[0]), "--out", str(tmp_path / "int8.tflite")]
    quantize.main([str(tmp_path / "first" / "model.h5"), *recipe])
    with pytest.raises(CommandError, match="not a float model of this network"):
        train.main(train_arguments(drawn, tmp_path / "second", "--epochs", 1, "--weights", tmp_path / "int8.tflite"))


def test_a_folded_run_trains_without_batch_normalization(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--folded needs --weights"):
        train.main(train_arguments(drawn, tmp_path / "none", "--epochs", 1, "--folded"))
    train.main(train_arguments(drawn, tmp_path / "first", "--epochs", 2))
    weights = tmp_path / "first" / "model.h5"
    trained = {}
    for rate in (1e-9, 1e-2):
        out = tmp_path / str(rate)
        folded = ["--epochs", 2, "--folded", "--peak-rate", rate, "--weights", weights]
        train.main(train_arguments(drawn, out, *folded))
        trained[rate] = keras.models.load_model(out / "model.h5", compile=False)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in trained[1e-9].layers)
    photos = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    before = keras.models.load_model(weights, compile=False)(photos, training=False)
    np.testing.assert_allclose(trained[1e-9](photos), before, atol=1e-4)
    assert np.abs(trained[1e-2](photos) - before).max() > 1e-2
