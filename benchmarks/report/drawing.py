"""An SVG, shape by shape, in colours that stand out on white and on black alike."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

Point = tuple[float, float]

INK, OURS, FLOOR = "#7a828e", "#e8590c", "#12a594"
OTHERS = ("#8e6fd1", "#3b82d0", "#a0793d")
STAGES = {
    "decode": "#3b82d0",
    "wait": "#a0793d",
    "infer": "#8e6fd1",
    "mask": "#e8590c",
    "encode": "#12a594",
    "http": INK,
}
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


class Drawing:
    """Shapes on a clear ground, origin at the upper left."""

    def __init__(self, width: float, height: float, title: str) -> None:
        """Begin an empty drawing."""
        self.width, self.height = width, height
        self._parts = [f"<title>{escape(title)}</title>"]

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float = 12,
        anchor: str = "start",
        fill: str = INK,
        bold: bool = False,
    ) -> None:
        """Write a line of text; y is its baseline."""
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" fill="{fill}"{weight}>'
            f"{escape(words)}</text>"
        )

    def bar(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        """Draw a filled rectangle."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height:.1f}" rx="2" fill="{fill}"/>'
        )

    def line(
        self, points: Sequence[Point], stroke: str = INK, width: float = 1, dashes: str = "", opacity: float = 1
    ) -> None:
        """Draw a line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}" '
            f'stroke-linejoin="round" opacity="{opacity:g}"{dashed}/>'
        )

    def area(self, points: Sequence[Point], fill: str) -> None:
        """Fill a polygon, lightly."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polygon points="{path}" fill="{fill}" opacity="0.2"/>')

    def dot(self, x: float, y: float, fill: str, radius: float = 3.5) -> None:
        """Draw a dot."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}"/>')

    def svg(self) -> str:
        """Give the file's text."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}" height="{self.height:g}" role="img" font-family="{FONT}">'
        )
        return "\n".join([head, *self._parts, "</svg>\n"])
