"""The options of a segmentation request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Output = Literal["mask", "probability", "overlay", "cutout", "json"]
OutputSize = Literal["photo", "model"]
OutputFormat = Literal["png", "webp", "jpeg"]
OUTPUTS: tuple[str, ...] = get_args(Output)
OUTPUT_FORMATS: tuple[str, ...] = get_args(OutputFormat)
OUTPUT_SIZES: tuple[str, ...] = get_args(OutputSize)


@dataclass(frozen=True)
class SegmentOptions:
    """The options of one segmentation request; None selects the server's default.

    Attributes:
        output: What to return: "mask", "probability", "overlay", "cutout" or "json".
        threshold: Score from which a pixel belongs to the object, above 0 and at most 1.
        class_name: Return this class alone; for models with several classes.
        size: "photo" for the photo's own size, "model" for the model's output size.
        format: "png", "webp" or "jpeg" for an overlay or a cutout.
    """

    output: Output = "mask"
    threshold: float | None = None
    class_name: str | None = None
    size: OutputSize | None = None
    format: OutputFormat | None = None

    @property
    def media_type(self) -> str:
        """The media type of the response."""
        return "application/json" if self.output == "json" else f"image/{self.format or 'png'}"

    def query(self) -> dict[str, str]:
        """Return the URL query parameters; options left at their defaults are omitted."""
        parameters = {
            "output": None if self.output == "mask" else self.output,
            "threshold": None if self.threshold is None else f"{self.threshold:g}",
            "class": self.class_name,
            "size": self.size,
            "format": None if self.format == "png" else self.format,
        }
        return {name: value for name, value in parameters.items() if value is not None}
