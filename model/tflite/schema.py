"""What the tables of a .tflite hold: TensorFlow Lite's schema.fbs, version 3, as far as something points elsewhere.

slot -> (name, kind). Kinds: a letter of `struct` for a number; "v" and a letter for a vector of them; "bytes" for a
vector whose place alone is noted; "text"; "table NAME"; "tables NAME" for a vector of tables; "union NAME" for
a table whose kind the number in the slot before tells.
"""

from __future__ import annotations

Spec = dict[int, tuple[str, str]]


def _vectors(kind: str, *slots: int) -> Spec:
    return {slot: (f"v{slot}", kind) for slot in slots}


TABLES: dict[str, Spec] = {
    "Model": {
        0: ("version", "I"),
        1: ("codes", "tables OperatorCode"),
        2: ("graphs", "tables SubGraph"),
        3: ("description", "text"),
        4: ("buffers", "tables Buffer"),
        5: ("metadata_buffer", "vi"),
        6: ("metadata", "tables Metadata"),
        7: ("signatures", "tables Signature"),
    },
    "OperatorCode": {0: ("old_code", "b"), 1: ("custom", "text"), 2: ("version", "i"), 3: ("code", "i")},
    "SubGraph": {
        0: ("tensors", "tables Tensor"),
        1: ("inputs", "vi"),
        2: ("outputs", "vi"),
        3: ("operators", "tables Operator"),
        4: ("name", "text"),
    },
    "Buffer": {0: ("data", "bytes"), 1: ("offset", "Q"), 2: ("size", "Q")},
    "Metadata": {0: ("name", "text"), 1: ("buffer", "I")},
    "Signature": {
        0: ("inputs", "tables TensorMap"),
        1: ("outputs", "tables TensorMap"),
        2: ("key", "text"),
        4: ("graph", "I"),
    },
    "TensorMap": {0: ("name", "text"), 1: ("tensor", "I")},
    "Tensor": {
        0: ("shape", "vi"),
        1: ("type", "b"),
        2: ("buffer", "I"),
        3: ("name", "text"),
        4: ("quantization", "table Quantization"),
        6: ("sparsity", "table Sparsity"),
        7: ("signature", "vi"),
        9: ("variants", "tables Variant"),
    },
    "Quantization": {
        0: ("min", "vf"),
        1: ("max", "vf"),
        2: ("scales", "vf"),
        3: ("zero_points", "vq"),
        4: ("details_type", "B"),
        5: ("details", "union details"),
        6: ("axis", "i"),
    },
    "Custom": {0: ("data", "bytes")},
    "Sparsity": {0: ("order", "vi"), 1: ("blocks", "vi"), 2: ("dimensions", "tables Dimension")},
    "Dimension": {
        0: ("format", "b"),
        1: ("size", "i"),
        2: ("segments_type", "B"),
        3: ("segments", "union numbers"),
        4: ("indices_type", "B"),
        5: ("indices", "union numbers"),
    },
    "Int32s": {0: ("values", "vi")},
    "Uint16s": {0: ("values", "vH")},
    "Uint8s": {0: ("values", "bytes")},
    "Variant": {0: ("shape", "vi"), 1: ("type", "b")},
    "Operator": {
        0: ("code", "I"),
        1: ("inputs", "vi"),
        2: ("outputs", "vi"),
        3: ("options_type", "B"),
        4: ("options", "union options"),
        5: ("custom_options", "bytes"),
        7: ("mutating", "bytes"),
        8: ("intermediates", "vi"),
        9: ("large_offset", "Q"),
        10: ("large_size", "Q"),
        11: ("options2_type", "B"),
        12: ("options2", "union options2"),
    },
    "Numbers": {},  # options that point at nothing
    "Shape": _vectors("vi", 0),
    "ConcatEmbeddings": _vectors("vi", 1, 2),
    "VarHandle": _vectors("text", 0, 1),
    "OneVector": _vectors("vq", 0),
    "ThreeVectors": _vectors("vq", 0, 1, 2),
    "FiveVectors": _vectors("vq", 0, 1, 2, 3, 4),
    "Convolution": {**_vectors("vq", 0, 1, 2, 3, 7, 10, 13), **_vectors("bytes", 4), **_vectors("vi", 16)},
    "CustomCall": {**_vectors("text", 0, 2), **_vectors("vi", 4), **_vectors("bytes", 5)},
    "Scatter": _vectors("vq", 1, 2, 3),
    "DotGeneral": {**_vectors("vq", 0, 1, 2, 3), **_vectors("vi", 4)},
    "Gather": _vectors("vq", 0, 1, 2, 4),
    "Composite": {**_vectors("text", 0), **_vectors("bytes", 2)},
    "Case": _vectors("vi", 0),
}
UNIONS: dict[str, dict[int, str]] = {
    "details": {1: "Custom"},
    "numbers": {1: "Int32s", 2: "Uint16s", 3: "Uint8s"},
    "options": {3: "ConcatEmbeddings", 17: "Shape", 30: "Shape", 111: "VarHandle", 115: "Shape"},
    "options2": {
        2: "OneVector",
        3: "ThreeVectors",
        4: "Convolution",
        5: "CustomCall",
        6: "OneVector",
        7: "Scatter",
        9: "OneVector",
        10: "ThreeVectors",
        12: "DotGeneral",
        13: "FiveVectors",
        16: "Gather",
        17: "OneVector",
        21: "Composite",
        23: "Case",
    },
}
