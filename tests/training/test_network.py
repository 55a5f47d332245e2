from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from model.training.nets import fake_quantization, imagenet_weights, network


def test_an_input_size_that_is_not_a_multiple_of_32_is_rejected() -> None:
    with pytest.raises(ValueError, match="a multiple of 32, not 48"):
        network.build(48)


def test_a_file_in_another_format_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(pickle.dumps(1))
    with pytest.raises(ValueError, match="is not in PyTorch's legacy format"):
        imagenet_weights.read(tmp_path / "weights.pth")


def test_a_file_with_other_classes_is_rejected(tmp_path: Path) -> None:
    parts: tuple[object, ...] = (imagenet_weights.MAGIC_NUMBER, 1001, {}, Path)
    (tmp_path / "weights.pth").write_bytes(b"".join(map(pickle.dumps, parts)))
    with pytest.raises(pickle.UnpicklingError, match=r"must not refer to pathlib"):
        imagenet_weights.read(tmp_path / "weights.pth")


def test_the_network_loads_the_imagenet_weights() -> None:
    model = network.build(64, 3)
    network.load_imagenet(model, imagenet_weights.read(imagenet_weights.path()))
    assert model.output_shape == (None, 64, 64, 3)
    photo = np.zeros((1, 64, 64, 3), np.float32)
    np.testing.assert_allclose(np.asarray(model(photo)).sum(-1), 1, atol=1e-5)
    folded = fake_quantization.folded(model)
    np.testing.assert_allclose(np.asarray(folded(photo)), np.asarray(model(photo, training=False)), atol=1e-3)
    assert len(fake_quantization.fake_quantized(folded).layers) > len(folded.layers)
