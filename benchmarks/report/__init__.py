"""Tables, targets and charts of benchmark results."""
