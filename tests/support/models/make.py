"""Make the small models of the tests with TensorFlow: `python -m tests.support.models.make`. The files are committed.

Every network computes each pixel from the same pixel of the photo, so the expected mask of a photo is known: the object
is where red (green, in grey models) is strong; classes 1, 2 and 3 are where red, green and blue are.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

HERE = Path(__file__).parent
STEEPNESS = 20.0  # slope of the logits around the threshold
WIDTH, HEIGHT = 40, 24


def spec(*shape: int | None) -> tf.TensorSpec:
    """Return the spec of a float32 input."""
    return tf.TensorSpec(shape, tf.float32)


PHOTO = spec(1, HEIGHT, WIDTH, 3)


def convert(function: Callable[..., Any], *inputs: tf.TensorSpec, integers: Any = None, custom: bool = False) -> bytes:
    """Convert a function to a .tflite.

    Args:
        function: The network.
        inputs: Its inputs.
        integers: Integer dtype of input and output of a fully quantized model; None for a float model.
        custom: Whether to convert ops that are not TFLite built-ins to custom ops.
    """
    concrete = tf.function(function, input_signature=inputs).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.allow_custom_ops = custom
    if integers:
        rng = np.random.default_rng(1)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([rng.random(inputs[0].shape, np.float32)] for _ in range(20))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = integers
    return bytes(converter.convert())


def logit(x: Any, weights: tuple[float, ...] = (1, 0, 0), threshold: float = 0.5) -> Any:
    """Return one channel: how far a weighted sum of the colours is above the threshold."""
    kernel = tf.constant(np.asarray(weights, np.float32).reshape(1, 1, -1, 1) * STEEPNESS)
    return tf.nn.conv2d(x, kernel, 1, "SAME") - STEEPNESS * threshold


def class_logits(x: Any, stride: int = 1) -> Any:
    """Return four channels: background, red, green, blue."""
    kernel = np.zeros((1, 1, 3, 4), np.float32)
    kernel[0, 0, :, 1:] = np.eye(3) * STEEPNESS
    return tf.nn.conv2d(x, tf.constant(kernel), stride, "SAME") + tf.constant([STEEPNESS / 2, 0, 0, 0])


def two_logits(x: Any) -> Any:
    """Return two channels: background, red."""
    red = logit(x)
    return tf.concat([-red, red], -1)


def nhwc(x: Any) -> Any:
    """Transpose NCHW to NHWC."""
    return tf.transpose(x, (0, 2, 3, 1))


def nchw(x: Any) -> Any:
    """Transpose NHWC to NCHW."""
    return tf.transpose(x, (0, 3, 1, 2))


def sigmoid(x: Any) -> Any:
    """Return the probability of red."""
    return tf.sigmoid(logit(x))


def softmax(x: Any) -> Any:
    """Return the probabilities of four classes."""
    return tf.nn.softmax(class_logits(x))


def ids(x: Any) -> Any:
    """Return the class ids of four classes."""
    return tf.argmax(class_logits(x), -1, tf.int32)


def served_models() -> dict[str, bytes]:
    """Return models that the function serves, by name."""
    return {
        "probability": convert(sigmoid, PHOTO),
        "logit": convert(logit, PHOTO),
        "square": convert(sigmoid, spec(1, 32, 32, 3)),
        "two-softmax": convert(lambda x: tf.nn.softmax(two_logits(x)), PHOTO),
        "two-logits": convert(two_logits, PHOTO),
        "uint8": convert(sigmoid, PHOTO, integers=tf.uint8),
        "int8": convert(sigmoid, PHOTO, integers=tf.int8),
        "int8-classes": convert(class_logits, PHOTO, integers=tf.int8),
        "uint8-softmax": convert(softmax, PHOTO, integers=tf.uint8),
        "nchw": convert(lambda x: nchw(sigmoid(nhwc(x))), spec(1, 3, HEIGHT, WIDTH)),
        "nchw-classes": convert(lambda x: nchw(class_logits(nhwc(x))), spec(1, 3, HEIGHT, WIDTH)),
        "classes": convert(class_logits, PHOTO),
        "classes-softmax": convert(softmax, PHOTO),
        "classes-small": convert(lambda x: class_logits(x, stride=2), spec(1, 49, 81, 3)),
        "ids-int32": convert(ids, PHOTO),
        "ids-int64": convert(lambda x: tf.argmax(class_logits(x), -1)[..., None], PHOTO),
        "ids-uint8": convert(lambda x: tf.cast(ids(x), tf.uint8), PHOTO),
        "ids-float": convert(lambda x: tf.cast(ids(x), tf.float32), PHOTO),
        "bool": convert(lambda x: logit(x) > 0, PHOTO),
        "no-channel": convert(lambda x: sigmoid(x)[..., 0], PHOTO),
        "no-batch": convert(lambda x: sigmoid(x)[0, ..., 0], PHOTO),
        "no-batch-in": convert(lambda x: sigmoid(x[None])[0], spec(HEIGHT, WIDTH, 3)),
        "flat": convert(lambda x: tf.reshape(sigmoid(x), (1, -1)), PHOTO),
        "flat-classes": convert(lambda x: tf.reshape(class_logits(x), (1, -1, 4)), PHOTO),
        "dynamic": convert(softmax, spec(1, None, None, 3)),
        "dynamic-batch": convert(sigmoid, spec(None, None, None, 3)),
        "dynamic-stride": convert(encoder_decoder, spec(1, None, None, 3)),
        "several": convert(several_outputs, PHOTO),
        "minus-one-to-one": convert(lambda x: tf.sigmoid(logit(x, threshold=0.0)), PHOTO),
        "blue-first": convert(lambda x: tf.sigmoid(logit(x, (0, 0, 1))), PHOTO),
        "background-last": convert(lambda x: tf.nn.softmax(two_logits(x)[..., ::-1]), PHOTO),
        "grey": convert(lambda x: tf.sigmoid(logit(x, (1,), 0.45)), spec(1, HEIGHT, WIDTH, 1)),
        "grey-uint8": convert(lambda x: tf.sigmoid(logit(x, (1,), 0.45)), spec(1, HEIGHT, WIDTH, 1), integers=tf.uint8),
        "grey-bare": convert(lambda x: tf.sigmoid(logit(x[..., None], (1,), 0.45)), spec(1, HEIGHT, WIDTH)),
    }


def encoder_decoder(x: Any) -> Any:
    """Downsample by 4 and upsample again, so that only sizes that are multiples of 4 work."""
    y = tf.nn.avg_pool2d(tf.nn.avg_pool2d(x, 2, 2, "VALID"), 2, 2, "VALID")
    y = tf.image.resize(y, tf.shape(y)[1:3] * 4)
    return tf.sigmoid(logit(x) + 0.0 * logit(y))


def several_outputs(x: Any) -> dict[str, Any]:
    """Return three outputs: class scores of the whole photo, a coarse segmentation, and the segmentation."""
    return {
        "a_label": tf.reduce_mean(class_logits(x), (1, 2)),
        "b_coarse": class_logits(x, stride=4),
        "c_map": class_logits(x),
    }


def refused_models() -> dict[str, bytes]:
    """Return files that are rejected, by name: damaged ones, other models, and ones with an op the runtime lacks."""
    plain = convert(logit, PHOTO)
    custom_op = convert(lambda x: tf.raw_ops.Betainc(a=x + 1.0, b=x + 1.0, x=x)[..., :1], PHOTO, custom=True)
    return {
        "classifier": convert(lambda x: tf.nn.softmax(tf.reduce_mean(class_logits(x), (1, 2))), PHOTO),
        "five-channels": convert(lambda x: logit(x[..., :3]), spec(1, HEIGHT, WIDTH, 5)),
        "no-image": convert(lambda x: tf.nn.relu(x), spec(1, 100)),
        "two-inputs": convert(lambda x, y: logit(x + y), PHOTO, PHOTO),
        "custom-op": custom_op,
        "mediapipe-op": with_custom_op_name(custom_op, b"MaxPoolingWithArgmax2D"),
        "truncated": plain[: len(plain) * 2 // 3],
        "text": plain.decode("utf-8", errors="replace").encode(),
        "crash": crashing_model(),
        "no-model": b"\x89PNG\r\n\x1a\n" + bytes(200),
    }


def crashing_model() -> bytes:
    """Return an addition of int8 whose ratio of scales the runtimes check with an assertion, which aborts."""

    def tensor(name: bytes, scale: float) -> Any:
        tensor = schema.TensorT()
        tensor.quantization = schema.QuantizationParametersT()
        tensor.name, tensor.type, tensor.shape = name, schema.TensorType.INT8, np.array([1, HEIGHT, WIDTH, 3], np.int32)
        tensor.quantization.scale = np.array([scale], np.float32)
        tensor.quantization.zeroPoint = np.array([0], np.int64)
        return tensor

    model, graph = schema.ModelT(), schema.SubGraphT()
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ADD
    code.version = 2
    operator.inputs, operator.outputs = np.array([0, 0], np.int32), np.array([1], np.int32)
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()
    graph.tensors, graph.operators = [tensor(b"image", 1 / 255), tensor(b"scores", 1e-12)], [operator]
    graph.inputs, graph.outputs = np.array([0], np.int32), np.array([1], np.int32)
    model.version, model.buffers, model.operatorCodes, model.subgraphs = 3, [schema.BufferT()], [code], [graph]
    return packed(model)


def with_custom_op_name(model: bytes, op: bytes) -> bytes:
    """Return a copy of a model whose custom op has another name."""
    parts = schema.ModelT.InitFromPackedBuf(model, 0)
    for code in parts.operatorCodes:
        if code.customCode:
            code.customCode = op
    return packed(parts)


def packed(parts: Any) -> bytes:
    """Serialize a model."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(parts.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def with_metadata(model: bytes, metadata: bytes, files: dict[str, str]) -> bytes:
    """Return a copy of a model with standard metadata and its associated files, as TFLite's library writes them."""
    parts = schema.ModelT.InitFromPackedBuf(model, 0)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(metadata, np.uint8)
    entry.name, entry.buffer = b"TFLITE_METADATA", len(parts.buffers)
    parts.buffers.append(buffer)
    parts.metadata = [*(parts.metadata or []), entry]
    path = HERE / "partial"
    path.write_bytes(packed(parts))
    if files:
        with zipfile.ZipFile(path, "a") as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    data = path.read_bytes()
    path.unlink()
    return data


def build_metadata(mean: float, std: float, labels: str = "", activation: int | None = None) -> bytes:
    """Return standard metadata.

    Args:
        mean: Mean of the normalization.
        std: Standard deviation of the normalization.
        labels: Name of the label file; empty for none.
        activation: MediaPipe's number of the activation; None for none.
    """
    b = flatbuffers.Builder(256)
    options = table(b, {0: floats(b, [mean]), 1: floats(b, [std])})
    unit = table(b, {1: options}, {0: 1})
    image = table(b, {0: b.CreateString("image"), 4: vector(b, [unit])})
    segmentation = {0: b.CreateString("map")}
    if labels:
        segmentation[6] = vector(b, [table(b, {0: b.CreateString(labels)}, {2: 3})])
    subgraph = {2: vector(b, [image]), 3: vector(b, [table(b, segmentation)])}
    if activation is not None:
        inner = flatbuffers.Builder(32)
        inner.Finish(table(inner, {}, {0: activation}), file_identifier=b"V001")
        custom = table(b, {0: b.CreateString("SEGMENTER_METADATA"), 1: b.CreateByteVector(bytes(inner.Output()))})
        subgraph[9] = vector(b, [custom])
    model = {0: b.CreateString("colours"), 2: b.CreateString("v7"), 3: vector(b, [table(b, subgraph)])}
    b.Finish(table(b, model), file_identifier=b"M001")
    return bytes(b.Output())


def table(b: flatbuffers.Builder, offsets: dict[int, int], numbers: dict[int, int] | None = None) -> int:
    """Write a table of offsets and int8 numbers by slot."""
    b.StartObject(12)
    for slot, offset in offsets.items():
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in (numbers or {}).items():
        b.PrependInt8Slot(slot, number, 0)
    return int(b.EndObject())


def vector(b: flatbuffers.Builder, offsets: list[int]) -> int:
    """Write a vector of offsets."""
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def floats(b: flatbuffers.Builder, values: list[float]) -> int:
    """Write a vector of float32."""
    return int(b.CreateNumpyVector(np.asarray(values, np.float32)))


def main() -> None:
    """Write every model to the folders served and refused beside this file."""
    models = served_models()
    labels = {"labels.txt": "nothing\nred\ngreen\nblue\n"}
    centred = convert(lambda x: class_logits((x + 1) / 2), PHOTO)
    models["metadata"] = with_metadata(centred, build_metadata(127.5, 127.5, "labels.txt"), labels)
    models["metadata-no-background"] = with_metadata(
        centred, build_metadata(127.5, 127.5, "labels.txt"), {"labels.txt": "red\ngreen\nblue"}
    )
    models["metadata-activation"] = with_metadata(models["logit"], build_metadata(0, 255, activation=1), {})
    models["metadata-uint8"] = with_metadata(models["uint8"], build_metadata(0, 1), {})
    for folder, files in (("served", models), ("refused", refused_models())):
        (HERE / folder).mkdir(exist_ok=True)
        for name, data in files.items():
            (HERE / folder / f"{name}.tflite").write_bytes(data)
            print(f"{folder}/{name}.tflite: {len(data):,} bytes")


if __name__ == "__main__":
    main()
