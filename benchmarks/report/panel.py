"""A part of a drawing with axes of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.report.drawing import Drawing, Point

TICKS = 4


@dataclass
class Panel:
    """A rectangle of a drawing that shows y from 0 to y_most over x from x_least to x_most.

    doublings: the x axis is one of powers of two
    y_least: if not 0, the y axis is one of powers of ten, and begins there
    """

    drawing: Drawing
    left: float
    top: float
    width: float
    height: float
    x_least: float
    x_most: float
    y_most: float
    doublings: bool = False
    y_least: float = 0.0

    def at(self, x: float, y: float) -> Point:
        """Give the place of a value."""
        least, most, value = (math.log2(v) if self.doublings else v for v in (self.x_least, self.x_most, x))
        share = (value - least) / (most - least) if most > least else 0.5
        return self.left + self.width * share, self.top + self.height * (1 - self._share(y))

    def _share(self, y: float) -> float:
        if not self.y_least:
            return y / self.y_most
        return math.log(y / self.y_least) / math.log(self.y_most / self.y_least)

    def frame(self, title: str, x_title: str, x_ticks: Sequence[float]) -> None:
        """Draw the axes, their numbers and the title."""
        self.drawing.text(self.left - 34, self.top - 16, title, 13, bold=True)
        for tick in decades(self.y_least, self.y_most) if self.y_least else ticks(self.y_most):
            _, y = self.at(self.x_most, tick)
            self.drawing.line([(self.left, y), (self.left + self.width, y)], opacity=0.3)
            self.drawing.text(self.left - 6, y + 4, f"{tick:g}", 11, "end")
        for tick in x_ticks:
            x, _ = self.at(tick, self.y_most)
            self.drawing.text(x, self.top + self.height + 16, f"{tick:g}", 11, "middle")
        self.drawing.text(self.left + self.width / 2, self.top + self.height + 33, x_title, 11, "middle")

    def curve(self, xs: Sequence[float], ys: Sequence[float], colour: str, dashes: str = "", dots: bool = True) -> None:
        """Draw a line through values."""
        points = [self.at(x, y) for x, y in zip(xs, ys, strict=True)]
        self.drawing.line(points, colour, 2, dashes)
        for x, y in points if dots else []:
            self.drawing.dot(x, y, colour)

    def band(self, xs: Sequence[float], least: Sequence[float], greatest: Sequence[float], colour: str) -> None:
        """Fill between the least and the greatest."""
        up = [self.at(x, y) for x, y in zip(xs, greatest, strict=True)]
        down = [self.at(x, y) for x, y in zip(xs, least, strict=True)]
        self.drawing.area(up + down[::-1], colour)


def round_up(value: float) -> float:
    """Give the next number that divides well into ticks."""
    if value <= 0:
        return 1.0
    step = 10.0 ** math.floor(math.log10(value))
    return next(step * factor for factor in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * factor >= value * 0.999)


def ticks(most: float) -> list[float]:
    """Divide an axis."""
    return [round(most * number / TICKS, 6) for number in range(TICKS + 1)]


def decades(least: float, most: float) -> list[float]:
    """Give the powers of ten from one to another."""
    return [least * 10.0**step for step in range(round(math.log10(most / least)) + 1)]
