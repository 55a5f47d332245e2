"""Models of the packages keras-hub and keras-cv, which need Keras 3, without pretrained weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.training.families.family import Step, Trained, family
from tests.training.families.training import (
    argmax,
    raw,
    trained,
    zero_to_one,
)


def _save_and_export(folder: Path, size_hw: tuple[int, int]) -> Callable[[Any, Path], None]:
    """Return a function that saves a Keras 3 model, exports it, and exports it again with training=False."""

    def save(model: Any, path: Path) -> None:
        import keras

        model.save(folder / "model.keras")
        model.export(str(folder / "exported"), verbose=False)
        archive = keras.export.ExportArchive()
        archive.track(model)
        signature = [keras.InputSpec(shape=(None, *size_hw, 3), dtype="float32")]
        archive.add_endpoint("serve", lambda image: model(image, training=False), signature)
        archive.write_out(str(folder / "inference"), verbose=False)

    return save


def _hub_deeplab() -> Any:
    """Build DeepLabV3+ of keras-hub with a small ResNet."""
    from keras_hub import models

    encoder = models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64, 64],
        stackwise_num_blocks=[1, 1, 1],
        stackwise_num_strides=[1, 2, 2],
        block_type="basic_block",
        image_shape=(64, 64, 3),
    )
    backbone = models.DeepLabV3Backbone(
        image_encoder=encoder,
        spatial_pyramid_pooling_key="P4",
        upsampling_size=4,
        low_level_feature_key="P2",
        projection_filters=16,
        dilation_rates=[2, 4, 6],
        image_shape=(64, 64, 3),
    )
    return models.DeepLabV3ImageSegmenter(backbone=backbone, num_classes=3)


def _hub_steps(folder: Path, package: str, options: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Return the steps that refusals of the models of keras-hub and keras-cv name."""
    return (
        Step("--custom-objects", (*options, "--custom-objects", package)),
        Step("training", options, folder / "inference"),
        Step("SavedModel", options, folder / "inference"),
    )


@family("keras-hub-deeplab", "keras-hub DeepLabV3ImageSegmenter, .keras", "keras-hub")
def keras_hub_deeplab(folder: Path) -> Trained:
    loss = _from_logits()
    return trained(
        folder,
        _hub_deeplab(),
        zero_to_one,
        argmax,
        classes=3,
        train_steps=60,
        loss=loss,
        save=_save_and_export(folder, (64, 64)),
        steps=_hub_steps(folder, "keras_hub"),
    )


@family("keras-hub-deeplab-export", "keras-hub DeepLabV3ImageSegmenter, model.export()", "keras-hub")
def keras_hub_deeplab_export(folder: Path) -> Trained:
    loss = _from_logits()
    return trained(
        folder,
        _hub_deeplab(),
        zero_to_one,
        argmax,
        name="exported",
        classes=3,
        train_steps=60,
        loss=loss,
        save=_save_and_export(folder, (64, 64)),
        steps=_hub_steps(folder, "keras_hub"),
    )


@family("keras-hub-segformer", "keras-hub SegFormerImageSegmenter: transformer, .keras", "keras-hub")
def keras_hub_segformer(folder: Path) -> Trained:
    from keras_hub import models

    encoder = models.MiTBackbone(
        layerwise_depths=[1, 1, 1, 1],
        num_layers=4,
        layerwise_num_heads=[1, 1, 2, 2],
        layerwise_sr_ratios=[8, 4, 2, 1],
        max_drop_path_rate=0.0,
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        image_shape=(64, 64, 3),
        hidden_dims=[16, 24, 32, 40],
    )
    backbone = models.SegFormerBackbone(image_encoder=encoder, projection_filters=32)
    model = models.SegFormerImageSegmenter(backbone=backbone, num_classes=3)
    loss = _from_logits()
    return trained(
        folder,
        model,
        zero_to_one,
        argmax,
        classes=3,
        train_steps=120,
        loss=loss,
        save=_save_and_export(folder, (64, 64)),
        steps=_hub_steps(folder, "keras_hub"),
    )


@family("keras-cv-deeplab", "keras-cv DeepLabV3Plus, a small CSPDarkNet with rescaling inside, .keras", "keras-cv")
def keras_cv_deeplab(folder: Path) -> Trained:
    import keras_cv

    backbone = keras_cv.models.CSPDarkNetBackbone(
        stackwise_channels=[16, 32, 48, 64],
        stackwise_depth=[1, 1, 1, 1],
        input_shape=(64, 64, 3),
        include_rescaling=True,
    )
    model = keras_cv.models.DeepLabV3Plus(backbone=backbone, num_classes=3)
    options = ("--mean", "0", "--std", "1")
    return trained(
        folder,
        model,
        raw,
        argmax,
        classes=3,
        train_steps=100,
        rate=2e-3,
        options=options,
        save=_save_and_export(folder, (64, 64)),
        steps=_hub_steps(folder, "keras_cv", options),
    )


@family("keras-cv-segformer", "keras-cv SegFormer, a small MiT, model.export()", "keras-cv")
def keras_cv_segformer(folder: Path) -> Trained:
    import keras_cv

    backbone = keras_cv.models.MiTBackbone(
        input_shape=(64, 64, 3), include_rescaling=True, depths=[1, 1, 1, 1], embedding_dims=[16, 32, 40, 64]
    )
    model = keras_cv.models.SegFormer(backbone=backbone, num_classes=3, projection_filters=32)
    options = ("--mean", "0", "--std", "1")
    return trained(
        folder,
        model,
        raw,
        argmax,
        name="exported",
        classes=3,
        train_steps=100,
        options=options,
        save=_save_and_export(folder, (64, 64)),
        steps=_hub_steps(folder, "keras_cv", options),
    )


def _from_logits() -> Any:
    """Return the cross-entropy of logits of Keras 3."""
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
