"""A .tflite file: verify it, find out what its tensors mean, and run it."""
