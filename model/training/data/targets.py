"""Training targets: class ids, or soft targets in which an unlabelled border is a slope.

A soft target is an image of mode L: 255 for the object, 0 for the background, and values between them where a pixel has
no label. It can be scaled with interpolation. Any other target holds class ids, with UNLABELLED where a pixel has no
label, and is scaled to the nearest pixel.
"""

from __future__ import annotations

from PIL import Image, ImageFilter

from model.training.data.masks import UNLABELLED

STEP = 0.3  # the height of the jump at either edge of a soft border
_OBJECT = [0] + [255] * (UNLABELLED - 1) + [128]  # from class ids
_STEEP = [round(255 * min(1.0, max(0.0, (v / 255 - STEP) / (1 - 2 * STEP)))) for v in range(256)]


def soften(ids: Image.Image, steps: int = 16) -> Image.Image:
    """Return the soft target for class ids.

    The border rises from STEP to 1 - STEP between background and object: a jump at either edge of the border is
    easier to learn than the foot of a slope.

    Args:
        ids: Mode L, class ids and UNLABELLED.
        steps: How often each unlabelled pixel is set to the mean of its neighbours. A border of up to about twice
            as many pixels becomes a slope; the middle of a wider area stays at one half.
    """
    fixed = ids.point(_OBJECT)
    free = ids.point([0] * UNLABELLED + [255])
    target = fixed
    for _ in range(steps if free.getbbox() else 0):
        target = Image.composite(target.filter(ImageFilter.BoxBlur(1.5)), fixed, free)
    return Image.composite(target.point(lambda level: 255 * STEP + level * (1 - 2 * STEP)), fixed, free)


def opacity(target: Image.Image, soft: bool) -> Image.Image:
    """Return the mask to paste the object with, mode L: 255 on the object, a slope over its border, 0 elsewhere."""
    return target.point(_STEEP if soft else _OBJECT)


def resampling(soft: bool) -> Image.Resampling:
    """Return the filter to scale a target with."""
    return Image.Resampling.BILINEAR if soft else Image.Resampling.NEAREST
