"""A million photos, simulated: `python -m benchmarks.scale`. What it takes for given is in benchmarks/scale.toml."""
