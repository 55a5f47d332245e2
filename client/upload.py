"""A photo on its way: scaled down where it is over the platform's limit, its answer enlarged on the way back."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, field, replace

from PIL import Image

from client.errors import BadAnswer
from client.options import Question
from client.photo import UNREADABLE, open_small, open_upright, to_rgb
from client.result import Answer

# The platform takes 32 MiB for a whole request: its lines and headers travel within that too.
LARGEST_BODY_BYTES = 32 * 2**20 - 64 * 2**10
# The model sees a few hundred pixels; this leaves several for each of them.
LONGEST_SIDE_PX = 2048

log = logging.getLogger("silhouette")


@dataclass(frozen=True)
class Parcel:
    """Hold what is sent, and beside it the sizes where that is not the photo as it was.

    photo_wh: the upright size of the photo itself
    sent_wh: the size it was scaled down to
    """

    body: bytes = field(repr=False)
    photo_wh: tuple[int, int] | None = None
    sent_wh: tuple[int, int] | None = None


def pack(photo: bytes) -> Parcel:
    """Make a photo ready to send, and say so where it had to be scaled down.

    raises: PhotoError
    """
    if len(photo) <= LARGEST_BODY_BYTES:
        return Parcel(photo)
    small, photo_wh = open_small(photo, LONGEST_SIDE_PX)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=92)
    log.warning(
        "a photo of %.0f MiB is over the 32 MiB that the platform takes: sent as %d x %d, answer enlarged to %d x %d",
        len(photo) / 2**20,
        *small.size,
        *photo_wh,
    )
    return Parcel(out.getvalue(), photo_wh, small.size)


def unpack(answer: Answer, parcel: Parcel, question: Question, photo: bytes) -> Answer:
    """Give an answer the size of the photo itself; one to a photo that was sent whole is not touched.

    photo: the bytes before scaling down
    raises: BadAnswer, PhotoError
    """
    if parcel.photo_wh is None or question.size == "model":
        return answer
    if question.output == "json":
        log.warning("the JSON speaks of the photo as it was sent, not of its own %d x %d", *parcel.photo_wh)
        return replace(answer, sent_wh=parcel.sent_wh)
    try:
        with Image.open(io.BytesIO(answer.body)) as small:
            small.load()
    except UNREADABLE as error:
        raise BadAnswer(f"the answer cannot be opened to enlarge it: {error}") from error
    large = cut_out(small, photo) if question.output == "cutout" else enlarge(small, parcel.photo_wh)
    out = io.BytesIO()
    large.save(out, "PNG", compress_level=3)
    return replace(answer, body=out.getvalue(), size_wh=large.size, sent_wh=parcel.sent_wh)


def enlarge(picture: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
    """Enlarge an answer without inventing classes: smooth where values may mix, nearest where they are names."""
    if picture.mode == "1":
        smooth = picture.convert("L").resize(size_wh, Image.Resampling.BILINEAR)
        return smooth.point([0] * 128 + [255] * 128, "1")
    if picture.mode == "P":
        return picture.resize(size_wh, Image.Resampling.NEAREST)
    return picture.resize(size_wh, Image.Resampling.BILINEAR)


def cut_out(small: Image.Image, photo: bytes) -> Image.Image:
    """Cut the object out of the photo itself, with the outline of the small cutout."""
    whole = to_rgb(open_upright(photo))
    whole.putalpha(small.convert("RGBA").getchannel("A").resize(whole.size, Image.Resampling.BILINEAR))
    return whole
