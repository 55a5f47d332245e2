"""Bodies that nobody should send, made by code, and what becomes of each: `python -m tests.hostile --cases 10000`."""
