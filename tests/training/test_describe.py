from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from model.errors import ModelRejected
from model.tflite import card, loading, runtime
from model.training import describe
from model.training.cli import CommandError
from tests.support.paths import MODELS
from tests.support.training import RunCommand, error_line


@pytest.fixture
def model(converted: Path, tmp_path: Path) -> Path:
    """A copy of the int8 model with int8 input and output."""
    return Path(shutil.copy(converted / "unet-bgr-int8-full.tflite", tmp_path / "unet.tflite"))


def test_tensors_ops_and_card_are_printed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    describe.main([str(model)])
    text = capsys.readouterr().out
    assert "sha256" in text
    assert "input image: int8 [1, 64, 64, 3], scale " in text
    assert "CONV_2D x" in text
    assert "XNNPACK of ai_edge_litert runs" in text
    assert "card (embedded):" in text
    assert '  order: "BGR"' in text


def test_the_description_is_printed_as_json(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    describe.main([str(model), "--json"])
    description = json.loads(capsys.readouterr().out)
    assert description["outputs"][0]["shape"] == [1, 64, 64, 3]
    assert description["ops"]["DEPTHWISE_CONV_2D"] == 4
    assert description["card"]["labels"] == ["background", "red", "blue"]


def test_ops_outside_xnnpack_are_listed(tmp_path: Path) -> None:
    import keras
    from keras import ops

    from model.training import quantize

    image = keras.Input((32, 32, 3))
    flipped = ops.flip(keras.layers.Conv2D(4, 3, padding="same")(image), axis=2)
    keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(flipped)).save(tmp_path / "m.keras")
    quantize.main([str(tmp_path / "m.keras"), "--recipe", "float32"])
    description = describe.describe(tmp_path / "m-float32.tflite")
    assert description["ops"]["CONV_2D"] == 2
    assert description["not_taken_by_xnnpack"] == {"REVERSE_V2": 1}


def test_writing_a_card_replaces_the_old_one_and_keeps_all_else(model: Path) -> None:
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("labels.txt", "background\nred\nblue\n")
    before, _ = runtime.create_interpreter(model)
    describe.main([str(model), "--write", "--name", "marbles", "--threshold", "0.3", "--classes", "table,red,blue"])
    embedded = card.read(model)
    assert embedded is not None
    assert (embedded.name, embedded.threshold, embedded.labels[0]) == ("marbles", 0.3, "table")
    assert (embedded.order, embedded.version) == ("BGR", "7")
    assert describe.associated_files(model)["labels.txt"][:3] == ["background", "red", "blue"]
    after, _ = runtime.create_interpreter(model)
    assert len(after.get_tensor_details()) == len(before.get_tensor_details())


def test_a_card_is_embedded_in_a_model_without_one(model: Path) -> None:
    bare = model.read_bytes()
    with zipfile.ZipFile(model) as archive:
        model.write_bytes(bare[: archive.infolist()[0].header_offset])
    assert describe.describe(model)["card_source"] == "inferred"
    assert "card (inferred; --write embeds it):" in describe.text(describe.describe(model))
    describe.main([str(model), "--write", "--mean", "127.5", "--std", "127.5", "--order", "BGR"])
    embedded = card.read(model)
    assert embedded is not None
    assert (embedded.name, embedded.mean, embedded.order) == ("unet", (127.5,) * 3, "BGR")
    assert loading.load(model, 1).card.labels == ("background", "class 1", "class 2")


def test_a_card_is_embedded_in_a_model_with_other_axes(tmp_path: Path) -> None:
    model = Path(shutil.copy(MODELS / "served" / "nchw.tflite", tmp_path))
    describe.main([str(model), "--write", "--name", "first axis"])
    embedded = card.read(model)
    assert embedded is not None
    assert (embedded.name, embedded.labels) == ("first axis", ("background", "object"))
    assert (card.read_values(model) or {}).keys() == {"name", "activation"}


def test_an_invalid_card_is_replaced(tmp_path: Path) -> None:
    model = Path(shutil.copy(MODELS / "served" / "logit.tflite", tmp_path))
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr(card.MEMBER, "{")
    describe.main([str(model), "--write", "--name", "repaired"])
    embedded = card.read(model)
    assert embedded is not None
    assert embedded.name == "repaired"


@pytest.mark.parametrize("name", ["classifier", "two-inputs"])
def test_a_model_that_the_function_rejects_is_described(name: str) -> None:
    description = describe.describe(MODELS / "refused" / f"{name}.tflite")
    assert description["card"] is None
    assert description["ops"]
    (note,) = description["notes"]
    assert note.startswith("the function rejects this model: ")


def test_a_model_that_the_runtime_cannot_load_is_rejected() -> None:
    with pytest.raises(ModelRejected, match="needs the op Betainc"):
        describe.describe(MODELS / "refused" / "custom-op.tflite")


def test_the_card_selects_an_output_and_the_rest_is_inferred_for_it(tmp_path: Path) -> None:
    model = Path(shutil.copy(MODELS / "served" / "several.tflite", tmp_path))
    describe.main([str(model), "--write", "--output", "1", "--classes", "nothing,red,green,blue"])
    embedded = card.read(model)
    assert embedded is not None
    assert (embedded.output, embedded.name, embedded.activation) == (1, "several", "softmax")
    before = model.read_bytes()
    with pytest.raises(ModelRejected, match="output 'depth' is not a segmentation output"):
        describe.main([str(model), "--write", "--output", "depth"])
    assert model.read_bytes() == before


@pytest.mark.parametrize("name", ["grey", "nchw-classes", "no-channel", "flat-classes", "several"])
def test_a_card_is_embedded_in_every_model_that_the_function_serves(name: str, tmp_path: Path) -> None:
    model = Path(shutil.copy(MODELS / "served" / f"{name}.tflite", tmp_path))
    describe.main([str(model), "--write", "--version", "3"])
    assert describe.describe(model)["card"]["version"] == "3"


@pytest.mark.parametrize("options", [[], ["--write"]])
def test_a_model_that_crashes_the_runtime_is_rejected_and_left_as_it_is(
    tmp_path: Path, options: list[str], run_command: RunCommand
) -> None:
    model = Path(shutil.copy(MODELS / "refused" / "crash.tflite", tmp_path))
    line = error_line(run_command("describe", model, *options))
    assert "crashes on crash.tflite (SIGABRT)" in line
    assert list(tmp_path.iterdir()) == [model]
    assert model.read_bytes() == (MODELS / "refused" / "crash.tflite").read_bytes()


def test_a_missing_model_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no model at"):
        describe.main([str(tmp_path / "none.tflite")])


def test_an_invalid_card_changes_nothing(model: Path, run_command: RunCommand) -> None:
    before = model.read_bytes()
    assert "3" in error_line(run_command("describe", model, "--write", "--classes", "one,two"))
    assert model.read_bytes() == before


@pytest.mark.parametrize("data", [b"", b"text", b"\x1c\0\0\0TFL3"])
def test_a_file_that_is_not_a_model_is_rejected(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(data)
    with pytest.raises(ModelRejected, match=r"m\.tflite"):
        describe.describe(tmp_path / "m.tflite")
