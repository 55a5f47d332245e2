"""Paths that several tests use."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "client" / "web" / "sample.jpg"  # a JPEG of 451 x 300 pixels
MODELS = Path(__file__).parent / "models"
