"""The options of a segmentation request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Output = Literal["mask", "probability", "overlay", "cutout", "json"]
OutputSize = Literal["photo", "model"]
OUTPUTS: tuple[str, ...] = get_args(Output)
OUTPUT_SIZES: tuple[str, ...] = get_args(OutputSize)


@dataclass(frozen=True)
class SegmentOptions:
    """The options of one segmentation request; None selects the server's default.

    Attributes:
        output: What to return: "mask", "probability", "overlay", "cutout" or "json".
        threshold: Score from which a pixel belongs to the object, above 0 and at most 1.
        class_name: Return this class alone; for models with several classes.
        size: "photo" for the photo's own size, "model" for the model's output size.
    """

    output: Output = "mask"
    threshold: float | None = None
    class_name: str | None = None
    size: OutputSize | None = None

    def query(self) -> dict[str, str]:
        """Return the URL query parameters; options left at their defaults are omitted."""
        parameters = {
            "output": None if self.output == "mask" else self.output,
            "threshold": None if self.threshold is None else f"{self.threshold:g}",
            "class": self.class_name,
            "size": self.size,
        }
        return {name: value for name, value in parameters.items() if value is not None}
