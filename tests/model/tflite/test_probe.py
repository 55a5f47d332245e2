from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.errors import ModelRejected
from model.tflite import runtime
from model.tflite.bundled import BUNDLED_MODEL
from model.tflite.probe import NO_XNNPACK_NOTE, TensorHints, choose_output, probe
from model.tflite.tensor_specs import OutputSpec
from tests.support.paths import MODELS


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each interpreter that is created tries XNNPACK."""
    calls: list[bool] = []
    create = runtime._create

    def recorded(*args: Any) -> Any:
        calls.append(args[2])
        return create(*args)

    monkeypatch.setattr(runtime, "_create", recorded)
    return calls


def test_the_specs_of_the_bundled_model_are_read_with_one_interpreter(created: list[bool]) -> None:
    probed = probe(BUNDLED_MODEL)
    assert probed.input.size_wh == (256, 256)
    assert probed.output.channels == 1
    assert probed.notes == ()
    assert created == [True]


def test_the_interpreter_is_ready_to_run_at_the_probed_shape() -> None:
    probed = probe(MODELS / "served" / "dynamic-stride.tflite")
    assert probed.input.size_wh is None
    assert probed.input.stride == 32
    assert tuple(probed.interpreter.get_input_details()[0]["shape"]) == probed.input_shape == (1, 96, 160, 3)


@pytest.mark.parametrize("failing", ["create", "allocate"])
def test_a_model_that_xnnpack_cannot_load_runs_without_it(failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create = runtime._create

    def fail_with_xnnpack(file: Path, input_shape: tuple[int, ...] | None, xnnpack: bool) -> Any:
        if xnnpack and (failing == "create" or input_shape is not None):
            raise RuntimeError("XNNPACK failed")
        return create(file, input_shape, xnnpack)

    def fail_to_allocate(interpreter: Any, input_shape: tuple[int, ...]) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(runtime, "_create", fail_with_xnnpack)
        raise RuntimeError("XNNPACK failed")

    monkeypatch.setattr(runtime, "_create", fail_with_xnnpack)
    if failing == "allocate":
        monkeypatch.setattr(runtime, "allocate", fail_to_allocate)
    probed = probe(BUNDLED_MODEL)
    assert not probed.xnnpack
    assert probed.notes == (NO_XNNPACK_NOTE,)


def outputs() -> list[OutputSpec]:
    return [
        OutputSpec(0, "coarse", "1HWK", (10, 6), 4),
        OutputSpec(1, "fine", "1HWK", (40, 24), 4),
        OutputSpec(2, "edges", "1HWK", (40, 24), 1),
    ]


@pytest.mark.parametrize(
    ("hints", "index"),
    [
        (TensorHints(), 1),
        (TensorHints(class_count=1), 2),
        (TensorHints(output="coarse"), 0),
        (TensorHints(output=2), 2),
    ],
)
def test_the_output_is_that_of_the_card_else_the_largest_that_fits_its_classes(hints: TensorHints, index: int) -> None:
    assert choose_output(outputs(), hints).index == index


def test_of_outputs_of_one_size_that_with_several_classes_is_chosen() -> None:
    assert choose_output(outputs()[::-1], TensorHints()).name == "fine"
    assert choose_output([OutputSpec(0, "edges", "1HW1", (40, 24), 1), *outputs()[:2]], TensorHints()).name == "fine"


def test_an_output_that_is_not_a_segmentation_is_rejected_with_the_choices() -> None:
    with pytest.raises(ModelRejected, match=r"output 'depth' .* choose from 0 \(coarse\), 1 \(fine\), 2 \(edges\)"):
        choose_output(outputs(), TensorHints(output="depth"))
