"""Hostile request bodies, made by code, and the answer to each: `python -m tests.stress.hostile --cases 10000`."""
