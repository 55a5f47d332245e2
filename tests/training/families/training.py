"""Training for seconds, preprocessing as authors do it, and reading outputs as authors read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.training.families import shapes
from tests.training.families.family import Step, Trained

Floats = NDArray[np.float32]
Preprocess = Callable[[NDArray[np.uint8]], Floats]
Read = Callable[[Any], NDArray[np.uint8]]

BATCH = 12  # photos in a step
IMAGENET_MEAN: Floats = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD: Floats = np.array([0.229, 0.224, 0.225], np.float32)
CAFFE_MEAN: Floats = np.array([103.939, 116.779, 123.68], np.float32)  # of blue, green and red


def raw(photos: NDArray[np.uint8]) -> Floats:
    """Return the pixels as they are, 0 to 255."""
    return photos.astype(np.float32)


def zero_to_one(photos: NDArray[np.uint8]) -> Floats:
    """Return pixel / 255."""
    return raw(photos) / np.float32(255)


def minus_one_to_one(photos: NDArray[np.uint8]) -> Floats:
    """Return pixel / 127.5 - 1, as for MobileNetV2."""
    return raw(photos) / np.float32(127.5) - 1


def imagenet(photos: NDArray[np.uint8]) -> Floats:
    """Return pixels normalized by the mean and standard deviation of ImageNet, as torchvision does."""
    normalized: Floats = (zero_to_one(photos) - IMAGENET_MEAN) / IMAGENET_STD
    return normalized


def caffe(photos: NDArray[np.uint8]) -> Floats:
    """Return BGR pixels less ImageNet's mean, as for Keras's VGG16 and ResNet50."""
    return bgr(photos) - CAFFE_MEAN


def bgr(photos: NDArray[np.uint8]) -> Floats:
    """Return the pixels in the order of cv2.imread, 0 to 255."""
    return np.ascontiguousarray(raw(photos)[..., ::-1])


def grey(photos: NDArray[np.uint8]) -> Floats:
    """Return the luma / 255, with one channel."""
    luma: Floats = np.stack([np.asarray(Image.fromarray(photo).convert("L"), np.float32) for photo in photos])
    return luma[..., np.newaxis] / np.float32(255)


def argmax(scores: Any) -> NDArray[np.uint8]:
    """Read the class of the highest score."""
    ids: NDArray[np.uint8] = np.asarray(scores).argmax(axis=-1).astype(np.uint8)
    return ids


def above_half(scores: Any) -> NDArray[np.uint8]:
    """Read one channel of probabilities."""
    return (np.asarray(scores)[..., 0] > 0.5).astype(np.uint8)


def positive(scores: Any) -> NDArray[np.uint8]:
    """Read one channel of logits."""
    return (np.asarray(scores)[..., 0] > 0).astype(np.uint8)


def fit(model: Any, inputs: Any, targets: Any, loss: Any, steps: int = 150, rate: float = 4e-3) -> None:
    """Train a Keras model, of Keras 2 or 3, for a number of steps; with a falling learning rate.

    Args:
        model: The model.
        inputs: Its input for all photos.
        targets: What the loss takes.
        loss: As `compile` takes it.
        steps: Steps to train.
        rate: The first learning rate of Adam.
    """
    keras = module_of(model)
    for layer in model._flatten_layers():
        if layer.__class__.__name__ == "BatchNormalization":
            layer.momentum = 0.8  # the running mean follows within seconds
    epochs = max(1, steps * BATCH // len(inputs))
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(inputs) // BATCH))
    model.compile(keras.optimizers.Adam(schedule), loss, metrics=[])  # keras-hub adds its own otherwise
    model.fit(inputs, targets, batch_size=BATCH, epochs=epochs, verbose=0)


def module_of(model: Any) -> Any:
    """Return the Keras that a model belongs to, of version 2 or 3."""
    if any(base.__module__.startswith("tf_keras") for base in type(model).__mro__):
        import tf_keras

        return tf_keras
    import keras

    return keras


def trained(
    folder: Path,
    model: Any,
    preprocess: Preprocess,
    read: Read,
    *,
    name: str = "model.keras",
    size_wh: tuple[int, int] = (64, 64),
    classes: int = 2,
    options: tuple[str, ...] = (),
    steps: tuple[Step, ...] = (),
    order: tuple[int, ...] | None = None,
    loss: Any = None,
    targets: Callable[[NDArray[np.uint8]], Any] = lambda ids: ids,
    train_steps: int = 150,
    rate: float = 4e-3,
    save: Callable[[Any, Path], None] | None = None,
    **fields: Any,
) -> Trained:
    """Train a Keras model on drawn shapes, save it, and return it with its own answer.

    Args:
        folder: Where it is saved.
        model: The model.
        preprocess: What its author does to the pixels.
        read: How its author reads its output.
        name: The file, or the folder of a SavedModel.
        size_wh: Width and height of the photos.
        classes: 2 or 3.
        options: What a user tells the commands.
        steps: Next steps that refusals may name.
        order: The model's own number of each class; None for background, red, blue.
        loss: Default: sparse cross-entropy of probabilities, or binary cross-entropy for one channel.
        targets: From class ids to what the loss takes.
        train_steps: Steps to train.
        rate: The first learning rate.
        save: Saves the model; default `model.save`.
        **fields: Further fields of Trained.
    """
    photos, ids = data(size_wh, classes, order)
    labels = _labels(ids[: shapes.TRAINED], read)
    loss = loss or _default_loss(model, read)
    fit(model, preprocess(photos[: shapes.TRAINED]), targets(labels), loss, train_steps, rate)
    (save or save_whole)(model, folder / name)

    def answer(photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return read(model(preprocess(photos), training=False))

    held_out = photos[shapes.TRAINED :], ids[shapes.TRAINED :]
    return Trained(folder / name, answer, *held_out, options, steps, **fields)


def _labels(ids: NDArray[np.uint8], read: Read) -> NDArray[Any]:
    """Return class ids, or for a model of one channel float32 (N, h, w, 1)."""
    return ids[..., np.newaxis].astype(np.float32) if read in (above_half, positive) else ids


def _default_loss(model: Any, read: Read) -> Any:
    """Return the loss that fits how an output is read."""
    if read is positive:
        return module_of(model).losses.BinaryCrossentropy(from_logits=True)
    return "binary_crossentropy" if read is above_half else "sparse_categorical_crossentropy"


def data(
    size_wh: tuple[int, int] = (64, 64), classes: int = 2, order: tuple[int, ...] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the photos and class ids to train on, then those held out, with the model's own class numbers."""
    photos, ids = shapes.draw(shapes.TRAINED + shapes.HELD_OUT, size_wh, classes)
    return photos, ids if order is None else np.array(order, np.uint8)[ids]


def save_whole(model: Any, file: Path) -> None:
    """Save a Keras model as `model.save` does, or export it if the file has no suffix."""
    if file.suffix:
        model.save(file)
    else:
        model.export(str(file))
