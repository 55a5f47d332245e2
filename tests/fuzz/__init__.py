"""Coverage-guided fuzzing of all that reads other people's bytes: `python -m tests.fuzz TARGET -max_total_time=60`."""
