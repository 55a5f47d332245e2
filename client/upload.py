"""The upload of a photo: reduced if it exceeds the platform's request limit, and its result enlarged again."""

from __future__ import annotations

import io
import logging
import math
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image, ImageChops

from .errors import BadResponse
from .options import SegmentOptions
from .photo import DECODE_ERRORS, count_pixels, open_reduced, open_upright, resolution
from .pixels import has_alpha, to_srgb
from .result import SegmentResult
from .retry import Exchange

# Cloud Run limits a whole request to 32 MiB, with the request line and the headers.
LARGEST_BODY_BYTES = 32 * 2**20 - 64 * 2**10
# Several pixels for each one of the model's input, which is a few hundred pixels wide.
REDUCED_LONGEST_PX = 2048
SMALLEST_LONGEST_PX = 64
QUALITY = 92  # of JPEG and WebP

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


@dataclass(frozen=True)
class Limits:
    """The largest photo that a server accepts.

    Attributes:
        upload_bytes: Limit of the request body in bytes.
        pixels: Limit of width times height by Pillow's name of the format; None is the key for all other formats.
    """

    upload_bytes: int = LARGEST_BODY_BYTES
    pixels: dict[str | None, int] = field(default_factory=dict)

    def excess(self, photo: bytes) -> str | None:
        """Return the limit that a photo exceeds, for a message, or None."""
        if len(photo) > self.upload_bytes:
            owner = "platform" if self.upload_bytes == LARGEST_BODY_BYTES else "server"
            return f"the {owner}'s limit of {-(-self.upload_bytes // 2**20)} MiB"
        if self.pixels:
            image_format, pixels = count_pixels(photo)
            limit = self.pixels.get(image_format, self.pixels.get(None, pixels))
            return f"the server's limit of {limit} pixels" if pixels > limit else None
        return None


def parse_limits(description: dict[str, Any]) -> Limits:
    """Return the limits that `GET /` states; those of the platform if it states none."""
    limits: Any = description.get("limits")
    try:
        upload_bytes = min(int(limits["upload_bytes"]), LARGEST_BODY_BYTES)
        pixels = int(limits["pixels"])
        by_format: dict[str | None, int] = {
            str(name): int(value) for name, value in limits.get("pixels_by_format", {}).items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return Limits()
    # The first version's server states one limit, and applies half of it to these formats.
    halved: dict[str | None, int] = {"WEBP": pixels // 2, "AVIF": pixels // 2}
    return Limits(upload_bytes, {None: pixels, **halved, **by_format})


def is_too_large(exchange: Exchange) -> bool:
    """Return whether a server refused a request as too large (413), by bytes or by pixels."""
    return exchange.response.status_code == 413


def prepare_upload(photo: bytes, limits: Limits | None = None) -> Upload:
    """Return the upload of a photo, reduced with a warning if it exceeds a limit.

    Args:
        photo: The bytes of an image file.
        limits: The limits of the server; None for those of the platform.

    Returns:
        The upload.

    Raises:
        PhotoError: If the photo is too large and cannot be decoded.
    """
    limits = limits or Limits()
    excess = limits.excess(photo)
    if excess is None:
        return Upload(photo)
    longest_px = min([REDUCED_LONGEST_PX, *(math.isqrt(pixels) for pixels in limits.pixels.values())])
    reduced, photo_wh = open_reduced(photo, longest_px)
    body = _encode_upload(reduced)
    while len(body) > limits.upload_bytes and max(reduced.size) > SMALLEST_LONGEST_PX:
        reduced.thumbnail((max(reduced.size) // 2, max(reduced.size) // 2))
        body = _encode_upload(reduced)
    log.warning(
        "a photo of %.0f MiB and %d x %d pixels exceeds %s: it is sent as %d x %d, and the result is enlarged",
        len(photo) / 2**20,
        *photo_wh,
        excess,
        *reduced.size,
    )
    return Upload(body, photo_wh, reduced.size)


def _encode_upload(image: Image.Image) -> bytes:
    """Encode a reduced photo: as JPEG, or as PNG if it can be transparent."""
    out = io.BytesIO()
    if image.mode == "RGBA":
        image.save(out, "PNG", **resolution(image))
    else:
        image.save(out, "JPEG", quality=QUALITY, **resolution(image))
    return out.getvalue()


def restore_size(result: SegmentResult, upload: Upload, options: SegmentOptions, photo: bytes) -> SegmentResult:
    """Enlarge a result to the photo's own size if the photo was reduced for the upload.

    Args:
        result: The result as the server returned it.
        upload: The upload.
        options: The options of the request.
        photo: The bytes of the photo itself.

    Returns:
        The result unchanged if the photo was sent unchanged or the model's size was requested; else the result with the
        enlarged image. JSON keeps the coordinates of the reduced photo, with a warning.

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
    is_cutout = options.output == "cutout" and has_alpha(small)
    large = _cut_out(small, photo) if is_cutout else _enlarge(small, upload.photo_wh)
    out = io.BytesIO()
    image_format = result.media_type.rpartition("/")[2]
    large.save(out, image_format, compress_level=3, quality=QUALITY, **resolution(large))
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
    """Return the full-size photo in sRGB with the enlarged alpha channel of a small cutout, and nothing under alpha 0.

    The alpha is the lesser of the cutout's and the photo's own.
    """
    cutout = to_srgb(open_upright(photo))
    alpha = small.convert("RGBA").getchannel("A").resize(cutout.size, Image.Resampling.BILINEAR)
    if cutout.mode == "RGBA":
        alpha = ImageChops.darker(alpha, cutout.getchannel("A"))
    cutout.putalpha(alpha)
    cutout.paste((0, 0, 0, 0), mask=alpha.point([255] + [0] * 255))
    return cutout
