"""Coverage-guided fuzzing of parsers of untrusted bytes: `python -m tests.stress.fuzz TARGET -max_total_time=60`."""
