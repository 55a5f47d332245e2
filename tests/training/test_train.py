from __future__ import annotations

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from model.training import quantize, train
from model.training.cli import CommandError
from model.training.data.batches import Pairs
from model.training.data.masks import UNLABELLED
from model.training.data.samples import load
from model.training.fit import losses, trainer
from model.training.measure.interpreter import Interpreter
from model.training.nets import fake_quantization, fused_batch_norm, imagenet_weights, network, tflite_weights
from tests.support.training import RunCommand, error_line


def small(size_px: int, classes: int = 1) -> keras.Model:
    """Build a network of the same parts as the real one, which takes a second to compile instead of twenty."""
    image = keras.Input((size_px, size_px, 3), name="image")
    x = network.conv_bn(image, 8, 3, strides=2, name="stem")
    x = network.mb_conv(x, 3, 1, 2, 8, name="block1")
    x = layers.ReLU(6.0, name="up_relu")(layers.Add(name="up_add")([x, network.separable(x, 8, 5, name="wide")]))
    x = layers.UpSampling2D(2, interpolation="bilinear")(layers.Conv2D(classes, 3, padding="same", name="classify")(x))
    return keras.Model(image, layers.Activation("sigmoid" if classes == 1 else "softmax")(x), name="silhouette")


@pytest.fixture
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train the small network from nothing, instead of the real one from ImageNet."""
    monkeypatch.setattr(network, "build", small)
    monkeypatch.setattr(network, "load_imagenet", lambda *_: None)


def options(folders, out, *more):
    given = ["--photos", folders[0], "--masks", folders[1], "--out", out, "--size", 64, "--every", 2, *more]
    return [str(part) for part in given]


class Killed(Exception):
    """The machine goes away."""


def test_training_that_is_cut_off_ends_as_if_it_had_not_been(
    small_network, drawn: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off after epoch 1, after 3, where the size changes, and after 5, where the roundings of int8 begin."""
    plan = ["--epochs", "5", "--quantization-aware"]
    train.main(options(drawn, tmp_path / "whole", *plan))
    keep = trainer.Checkpointer.on_epoch_end
    for killed_after in (1, 3, 5):

        def keep_and_die(self, epoch, logs, last=killed_after) -> None:
            keep(self, epoch, logs)
            if epoch + 1 == last:
                raise Killed

        monkeypatch.setattr(trainer.Checkpointer, "on_epoch_end", keep_and_die)
        with pytest.raises(Killed):
            train.main(options(drawn, tmp_path / "cut", *plan))
    monkeypatch.setattr(trainer.Checkpointer, "on_epoch_end", keep)
    train.main(options(drawn, tmp_path / "cut", *plan))
    for name in ("model.h5", "model-aware.h5"):
        ends = [keras.models.load_model(tmp_path / run / name, compile=False).get_weights() for run in ("whole", "cut")]
        for one, other in zip(*ends, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
    histories = [list(csv.DictReader((tmp_path / run / "history.csv").open())) for run in ("whole", "cut")]
    assert [row["epoch"] for row in histories[0]] == [row["epoch"] for row in histories[1]] == ["2", "3", "4", "5", "6"]


def test_a_run_leaves_all_that_the_next_steps_need(small_network, drawn: tuple[Path, Path], tmp_path: Path) -> None:
    train.main(options(drawn, tmp_path, "--epochs", 2, "--labels", "table,disc"))
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert set(rows[0]) == {"epoch", "loss", "iou", "border_iou", "border_threshold"}
    with Image.open(tmp_path / "curves.png") as curves:
        assert len(curves.convert("RGB").getcolors(1 << 20)) > 3
    quantize.main([str(tmp_path / "model.h5")])
    assert json.loads((tmp_path / "card.json").read_text())["labels"] == ["table", "disc"]
    assert Interpreter(tmp_path / "model-float16.tflite").input_wh == (64, 64)
    assert {p.name for p in tmp_path.iterdir()} == {
        "card.json",
        "checkpoint.npz",
        "curves.png",
        "history.csv",
        "model.h5",
        "model-float16.tflite",
    }


def test_a_checkpoint_of_other_options_is_not_gone_on_with(
    small_network, drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    train.main(options(drawn, tmp_path, "--epochs", 1))
    with pytest.raises(CommandError, match="of a run with other options or photos"):
        train.main(options(drawn, tmp_path, "--epochs", 2))


def test_many_classes_are_learnt(small_network, discs: tuple[Path, Path], tmp_path: Path) -> None:
    train.main(options(discs, tmp_path, "--epochs", 70, "--classes", 3, "--peak-rate", 0.02, "--every", 70))
    (*_, last) = csv.DictReader((tmp_path / "history.csv").open())
    assert float(last["iou"]) > 0.5
    assert keras.models.load_model(tmp_path / "model.h5", compile=False).output_shape[-1] == 3


def test_one_breed_can_be_left_out_and_photos_without_object_taken_in(
    small_network, drawn: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for i in range(3):
        Image.new("RGB", (80, 64), (40 * i, 90, 90)).save(tmp_path / "empty" / f"{i}.png")
    more = ["--leave-out", "other", "--negatives", tmp_path / "empty", "--epochs", 1]
    train.main(options(drawn, tmp_path / "out", *more))
    assert "19 photos to train on, 8 held out" in capsys.readouterr().out


def test_a_run_can_begin_with_the_weights_of_another(
    small_network, drawn: tuple[Path, Path], discs: tuple[Path, Path], tmp_path: Path
) -> None:
    train.main(options(drawn, tmp_path / "first", "--epochs", 2))
    begun = tmp_path / "first" / "model.h5"
    still = ["--epochs", 1, "--peak-rate", 1e-9, "--weights", begun]
    train.main(options(drawn, tmp_path / "second", *still))
    ends = [
        keras.models.load_model(tmp_path / run / "model.h5", compile=False).trainable_weights
        for run in ("first", "second")
    ]
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    with pytest.raises(CommandError, match="not a model of this network with 3 channels"):
        train.main(options(discs, tmp_path / "third", "--epochs", 1, "--classes", 3, "--weights", begun))


def test_the_running_mean_of_a_short_run_forgets_where_it_began(
    small_network, drawn: tuple[Path, Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    model = small(64)
    began = [rng.uniform(0.5, 1, array.shape).astype(np.float32) for array in model.get_weights()]
    model.set_weights(began)
    model.save(tmp_path / "began.h5")
    train.main(options(drawn, tmp_path, "--epochs", 10, "--weights", tmp_path / "began.h5"))
    mean = keras.models.load_model(tmp_path / "model.h5", compile=False).get_weights()
    with np.load(tmp_path / "checkpoint.npz") as stored:
        last = [stored[f"array{i}"] for i in range(len(mean))]
    trained = [i for i in range(len(mean)) if not np.array_equal(mean[i], last[i])]
    moved = sum(np.abs(began[i] - last[i]).sum() for i in trained)
    behind = sum(np.abs(mean[i] - last[i]).sum() for i in trained)
    assert 0 < behind < 0.1 * moved


def test_a_folded_run_goes_on_without_normalizations(small_network, drawn: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--folded needs --weights"):
        train.main(options(drawn, tmp_path / "none", "--epochs", 1, "--folded"))
    train.main(options(drawn, tmp_path / "first", "--epochs", 2))
    begun = tmp_path / "first" / "model.h5"
    ends = {}
    for rate in (1e-9, 1e-2):
        out = tmp_path / str(rate)
        train.main(options(drawn, out, "--epochs", 2, "--folded", "--peak-rate", rate, "--weights", begun))
        ends[rate] = keras.models.load_model(out / "model.h5", compile=False)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in ends[1e-9].layers)
    photos = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    before = keras.models.load_model(begun, compile=False)(photos, training=False)
    np.testing.assert_allclose(ends[1e-9](photos), before, atol=1e-4)
    assert np.abs(ends[1e-2](photos) - before).max() > 1e-2


def test_a_run_can_begin_with_the_mean_of_several(small_network, drawn: tuple[Path, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = [tmp_path / "one.h5", tmp_path / "other.h5"]
    for file in files:
        model = small(64)
        model.set_weights([rng.uniform(0.5, 1, weights.shape) for weights in model.get_weights()])
        model.save(file)
    train.main(options(drawn, tmp_path / "mean", "--epochs", 0, "--weights", *files))
    train.main(options(drawn, tmp_path / "run", "--epochs", 1, "--peak-rate", 1e-9, "--weights", *files))
    one, other, mean, end = (
        keras.models.load_model(file, compile=False).trainable_weights
        for file in (*files, tmp_path / "mean" / "model.h5", tmp_path / "run" / "model.h5")
    )
    for mine, yours, between, after in zip(one, other, mean, end, strict=True):
        np.testing.assert_allclose((np.asarray(mine) + np.asarray(yours)) / 2, between, atol=1e-6)
        np.testing.assert_allclose(between, after, atol=1e-5)
    with pytest.raises(CommandError, match="at least 1"):
        train.main(options(drawn, tmp_path / "nothing", "--epochs", 0))


@pytest.mark.parametrize("recipe", ["float32", "float16"])
def test_a_run_can_begin_with_a_tflite_of_another(
    small_network, drawn: tuple[Path, Path], discs: tuple[Path, Path], tmp_path: Path, recipe: str
) -> None:
    train.main(options(drawn, tmp_path / "first", "--epochs", 3))
    begun = tmp_path / "first" / "model.tflite"
    quantize.main([str(tmp_path / "first" / "model.h5"), "--recipe", recipe, "--out", str(begun)])
    photos = Pairs(load(*drawn).samples, 64, 1, 0)[0][0]
    model = small(64)
    tflite_weights.load(model, begun, photos)
    asked = keras.models.load_model(tmp_path / "first" / "model.h5", compile=False)(photos, training=False)
    exact = 1e-5 if recipe == "float32" else 5e-3
    np.testing.assert_allclose(model(photos, training=False), asked, atol=exact)
    # the batch's own mean and variance are those that were put in place, so that training goes on where it was
    np.testing.assert_allclose(model(photos, training=True), asked, atol=0.02)
    train.main(options(drawn, tmp_path / "second", "--epochs", 1, "--peak-rate", 1e-9, "--weights", begun))
    with pytest.raises(CommandError, match="not a float model of this network with 3 channels"):
        train.main(options(discs, tmp_path / "third", "--epochs", 1, "--classes", 3, "--weights", begun))


def test_fused_normalization_is_normalization() -> None:
    plain = small(32)
    rng = np.random.default_rng(4)
    plain.set_weights([rng.uniform(0.5, 1.5, weights.shape) for weights in plain.get_weights()])
    photos = rng.normal(size=(4, 32, 32, 3)).astype(np.float32)
    one = fused_batch_norm.fused(plain)
    np.testing.assert_allclose(one(photos, training=False), plain(photos, training=False), atol=1e-5)
    np.testing.assert_allclose(one(photos, training=True), plain(photos, training=True), atol=1e-4)
    for ours, theirs in zip(one.weights, plain.weights, strict=True):  # what it has seen it has kept
        assert ours.path.split("/")[-2:] == theirs.path.split("/")[-2:]
        np.testing.assert_allclose(ours, theirs, rtol=0.01)  # the variance of a sample or of all: n - 1 or n


def test_a_tflite_of_integers_is_no_beginning(small_network, drawn: tuple[Path, Path], tmp_path: Path) -> None:
    train.main(options(drawn, tmp_path / "first", "--epochs", 1))
    more = ["--recipe", "int8", "--photos", str(drawn[0]), "--out", str(tmp_path / "int8.tflite")]
    quantize.main([str(tmp_path / "first" / "model.h5"), *more])
    with pytest.raises(CommandError, match="not a float model of this network"):
        train.main(options(drawn, tmp_path / "second", "--epochs", 1, "--weights", tmp_path / "int8.tflite"))


def test_the_same_seed_draws_the_same_pairs_wherever_it_begins(drawn: tuple[Path, Path]) -> None:
    samples = load(*drawn).samples
    one = Pairs(samples, 32, 1, seed=5)
    one.on_epoch_end()
    for x, y in zip(one[0], Pairs(samples, 32, 1, seed=5, epoch=1)[0], strict=True):
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, y)
    assert not np.array_equal(one[0][0], Pairs(samples, 32, 1, seed=6, epoch=1)[0][0])
    assert set(np.unique(Pairs(samples, 32, 2, seed=5)[0][1])) <= {0, 1, UNLABELLED}


def test_the_losses_are_least_for_the_truth() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 3, (2, 8, 8, 1)).astype(np.float32)
    right = np.eye(3, dtype=np.float32)[ids[..., 0].astype(int)]
    ids[:, :4][rng.random((2, 4, 8, 1)) < 0.5] = UNLABELLED
    unknown_wrong = np.where(ids == UNLABELLED, right[..., ::-1], right)
    assert np.asarray(losses.class_loss(ids, right)).max() < 1e-4
    assert np.asarray(losses.class_loss(ids, unknown_wrong)).max() < 1e-4
    assert np.asarray(losses.class_loss(ids, right[..., ::-1])).min() > 1
    target = (ids == 1).astype(np.float32)
    assert np.asarray(losses.object_loss(target, target)).max() < 1e-4
    assert np.asarray(losses.object_loss(target, 1 - target)).min() > 1


def trained(model: keras.Model) -> keras.Model:
    """Give each normalization statistics as training leaves them."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights(
                [rng.uniform(low, 1.5, w.shape) for low, w in zip((0.5, -1, -1, 0.5), layer.get_weights(), strict=True)]
            )
    return model


def test_folding_the_normalizations_changes_nothing() -> None:
    model = trained(small(32))
    photos = np.random.default_rng(1).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    plain = fake_quantization.folded(model)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in plain.layers)
    np.testing.assert_allclose(np.asarray(plain(photos)), np.asarray(model(photos, training=False)), atol=1e-5)


@pytest.mark.parametrize("depth", ["stem_relu", "block1_depthwise_relu"])
def test_training_sees_the_roundings_that_int8_will_make(tmp_path: Path, depth: str) -> None:
    """The model with roundings is nearer to what the runtime computes than the float model is.

    So near the input it can be shown; further in, single roundings that fall to the other side have spread.
    """
    keras.utils.set_random_seed(1)
    whole = trained(small(32))
    plain = fake_quantization.folded(keras.Model(whole.input, whole.get_layer(depth).output))
    rng = np.random.default_rng(1)
    photos = [rng.uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32) for _ in range(16)]
    rounded = fake_quantization.fake_quantized(plain)
    for _ in range(3):
        rounded(np.concatenate(photos), training=True)
    plain.save(tmp_path / "plain.keras")
    from model.training.nets import keras_files

    (tmp_path / "int8.tflite").write_bytes(quantize.convert(keras_files.load(tmp_path / "plain.keras"), "int8", photos))
    int8 = Interpreter(tmp_path / "int8.tflite")
    served = np.concatenate([int8(photo) for photo in photos])
    distance = {
        name: float(np.abs(np.asarray(model(np.concatenate(photos), training=False)) - served).mean())
        for name, model in (("rounded", rounded), ("plain", plain))
    }
    assert distance["rounded"] < 0.6 * distance["plain"], distance


def test_the_real_network_takes_imagenets_weights() -> None:
    model = network.build(64, 3)
    network.load_imagenet(model, imagenet_weights.read(imagenet_weights.path()))
    assert model.output_shape == (None, 64, 64, 3)
    photo = np.zeros((1, 64, 64, 3), np.float32)
    np.testing.assert_allclose(np.asarray(model(photo)).sum(-1), 1, atol=1e-5)
    folded = fake_quantization.folded(model)
    np.testing.assert_allclose(np.asarray(folded(photo)), np.asarray(model(photo, training=False)), atol=1e-3)
    assert len(fake_quantization.fake_quantized(folded).layers) > len(folded.layers)


def test_wrong_options_are_refused_in_one_line(
    drawn: tuple[Path, Path], discs: tuple[Path, Path], tmp_path: Path, run_command: RunCommand
) -> None:
    with pytest.raises(CommandError, match="multiple of 32"):
        train.main(options(drawn, tmp_path, "--size", 50))
    with pytest.raises(CommandError, match="add --classes 3"):
        train.main(options(discs, tmp_path))
    assert "there is no folder" in error_line(run_command("train", "--photos", tmp_path / "none", "--masks", tmp_path))
    assert list(tmp_path.iterdir()) == []
