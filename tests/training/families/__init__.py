"""Model families that people train, taken through the project's own commands.

`python -m tests.training.families` trains one small model of each family on drawn shapes, and then does what a user
would do: quantize (float16 and int8), describe, evaluate, and serve. The served masks are compared with the model's own
answer, which is its output read as its author reads it. The result is a table, results.md.
"""
