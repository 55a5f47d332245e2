"""Simulation of a million photos on Cloud Run, for each `--max-instances`: `python -m benchmarks.scale`."""
