"""What all benchmarks share: servers and their environments, load, photos, and statistics."""
