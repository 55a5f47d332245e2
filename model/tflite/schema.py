"""The flatbuffer schemas of TFLite models and of their standard metadata, as data for flatbuffer.py.

TABLES maps the name of a table to its fields: slot -> (name, type). Listed are the fields that refer to something
else and those that are used here; names are those of the published schemas. Types: a letter of the struct module for a
number; "v" and a letter for a vector of numbers; "bytes" for a vector of bytes, read as its start and length; "text";
"table NAME"; "tables NAME" for a vector of tables; "union NAME" for a table of the type that the field before it
selects, in UNIONS.

Sources: schema.fbs, version 3, in TensorFlow's tensorflow/compiler/mlir/lite/schema; metadata_schema.fbs in
tflite-support; image_segmenter_metadata_schema.fbs in MediaPipe.
"""

from __future__ import annotations

from enum import IntEnum

Fields = dict[int, tuple[str, str]]


class BuiltinOp(IntEnum):
    """Operators of the enum BuiltinOperator that are treated specially here."""

    CONV_2D = 3
    DEPTHWISE_CONV_2D = 4
    DEQUANTIZE = 6
    FULLY_CONNECTED = 9
    LOGISTIC = 14
    LSTM = 16
    RESHAPE = 22
    RESIZE_BILINEAR = 23
    RNN = 24
    SOFTMAX = 25
    SVDF = 27
    CUSTOM = 32
    UNIDIRECTIONAL_SEQUENCE_RNN = 35
    TRANSPOSE = 39
    SQUEEZE = 43
    UNIDIRECTIONAL_SEQUENCE_LSTM = 44
    STRIDED_SLICE = 45
    BIDIRECTIONAL_SEQUENCE_RNN = 46
    BIDIRECTIONAL_SEQUENCE_LSTM = 52
    CAST = 53
    ARG_MAX = 56
    LESS = 58
    GREATER = 61
    GREATER_EQUAL = 62
    LESS_EQUAL = 63
    TRANSPOSE_CONV = 67
    EXPAND_DIMS = 70
    EQUAL = 71
    NOT_EQUAL = 72
    RESIZE_NEAREST_NEIGHBOR = 97
    QUANTIZE = 114
    CONV_3D = 132
    CONV_3D_TRANSPOSE = 141


def _vectors(type_name: str, *slots: int) -> Fields:
    """Return fields that are verified but not used."""
    return {slot: (f"field_{slot}", type_name) for slot in slots}


MODEL_TABLES: dict[str, Fields] = {
    "Model": {
        0: ("version", "I"),
        1: ("operator_codes", "tables OperatorCode"),
        2: ("subgraphs", "tables SubGraph"),
        3: ("description", "text"),
        4: ("buffers", "tables Buffer"),
        5: ("metadata_buffer", "vi"),
        6: ("metadata", "tables Metadata"),
        7: ("signature_defs", "tables SignatureDef"),
    },
    "OperatorCode": {
        0: ("deprecated_builtin_code", "b"),
        1: ("custom_code", "text"),
        2: ("version", "i"),
        3: ("builtin_code", "i"),
    },
    "SubGraph": {
        0: ("tensors", "tables Tensor"),
        1: ("inputs", "vi"),
        2: ("outputs", "vi"),
        3: ("operators", "tables Operator"),
        4: ("name", "text"),
    },
    "Buffer": {0: ("data", "bytes"), 1: ("offset", "Q"), 2: ("size", "Q")},
    "Metadata": {0: ("name", "text"), 1: ("buffer", "I")},
    "SignatureDef": {
        0: ("inputs", "tables TensorMap"),
        1: ("outputs", "tables TensorMap"),
        2: ("signature_key", "text"),
        4: ("subgraph_index", "I"),
    },
    "TensorMap": {0: ("name", "text"), 1: ("tensor_index", "I")},
    "Tensor": {
        0: ("shape", "vi"),
        1: ("type", "b"),
        2: ("buffer", "I"),
        3: ("name", "text"),
        4: ("quantization", "table QuantizationParameters"),
        6: ("sparsity", "table SparsityParameters"),
        7: ("shape_signature", "vi"),
        9: ("variant_tensors", "tables VariantSubType"),
    },
    "QuantizationParameters": {
        0: ("min", "vf"),
        1: ("max", "vf"),
        2: ("scale", "vf"),
        3: ("zero_point", "vq"),
        4: ("details_type", "B"),
        5: ("details", "union QuantizationDetails"),
        6: ("quantized_dimension", "i"),
    },
    "CustomQuantization": {0: ("custom", "bytes")},
    "SparsityParameters": {
        0: ("traversal_order", "vi"),
        1: ("block_map", "vi"),
        2: ("dim_metadata", "tables DimensionMetadata"),
    },
    "DimensionMetadata": {
        0: ("format", "b"),
        1: ("dense_size", "i"),
        2: ("array_segments_type", "B"),
        3: ("array_segments", "union SparseIndexVector"),
        4: ("array_indices_type", "B"),
        5: ("array_indices", "union SparseIndexVector"),
    },
    "Int32Vector": {0: ("values", "vi")},
    "Uint16Vector": {0: ("values", "vH")},
    "Uint8Vector": {0: ("values", "bytes")},
    "VariantSubType": {0: ("shape", "vi"), 1: ("type", "b")},
    "Operator": {
        0: ("opcode_index", "I"),
        1: ("inputs", "vi"),
        2: ("outputs", "vi"),
        3: ("builtin_options_type", "B"),
        4: ("builtin_options", "union BuiltinOptions"),
        5: ("custom_options", "bytes"),
        7: ("mutating_variable_inputs", "bytes"),
        8: ("intermediates", "vi"),
        9: ("large_custom_options_offset", "Q"),
        10: ("large_custom_options_size", "Q"),
        11: ("builtin_options_2_type", "B"),
        12: ("builtin_options_2", "union BuiltinOptions2"),
    },
    "Numbers": {},  # any table without references
    "ShapeOptions": _vectors("vi", 0),
    "ConcatEmbeddingsOptions": _vectors("vi", 1, 2),
    "VarHandleOptions": _vectors("text", 0, 1),
    "OneVector": _vectors("vq", 0),
    "ThreeVectors": _vectors("vq", 0, 1, 2),
    "ReduceWindow": _vectors("vq", 0, 1, 2, 3, 4),
    "Convolution": {**_vectors("vq", 0, 1, 2, 3, 7, 10, 13), **_vectors("bytes", 4), **_vectors("vi", 16)},
    "CustomCall": {**_vectors("text", 0, 2), **_vectors("vi", 4), **_vectors("bytes", 5)},
    "Scatter": _vectors("vq", 1, 2, 3),
    "DotGeneral": {**_vectors("vq", 0, 1, 2, 3), **_vectors("vi", 4)},
    "Gather": _vectors("vq", 0, 1, 2, 4),
    "Composite": {**_vectors("text", 0), **_vectors("bytes", 2)},
    "Case": _vectors("vi", 0),
}
METADATA_TABLES: dict[str, Fields] = {
    "ModelMetadata": {
        0: ("name", "text"),
        1: ("description", "text"),
        2: ("version", "text"),
        3: ("subgraph_metadata", "tables SubGraphMetadata"),
        5: ("license", "text"),
    },
    "SubGraphMetadata": {
        2: ("input_tensor_metadata", "tables TensorMetadata"),
        3: ("output_tensor_metadata", "tables TensorMetadata"),
        9: ("custom_metadata", "tables CustomMetadata"),
    },
    "TensorMetadata": {4: ("process_units", "tables ProcessUnit"), 6: ("associated_files", "tables AssociatedFile")},
    "ProcessUnit": {0: ("options_type", "B"), 1: ("options", "union ProcessUnitOptions")},
    "NormalizationOptions": {0: ("mean", "vf"), 1: ("std", "vf")},
    "AssociatedFile": {0: ("name", "text"), 2: ("type", "b"), 3: ("locale", "text")},
    "CustomMetadata": {0: ("name", "text"), 1: ("data", "bytes")},
    "ImageSegmenterOptions": {0: ("activation", "b")},  # MediaPipe's, a flatbuffer inside CustomMetadata.data
}
TABLES = MODEL_TABLES | METADATA_TABLES
UNIONS: dict[str, dict[int, str]] = {
    "QuantizationDetails": {1: "CustomQuantization"},
    "SparseIndexVector": {1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"},
    "BuiltinOptions": {
        3: "ConcatEmbeddingsOptions",
        17: "ShapeOptions",
        30: "ShapeOptions",
        111: "VarHandleOptions",
        115: "ShapeOptions",
    },
    "BuiltinOptions2": {
        2: "OneVector",
        3: "ThreeVectors",
        4: "Convolution",
        5: "CustomCall",
        6: "OneVector",
        7: "Scatter",
        9: "OneVector",
        10: "ThreeVectors",
        12: "DotGeneral",
        13: "ReduceWindow",
        16: "Gather",
        17: "OneVector",
        21: "Composite",
        23: "Case",
    },
    "ProcessUnitOptions": {1: "NormalizationOptions"},
}
