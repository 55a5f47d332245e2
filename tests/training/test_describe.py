from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from model.errors import ModelRejected
from model.tflite import card
from model.training import describe
from model.training.measure.interpreter import Interpreter
from tests.support.training import RunCommand, error_line


@pytest.fixture
def model(converted: Path, tmp_path: Path):
    return shutil.copy(converted / "unet-bgr-int8-full.tflite", tmp_path / "unet.tflite")


def test_everything_a_model_says_of_itself_is_shown(model, capsys: pytest.CaptureFixture[str]) -> None:
    describe.main([str(model)])
    text = capsys.readouterr().out
    assert "sha256" in text
    assert "input image: int8 [1, 64, 64, 3], scale " in text
    assert "CONV_2D x" in text
    assert "XNNPACK of ai_edge_litert takes" in text
    assert "card (embedded):" in text
    assert '  order: "BGR"' in text


def test_the_description_comes_as_json_too(model, capsys: pytest.CaptureFixture[str]) -> None:
    describe.main([str(model), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["outputs"][0]["shape"] == [1, 64, 64, 3]
    assert found["ops"]["DEPTHWISE_CONV_2D"] == 4
    assert found["card"]["labels"] == ["background", "red", "blue"]


def test_ops_that_xnnpack_leaves_are_named(tmp_path: Path) -> None:
    import keras
    from keras import ops

    from model.training import quantize

    image = keras.Input((32, 32, 3))
    turned = ops.flip(keras.layers.Conv2D(4, 3, padding="same")(image), axis=2)
    keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(turned)).save(tmp_path / "m.keras")
    quantize.main([str(tmp_path / "m.keras"), "--recipe", "float32"])
    found = describe.describe(tmp_path / "m-float32.tflite")
    assert found["ops"]["CONV_2D"] == 2
    assert found["not_taken_by_xnnpack"] == {"REVERSE_V2": 1}


def test_a_card_is_written_over_the_one_there_and_leaves_all_else(model) -> None:
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("labels.txt", "background\nred\nblue\n")
    before = Interpreter(model).raw.get_tensor_details()
    describe.main([str(model), "--write", "--name", "marbles", "--threshold", "0.3", "--classes", "table,red,blue"])
    found = card.read(model)
    assert found is not None
    assert (found.name, found.threshold, found.labels[0]) == ("marbles", 0.3, "table")
    assert (found.order, found.version) == ("BGR", "7")
    assert describe.associated(model)["labels.txt"][:3] == ["background", "red", "blue"]
    assert len(Interpreter(model).raw.get_tensor_details()) == len(before)


def test_a_model_of_others_gets_a_card(model) -> None:
    bare = model.read_bytes()
    with zipfile.ZipFile(model) as archive:
        model.write_bytes(bare[: archive.infolist()[0].header_offset])
    assert describe.describe(model)["card_source"] == "inferred"
    assert "card (inferred; --write puts one in):" in describe.text(describe.describe(model))
    describe.main([str(model), "--write", "--mean", "127.5", "--std", "127.5", "--order", "BGR"])
    found = card.read(model)
    assert found is not None
    assert (found.name, found.mean, found.order) == ("unet", (127.5,) * 3, "BGR")
    assert found.labels == ("background", "class 1", "class 2")


def test_a_card_without_sense_changes_nothing(model, run_command: RunCommand) -> None:
    before = model.read_bytes()
    assert "3" in error_line(run_command("describe", model, "--write", "--classes", "one,two"))
    assert model.read_bytes() == before


@pytest.mark.parametrize("data", [b"", b"text", b"\x1c\0\0\0TFL3"])
def test_what_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(data)
    with pytest.raises(ModelRejected, match=r"m\.tflite"):
        describe.describe(tmp_path / "m.tflite")
