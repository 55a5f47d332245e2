"""Cards of public models that carry none, by the SHA-256 checksum of their files.

The normalization and the labels are those of the publishers' code and documents. The files themselves are not part of
this project. docs/models.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Numbers = tuple[float, float, float]

RAW: tuple[Numbers, Numbers] = ((128.0,) * 3, (128.0,) * 3)  # cancels the input's quantization: bytes stay as they are
ZERO_TO_ONE: tuple[Numbers, Numbers] = ((0.0,) * 3, (255.0,) * 3)
MINUS_ONE_TO_ONE: tuple[Numbers, Numbers] = ((127.5,) * 3, (127.5,) * 3)

PERSON = ("background", "person")
# Everingham et al. 2010, in the order of the class ids.
PASCAL_VOC = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
# Cordts et al. 2016, in the order of the training ids.
CITYSCAPES = (
    *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation"),
    *("terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
)
# Lee et al. 2020, by the names of the data set's files.
CELEBAMASK_HQ = (
    *("background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r"),
    *("nose", "mouth", "u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat"),
)

CORAL = ("Google Coral", "https://github.com/google-coral/test_data")
BACKSCRUB = "https://github.com/floe/backscrub"
MEDIAPIPE = ("Google MediaPipe", "https://github.com/google-ai-edge/mediapipe")
PORTRAIT = ("anilsathyan7", "https://github.com/anilsathyan7/Portrait-Segmentation")


@dataclass(frozen=True)
class KnownModel:
    """A public model.

    Attributes:
        name: Its name, that of its file.
        publisher: Who published it.
        url: Where it is published.
        licence: SPDX identifier of its licence.
        objects: What it segments.
        labels: Name of each class.
        normalization: Mean and standard deviation, as in a card.
        activation: As in a card.
        background: As in a card.
    """

    name: str
    publisher: str
    url: str
    licence: str
    objects: str
    labels: tuple[str, ...]
    normalization: tuple[Numbers, Numbers]
    activation: str
    background: int | None = 0

    def card_values(self) -> dict[str, Any]:
        """Return the values of its card by field."""
        mean, std = self.normalization
        return {
            "name": self.name,
            "version": "1",
            "description": f"{self.objects}; published by {self.publisher}, {self.url}",
            "licence": self.licence,
            "labels": self.labels,
            "background": self.background,
            "order": "RGB",
            "mean": mean,
            "std": std,
            "activation": self.activation,
        }


KNOWN_MODELS = {
    "350af47fd346ea6d74b58833a351f583ba860e9806ec5bd292ff8d8f1f249398": KnownModel(
        "deeplabv3_mnv2_pascal_quant", *CORAL, "Apache-2.0", "20 classes of PASCAL VOC", PASCAL_VOC, RAW, "ids"
    ),
    "0470d2a782aa54eeeb99d32e7b6b3fb7722905c7c4f5d26bd957ec861366d48b": KnownModel(
        "deeplabv3_mnv2_dm05_pascal_quant", *CORAL, "Apache-2.0", "20 classes of PASCAL VOC", PASCAL_VOC, RAW, "ids"
    ),
    "322fe29945cb1693f426952f2a330ab67ea5678545ddee6f2548e0cfd0ca03e5": KnownModel(
        "deeplab_slim_cityscapes_quant",
        *CORAL,
        "Apache-2.0",
        "19 classes of street scenes (Cityscapes)",
        CITYSCAPES,
        RAW,
        "ids",
        None,
    ),
    "68a539782c2c6a72f8aac3724600124a85ed977162b44e84cbae5db717c933c6": KnownModel(
        "deeplabv3_257_mv_gpu",
        "TensorFlow examples",
        BACKSCRUB,
        "Apache-2.0",
        "20 classes of PASCAL VOC",
        PASCAL_VOC,
        MINUS_ONE_TO_ONE,
        "softmax",
    ),
    "d2de5fcc47ec4279c3fea0a5e38ab5cdacb3e1a27409b83557faabb81d07402e": KnownModel(
        "body-pix-float-050-8",
        "TensorFlow.js BodyPix",
        BACKSCRUB,
        "Apache-2.0",
        "people",
        PERSON,
        MINUS_ONE_TO_ONE,
        "sigmoid",
    ),
    "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c": KnownModel(
        "selfie_segmentation", *MEDIAPIPE, "Apache-2.0", "people near the camera", PERSON, ZERO_TO_ONE, "none"
    ),
    "a77d03f4659b9f6b6c1f5106947bf40e99d7655094b6527f214ea7d451106edd": KnownModel(
        "selfie_segmentation_landscape",
        *MEDIAPIPE,
        "Apache-2.0",
        "people near the camera",
        PERSON,
        ZERO_TO_ONE,
        "none",
    ),
    "191ac9529ae506ee0beefa6b2c945a172dab9d07d1e802a290a4e4038226658b": KnownModel(
        "selfie_segmenter_tasks", *MEDIAPIPE, "Apache-2.0", "people near the camera", PERSON, ZERO_TO_ONE, "none"
    ),
    "ba1438be20c5e00af21cec1029ce2bd680ca03738b5107a7a7ebd0a8615708b8": KnownModel(
        "deeplab_aiseg_quant513", *PORTRAIT, "MIT", "people near the camera", PERSON, RAW, "ids"
    ),
    "736521804fb3b796d8b5c2571bfb80e411fbb000fb9345e31ef3d4052b77f824": KnownModel(
        "prisma-net_fp16", *PORTRAIT, "MIT", "people near the camera", PERSON, ZERO_TO_ONE, "none"
    ),
    "97774e4a4bc8dbe06f7d4f115c276e81ee96b51e3ced0b59a0094be0d101c4d0": KnownModel(
        "bisenetv2_celebamaskhq_256_integer_quant",
        "PINTO0309",
        "https://github.com/PINTO0309/PINTO_model_zoo",
        "MIT",
        "parts of a face that fills the photo",
        CELEBAMASK_HQ,
        RAW,
        "ids",
    ),
}
