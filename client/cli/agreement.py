"""The agreement of two masks of the same photo: intersection over union, and a picture of the difference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import BadResponse
from ..mask import Mask
from ..result import SegmentResult

ONLY_OLD, ONLY_NEW, OTHER_CLASS = (0, 114, 178), (230, 159, 0), (204, 0, 119)
AGREED = (200, 200, 200)
# Of the difference picture: neither mask, both, the old one alone, the new one alone, both but another class.
DIFFERENCE_PALETTE = (0, 0, 0, *AGREED, *ONLY_OLD, *ONLY_NEW, *OTHER_CLASS)


@dataclass(frozen=True, kw_only=True)
class ComparedResult(SegmentResult):
    """The result of the function under test, compared with that of a reference function.

    Attributes:
        reference: The result of the reference function for the same photo.
        agreement: Intersection over union of the two masks, 0 to 1.
    """

    reference: SegmentResult
    agreement: float


def compare_masks(new: Mask, reference: Mask, background: int | None) -> ComparedResult:
    """Compare two masks of one photo.

    Args:
        new: The mask of the function under test.
        reference: The mask of the reference function.
        background: Class id of the background, which does not count; None if every class counts.

    Raises:
        BadResponse: If a mask cannot be decoded, or they differ in size, or only one has more than two classes.
    """
    if new.size_wh != reference.size_wh or new.image.mode != reference.image.mode:
        raise BadResponse(f"the masks cannot be compared: {_describe(new)} and, of --against, {_describe(reference)}")
    agreement = mean_iou(new.array, reference.array, background)
    return ComparedResult(**vars(new.result), reference=reference.result, agreement=agreement)


def _describe(mask: Mask) -> str:
    classes = "two classes" if mask.image.mode == "1" else "several classes"
    return f"{mask.size_wh[0]} x {mask.size_wh[1]} pixels of {classes}"


def mean_iou(first: NDArray[np.uint8], second: NDArray[np.uint8], background: int | None) -> float:
    """Return the intersection over union of two masks, averaged over the classes that either of them contains.

    Args:
        first: Class ids, uint8 (H, W).
        second: Class ids, uint8 (H, W).
        background: Class id of the background, which does not count; None if every class counts.

    Returns:
        0 to 1; 1 if neither mask contains anything but background.
    """
    in_first, in_second = (np.bincount(mask.ravel(), minlength=256) for mask in (first, second))
    in_both = np.bincount(first[first == second], minlength=256)
    in_either = in_first + in_second - in_both
    if background is not None:
        in_either[background] = 0
    present = in_either > 0
    return float((in_both[present] / in_either[present]).mean()) if present.any() else 1.0


def draw_difference(new: NDArray[np.uint8], reference: NDArray[np.uint8], background: int | None) -> Image.Image:
    """Draw where two masks differ.

    Args:
        new: Class ids, uint8 (H, W).
        reference: Class ids, uint8 (H, W).
        background: Class id of the background; None if there is none.

    Returns:
        An RGB image: grey where the masks agree on an object, blue where the reference alone has one, orange where the
        new mask alone has one, magenta where the two have different classes, black elsewhere.
    """
    has_new, has_reference = (
        np.ones(mask.shape, bool) if background is None else mask != background for mask in (new, reference)
    )
    index = np.where(new == reference, 1, 4)
    index[has_reference & ~has_new], index[has_new & ~has_reference], index[~has_new & ~has_reference] = 2, 3, 0
    picture = Image.fromarray(index.astype(np.uint8)).convert("P")
    picture.putpalette(DIFFERENCE_PALETTE)
    return picture.convert("RGB")
