"""Pixels: decode an upload, make the model's input, interpret its output, encode PNGs.

Its modules are pure functions on arrays, and one immutable dataclass, `ScoreMap`.
"""
