"""Measuring a model.

`evaluation` compares its masks with the true ones by the `metrics`, also by group of photos in `groups`; `latency`
measures latency and memory; `report` writes the results. `model_input` and `interpreter` run a model as the function
does.
"""
