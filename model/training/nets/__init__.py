"""Keras models.

`network` is the bundled model's; its weights come from `imagenet_weights` or `tflite_weights`. `fused_batch_norm` and
`fake_quantization` are variants of it for training. `keras_files` loads any segmentation model.
"""
