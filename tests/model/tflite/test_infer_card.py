from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model.tflite import infer_card, verify
from model.tflite.card import ModelCard
from model.tflite.infer_card import ProducerOp
from model.tflite.schema import BuiltinOp
from model.tflite.tensor_specs import InputSpec, OutputSpec
from tests.support.paths import MODELS

INT8, UINT8, FLOAT32 = (np.dtype(name) for name in ("int8", "uint8", "float32"))


@pytest.mark.parametrize(
    ("name", "channels", "producer"),
    [
        ("probability", 1, ProducerOp(BuiltinOp.LOGISTIC)),
        ("two-softmax", 2, ProducerOp(BuiltinOp.SOFTMAX)),
        ("ids-int32", 1, ProducerOp(BuiltinOp.ARG_MAX, 4)),
        ("ids-float", 1, ProducerOp(BuiltinOp.ARG_MAX, 4)),
        ("bool", 1, ProducerOp(BuiltinOp.GREATER, 2)),
    ],
)
def test_the_producer_is_found_behind_operators_that_pass_its_values_through(
    name: str, channels: int, producer: ProducerOp
) -> None:
    model = verify.read_model(MODELS / "served" / f"{name}.tflite")
    assert infer_card.producer_op(model, OutputSpec(0, "map", "1HW", (40, 24), channels)) == producer


@pytest.mark.parametrize(
    ("count", "metadata_labels", "labels"),
    [
        (2, (), ("background", "object")),
        (3, (), ("background", "class 1", "class 2")),
        (3, ("sky", "cat", "dog"), ("sky", "cat", "dog")),
        (3, ("cat", "dog"), ("background", "cat", "dog")),
        (3, ("Background", "dog"), ("background", "class 1", "class 2")),
        (2, ("cat", "dog", "cow"), ("background", "object")),
        (None, ("cat", "dog"), ("cat", "dog")),
    ],
)
def test_labels_are_those_of_the_metadata_if_they_fit(
    count: int | None, metadata_labels: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    assert infer_card.labels(count, metadata_labels) == labels


def test_class_ids_of_an_unknown_number_of_classes_get_256_labels() -> None:
    labels = infer_card.labels(None, ())
    assert (len(labels), labels[-1]) == (256, "class 255")


def test_the_background_is_the_class_with_that_label_else_the_first() -> None:
    assert infer_card.background(("cat", " BG ")) == 1
    assert infer_card.background(("cat", "dog")) == 0


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "metadata", "expected"),
    [
        (FLOAT32, 0.0, 0, {}, {}),
        (FLOAT32, 0.0, 0, {"mean": [127.5], "std": [127.5]}, {"mean": (127.5,), "std": (127.5,)}),
        (UINT8, 1 / 255, 0, {"mean": [127.5], "std": [127.5]}, {"mean": (0,), "std": (255,)}),
        (UINT8, 0.0, 0, {}, {"mean": (0,), "std": (1,)}),
        (INT8, 2 / 255, -128, {}, {"mean": (0,), "std": (127.5,)}),
        (INT8, 2 / 255, 0, {"mean": [127.5], "std": [127.5]}, {"mean": (127.5,), "std": (127.5,)}),
        (INT8, 2 / 255, 0, {"mean": [0], "std": [1]}, {"mean": (128,), "std": (127.5,)}),
    ],
)
def test_the_normalization_of_an_8_bit_input_fits_its_range(
    dtype: np.dtype[Any], scale: float, zero_point: int, metadata: dict[str, Any], expected: dict[str, Any]
) -> None:
    spec = InputSpec("NHWC", (1, 24, 40, 3), 3, dtype, scale, zero_point)
    values = infer_card.normalization(spec, metadata)
    assert values.keys() == expected.keys()
    for name, numbers in expected.items():
        assert values[name] == pytest.approx(numbers)


def test_probe_images_have_the_size_of_the_input() -> None:
    images = infer_card.probe_images((40, 24))
    assert [image.shape for image in images] == [(24, 40, 3)] * 4
    assert {image.dtype for image in images} == {UINT8}


@pytest.mark.parametrize(
    ("metadata_labels", "labels"),
    [
        ((), ("background", "class 1", "class 2", "class 3")),
        (("cat", "dog", "cow"), ("background", "cat", "dog", "cow")),
        (("cat", "background", "dog"), ("cat", "background", "dog")),
        (("bg", "cat", "dog", "cow"), ("bg", "cat", "dog", "cow")),
    ],
)
def test_independent_scores_have_a_background_without_a_channel(
    metadata_labels: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    output, producer = OutputSpec(0, "map", "1HWK", (8, 8), 3), ProducerOp(BuiltinOp.LOGISTIC)
    assert infer_card.labels_of_output(output, producer, metadata_labels) == labels
    assert infer_card.activation(output, producer, ModelCard(), not_run, (8, 8)) == "none"


def not_run(image: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
    raise AssertionError("the model is run")


@pytest.mark.parametrize(("scale", "activation"), [(1.2, "none"), (20.0, "sigmoid")])
def test_a_linear_output_near_0_to_1_holds_probabilities_not_logits(scale: float, activation: str) -> None:
    output = OutputSpec(0, "map", "1HWK", (8, 8), 1)

    def infer(image: NDArray[np.uint8], card: ModelCard) -> NDArray[np.float32]:
        return ((image[..., :1] / 255 - 0.5) * scale + 0.5).astype(np.float32)

    assert infer_card.activation(output, ProducerOp(), ModelCard(), infer, (8, 8)) == activation
