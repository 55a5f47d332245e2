"""TIFF: tags that Pillow ignores or does not know. Each is honoured, or named in the error (TIFF 6.0, Aldus 1992)."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageFile, ImagePalette, TiffImagePlugin

from model.errors import NotAPhoto
from model.image.pixels import Samples

NEW_SUBFILE_TYPE, SUBFILE_TYPE, BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC = 254, 255, 258, 259, 262
PLANAR_CONFIGURATION, COLOR_MAP, INK_SET, SAMPLE_FORMAT, YCBCR_SUBSAMPLING = 284, 320, 332, 339, 530
EXTRA_SAMPLES, FILL_ORDER = 338, 266
REDUCED_OR_MASK = 0b101  # bits of NewSubfileType: a reduced version of another page, a transparency mask
MAX_PAGES = 64  # searched for one of full resolution
WHITE_IS_ZERO, YCBCR, CIELAB = 0, 6, 8
SIGNED, JPEG = 2, 7
NAMES: dict[int, dict[int, str]] = {
    PHOTOMETRIC: {
        **{0: "WhiteIsZero", 1: "BlackIsZero", 2: "RGB", 3: "palette", 4: "transparency mask", 5: "CMYK", 6: "YCbCr"},
        **{8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "raw camera data", 34892: "linear raw camera data"},
        **{32844: "LogL", 32845: "LogLuv"},
    },
    SAMPLE_FORMAT: {1: "unsigned integer", 2: "signed integer", 3: "floating point", 4: "undefined", 5: "complex"},
}
ADVICE = "export it as TIFF with 8 or 16 bits, PNG or JPEG"
# Layouts that Pillow's decoders can read, but its table lacks; big-endian data is converted by libtiff's own rules.
OTHER_LAYOUTS: dict[Any, tuple[str, str]] = {
    (b"MM", WHITE_IS_ZERO, (1,), 1, (16,), ()): ("I;16B", "I;16B"),
    (b"II", WHITE_IS_ZERO, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (b"MM", WHITE_IS_ZERO, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (b"MM", 1, (1,), 1, (12,), ()): ("I;16", "I;12"),
    (b"MM", 1, (1,), 1, (32,), ()): ("I", "I;32B"),
}
# libtiff gives samples in the machine's byte order, which Pillow expects of 16 unsigned bits only.
NATIVE_RAW_MODES = {"F;32BF": "F;32F", "I;16BS": "I;16S", "I;32BS": "I;32S", "I;32B": "I;32N"}

TiffImagePlugin.OPEN_INFO.update(OTHER_LAYOUTS)


def prepare(image: Image.Image) -> Samples:
    """Select the page to decode, and make Pillow decode it as its tags say.

    Args:
        image: The opened file; its current page may change.

    Returns:
        What the tags state about the samples.

    Raises:
        NotAPhoto: If a tag has a value that is not supported; the message names the tag.
    """
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    _select_page(image)
    if not isinstance(image.info.get("xmp", b""), bytes):
        del image.info["xmp"]  # Pillow looks for an orientation in it
    tags = image.tag_v2
    _reject_unsupported(tags)
    _set_raw_mode(image)
    _widen_palette(image)
    bits, signed = _bits(tags), _first(tags, SAMPLE_FORMAT, 1)
    return Samples(
        white=4095.0 if bits == (12,) else None,
        is_inverted=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO,
        is_unsigned=image.mode == "I" and signed == 1,
    )


def describe_layout(data: bytes) -> str | None:
    """Return why a file cannot be decoded, by its tags; None if they cannot be read, or are incomplete.

    Args:
        data: The file.
    """
    try:
        with io.BytesIO(data) as file:
            header = file.read(16 if data[2:3] == b"\x2b" or data[3:4] == b"\x2b" else 8)
            tags = TiffImagePlugin.ImageFileDirectory_v2(header)
            file.seek(tags.next)
            tags.load(file)
        return _layout(tags) if PHOTOMETRIC in tags else None
    except Exception:  # any, for a damaged file
        return None


def _layout(tags: Any) -> str:
    photometric, sample_format = tags.get(PHOTOMETRIC, "missing"), _first(tags, SAMPLE_FORMAT, 1)
    compression = tags.get(COMPRESSION, 1)
    values = [
        f"PhotometricInterpretation {NAMES[PHOTOMETRIC].get(photometric, photometric)}",
        f"BitsPerSample {', '.join(map(str, _bits(tags)[:8]))}",
        f"SampleFormat {NAMES[SAMPLE_FORMAT].get(sample_format, sample_format)}",
        f"Compression {TiffImagePlugin.COMPRESSION_INFO.get(compression, compression)}",
    ]
    if EXTRA_SAMPLES in tags:
        values.append(f"ExtraSamples {', '.join(map(str, tags[EXTRA_SAMPLES][:8]))}")
    if tags.get(FILL_ORDER, 1) != 1:
        values.append(f"FillOrder {tags[FILL_ORDER]}")
    return f"a TIFF of this layout is not supported ({'; '.join(values)}); {ADVICE}"


def _select_page(image: TiffImagePlugin.TiffImageFile) -> None:
    """Select the first page that is no preview or mask of another."""
    page = 0
    while _is_reduced(image.tag_v2):
        page += 1
        try:
            if page == MAX_PAGES:
                raise EOFError
            image.seek(page)
        except EOFError:
            raise NotAPhoto(
                "the TIFF has a preview only (NewSubfileType), beside raw camera data perhaps; develop it to a JPEG"
            ) from None
        except (SyntaxError, KeyError) as error:
            raise NotAPhoto(_layout(image.tag_v2)) from error


def _is_reduced(tags: Any) -> bool:
    return bool(_first(tags, NEW_SUBFILE_TYPE, 0) & REDUCED_OR_MASK) or _first(tags, SUBFILE_TYPE, 1) == 2


def _reject_unsupported(tags: Any) -> None:
    """Raise NotAPhoto for a layout that Pillow would decode to wrong pixels."""
    photometric, bits = tags.get(PHOTOMETRIC), _bits(tags)
    is_raw = tags.get(COMPRESSION, 1) == 1
    reasons = {
        "PhotometricInterpretation CIELab": photometric == CIELAB,
        "InkSet": photometric == 5 and _first(tags, INK_SET, 1) != 1,
        "YCbCrSubSampling without compression": photometric == YCBCR
        and is_raw
        and len(bits) > 1
        and tuple(tags.get(YCBCR_SUBSAMPLING, (2, 2))) != (1, 1),
        "SampleFormat signed integer of 8 bits": bits[0] == 8 and _first(tags, SAMPLE_FORMAT, 1) == SIGNED,
        "Compression JPEG of 12 bits": tags.get(COMPRESSION) == JPEG and bits[0] != 8,
    }
    for reason, is_met in reasons.items():
        if is_met:
            raise NotAPhoto(f"a TIFF with {reason} is not supported; {ADVICE}")


def _set_raw_mode(image: TiffImagePlugin.TiffImageFile) -> None:
    """Correct how Pillow interprets the decoder's output."""
    tile = image.tile[0]
    args: Any = tile.args
    if tile.codec_name == "libtiff":
        raw_mode = NATIVE_RAW_MODES.get(args[0], args[0])
    elif image.tag_v2.get(PLANAR_CONFIGURATION) == 2 and _bits(image.tag_v2)[0] == 16:
        raw_mode = f"{image.mode};16N"  # Pillow's own decoder takes each plane for one of 8 bits
        image.use_load_libtiff = True
    else:
        return
    size_wh = image.tag_v2[256], image.tag_v2[257]
    image.tile = [ImageFile._Tile("libtiff", (0, 0, *size_wh), 0, (raw_mode, False, image.tag_v2.offset))]


def _widen_palette(image: TiffImagePlugin.TiffImageFile) -> None:
    """Use a ColorMap of 8 bits, which some programs write, as libtiff's tools do."""
    if image.mode == "P" and max(colours := image.tag_v2[COLOR_MAP]) < 256:
        image.palette = ImagePalette.raw("RGB;L", bytes(colours))


def _bits(tags: Any) -> tuple[int, ...]:
    return tuple(tags.get(BITS_PER_SAMPLE, (1,)))


def _first(tags: Any, tag: int, default: int) -> int:
    """Return a tag's value, or the first of several."""
    value = tags.get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)
