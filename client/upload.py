"""The upload of a photo: reduced if it exceeds the platform's request limit, and its result enlarged again."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, field, replace

from PIL import Image

from .errors import BadResponse
from .options import SegmentOptions
from .photo import DECODE_ERRORS, open_reduced, open_upright, to_rgb
from .result import SegmentResult

# Cloud Run limits a whole request to 32 MiB, with the request line and the headers.
LARGEST_BODY_BYTES = 32 * 2**20 - 64 * 2**10
# Several pixels for each one of the model's input, which is a few hundred pixels wide.
REDUCED_LONGEST_PX = 2048

log = logging.getLogger("silhouette")


@dataclass(frozen=True)
class Upload:
    """The request body of a photo.

    Attributes:
        body: The bytes to send.
        photo_wh: Upright width and height of the photo; None if it is sent unchanged.
        sent_wh: Width and height to which it was reduced; None if it is sent unchanged.
    """

    body: bytes = field(repr=False)
    photo_wh: tuple[int, int] | None = None
    sent_wh: tuple[int, int] | None = None


def prepare_upload(photo: bytes) -> Upload:
    """Return the upload of a photo, reduced with a warning if it is larger than the platform accepts.

    Args:
        photo: The bytes of an image file.

    Returns:
        The upload.

    Raises:
        PhotoError: If the photo is too large and cannot be decoded.
    """
    if len(photo) <= LARGEST_BODY_BYTES:
        return Upload(photo)
    reduced, photo_wh = open_reduced(photo, REDUCED_LONGEST_PX)
    out = io.BytesIO()
    reduced.save(out, "JPEG", quality=92)
    log.warning(
        "a photo of %.0f MiB exceeds the platform's limit of 32 MiB: it is sent as %d x %d, the result is enlarged"
        " to %d x %d",
        len(photo) / 2**20,
        *reduced.size,
        *photo_wh,
    )
    return Upload(out.getvalue(), photo_wh, reduced.size)


def restore_size(result: SegmentResult, upload: Upload, options: SegmentOptions, photo: bytes) -> SegmentResult:
    """Enlarge a result to the photo's own size if the photo was reduced for the upload.

    Args:
        result: The result as the server returned it.
        upload: The upload.
        options: The options of the request.
        photo: The bytes of the photo itself.

    Returns:
        The result unchanged if the photo was sent unchanged or the model's size was requested; else the result with the
        enlarged PNG. JSON keeps the coordinates of the reduced photo, with a warning.

    Raises:
        BadResponse: If the result cannot be decoded.
        PhotoError: If the photo cannot be decoded, for a cutout.
    """
    if upload.photo_wh is None or options.size == "model":
        return result
    if options.output == "json":
        log.warning("the JSON has the coordinates of the reduced photo, not of the original %d x %d", *upload.photo_wh)
        return replace(result, sent_wh=upload.sent_wh)
    try:
        with Image.open(io.BytesIO(result.body)) as small:
            small.load()
    except DECODE_ERRORS as error:
        raise BadResponse(f"cannot decode the result to enlarge it: {error}", tries=result.tries) from error
    large = _cut_out(small, photo) if options.output == "cutout" else _enlarge(small, upload.photo_wh)
    out = io.BytesIO()
    large.save(out, "PNG", compress_level=3)
    return replace(result, body=out.getvalue(), size_wh=large.size, sent_wh=upload.sent_wh)


def _enlarge(image: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
    """Enlarge a result without inventing class ids: bilinear for values, nearest neighbour for class ids."""
    if image.mode == "1":
        smooth = image.convert("L").resize(size_wh, Image.Resampling.BILINEAR)
        return smooth.point([0] * 128 + [255] * 128, "1")
    if image.mode == "P":
        return image.resize(size_wh, Image.Resampling.NEAREST)
    return image.resize(size_wh, Image.Resampling.BILINEAR)


def _cut_out(small: Image.Image, photo: bytes) -> Image.Image:
    """Return the full-size photo with the enlarged alpha channel of a small cutout."""
    cutout = to_rgb(open_upright(photo))
    cutout.putalpha(small.convert("RGBA").getchannel("A").resize(cutout.size, Image.Resampling.BILINEAR))
    return cutout
