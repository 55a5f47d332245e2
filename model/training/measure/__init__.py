"""Measuring a model: its masks on photos (`evaluation`), its latency and memory (`latency`), and the `report`.

`model_input` and `interpreter` run a model as the function does; `metrics` compares two masks.
"""
