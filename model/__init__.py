"""The model side of the function: from the bytes of a photo to the bytes of a mask.

`segmenter.Segmenter` is the pipeline. Data flows through it in one direction:

    image.decode       bytes -> uint8 (H', W', 3) RGB pixels, upright
    image.preprocess   pixels -> the model's input tensor
    tflite.pool        input tensor -> output tensor
    image.score_map    output tensor -> ScoreMap
    outputs            ScoreMap -> a mask, probability, overlay, cutout or JSON, encoded by image.encode

The layers, of which each imports only those above it:

    errors                      the exceptions
    tflite, image               a .tflite file: checked, interpreted, run; pixels as arrays
    options, outputs, segmenter the request
    gcs                         Cloud Storage: the model's download, storage events, masks in a bucket
    serving                     an instance of the function: settings, logs, request bodies, the model's loading

`tflite` and `image` share a layer: `image` reads the model card and the tensor specs, and `tflite.loading` runs probe
images through `image`.

`__main__` is the command `python -m model`. `weights/` has the bundled models. `training/` has the commands that make
them and is not deployed; nothing else imports it.
"""
