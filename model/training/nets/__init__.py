"""Networks: the bundled model's `network`, its ImageNet weights, and variants and conversions of Keras models."""
