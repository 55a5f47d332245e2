"""Benchmarks behind the published figures, one command each: `python -m benchmarks.cold`, and so on."""
