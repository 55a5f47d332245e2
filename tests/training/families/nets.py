"""Small versions of well-known segmentation networks, for Keras 2 and Keras 3 alike."""

from __future__ import annotations

from typing import Any

ANY_SIZE = (None, None)


def conv(keras: Any, x: Any, width: int, kernel: int = 3, strides: int = 1, dilation: int = 1, **options: Any) -> Any:
    """Convolution, batch normalization and activation, with the names of the layers' arguments."""
    activation, padding = options.get("activation", "relu"), options.get("padding", "same")
    x = keras.layers.Conv2D(width, kernel, strides=strides, padding=padding, dilation_rate=dilation, use_bias=False)(x)
    x = keras.layers.BatchNormalization(momentum=0.8)(x)
    return keras.layers.Activation(activation)(x)


def head(keras: Any, x: Any, classes: int, activation: str | None) -> Any:
    """The last convolution, one by one."""
    return keras.layers.Conv2D(classes, 1, activation=activation, dtype="float32")(x)


def unet_body(keras: Any, x: Any, widths: tuple[int, ...] = (12, 24, 48), activation: Any = "relu") -> Any:
    """U-Net (Ronneberger et al. 2015) without its head."""
    skips = []
    for width in widths[:-1]:
        x = conv(keras, x, width, activation=activation)
        skips.append(x)
        x = keras.layers.MaxPooling2D()(x)
    x = conv(keras, x, widths[-1], activation=activation)
    x = conv(keras, x, widths[-1], activation=activation)
    for width, skip in zip(widths[-2::-1], skips[::-1], strict=True):
        x = keras.layers.UpSampling2D(interpolation="bilinear")(x)
        x = conv(keras, keras.layers.Concatenate()([x, skip]), width, activation=activation)
    return x


def unet(
    keras: Any,
    classes: int = 1,
    activation: str | None = "sigmoid",
    size_hw: tuple[int | None, int | None] = (64, 64),
    channels: int = 3,
    inner: str = "relu",
) -> Any:
    """A whole U-Net."""
    image = keras.Input((*size_hw, channels))
    return keras.Model(image, head(keras, unet_body(keras, image, activation=inner), classes, activation))


def unet_valid(keras: Any, side: int = 188) -> Any:
    """U-Net with valid padding as in its paper: 188 pixels in, the 100 in the middle out."""
    image = x = keras.Input((side, side, 3))
    skips = []
    for width in (8, 12, 16):
        x = conv(keras, conv(keras, x, width, padding="valid"), width, padding="valid")
        skips.append(x)
        x = keras.layers.MaxPooling2D()(x)
    x = conv(keras, conv(keras, x, 24, padding="valid"), 24, padding="valid")
    for width, skip in zip((16, 12, 8), skips[::-1], strict=True):
        x = keras.layers.UpSampling2D()(x)
        cut = (skip.shape[1] - x.shape[1]) // 2
        x = keras.layers.Concatenate()([x, keras.layers.Cropping2D(cut)(skip)])
        x = conv(keras, conv(keras, x, width, padding="valid"), width, padding="valid")
    return keras.Model(image, head(keras, x, 1, "sigmoid"))


def segnet(keras: Any, classes: int, side: int = 64) -> Any:
    """SegNet (Badrinarayanan et al. 2017): no skips; flat softmax over the pixels, as its Keras versions have it."""
    image = x = keras.Input((side, side, 3))
    for width in (16, 32):
        x = keras.layers.MaxPooling2D()(conv(keras, conv(keras, x, width), width))
    for width in (32, 16):
        x = conv(keras, conv(keras, keras.layers.UpSampling2D()(x), width), width)
    return keras.Model(image, keras.layers.Activation("softmax")(head(keras, x, classes, None)))


def fcn8(keras: Any, classes: int, side: int = 64) -> Any:
    """FCN-8s (Long et al. 2015): scores of three depths summed, enlarged by transposed convolutions."""
    image = x = keras.Input((side, side, 3))
    pooled = []
    for width in (16, 24, 32, 48):
        x = keras.layers.MaxPooling2D()(conv(keras, x, width))
        pooled.append(x)
    scores = head(keras, pooled[-1], classes, None)
    for lower in pooled[-2::-1]:
        scores = keras.layers.Conv2DTranspose(classes, 4, strides=2, padding="same")(scores)
        scores = keras.layers.add([scores, head(keras, lower, classes, None)])
    scores = keras.layers.Conv2DTranspose(classes, 4, strides=2, padding="same")(scores)
    return keras.Model(image, keras.layers.Softmax()(scores))


def deeplab(keras: Any, classes: int, side: int = 64) -> Any:
    """DeepLabV3+ of the Keras examples: dilated pyramid with an image pooling branch, low-level skip, logits."""
    image = keras.Input((side, side, 3))
    low = conv(keras, conv(keras, image, 16, strides=2), 16)
    x = conv(keras, conv(keras, low, 32, strides=2), 32)
    pooled = keras.layers.AveragePooling2D((side // 4, side // 4))(x)
    pooled = keras.layers.UpSampling2D((side // 4, side // 4), interpolation="bilinear")(conv(keras, pooled, 24, 1))
    branches = [conv(keras, x, 24, 1), *(conv(keras, x, 24, dilation=rate) for rate in (2, 4, 6))]
    x = conv(keras, keras.layers.Concatenate()([pooled, *branches]), 32, 1)
    x = keras.layers.UpSampling2D((2, 2), interpolation="bilinear")(x)
    x = conv(keras, conv(keras, keras.layers.Concatenate()([x, conv(keras, low, 12, 1)]), 24), 24)
    x = keras.layers.UpSampling2D((2, 2), interpolation="bilinear")(x)
    return keras.Model(image, head(keras, x, classes, None))


def pspnet(keras: Any, classes: int, side: int = 64) -> Any:
    """PSPNet (Zhao et al. 2017): a pyramid of poolings; the output has an eighth of the input's side, enlarged."""
    image = x = keras.Input((side, side, 3))
    for width in (16, 32):
        x = conv(keras, conv(keras, x, width, strides=2), width)
    levels = [x]
    for bins in (1, 2, 4):
        size = side // 4 // bins
        pooled = conv(keras, keras.layers.AveragePooling2D(size)(x), 8, 1)
        levels.append(keras.layers.UpSampling2D(size, interpolation="bilinear")(pooled))
    x = conv(keras, keras.layers.Concatenate()(levels), 32)
    x = keras.layers.UpSampling2D(4, interpolation="bilinear")(head(keras, x, classes, None))
    return keras.Model(image, keras.layers.Softmax()(x))


def linknet(keras: Any, side: int = 64) -> Any:
    """LinkNet (Chaurasia and Culurciello 2017): residual encoder, decoder blocks whose sums are the skips."""
    image = keras.Input((side, side, 3))
    x = conv(keras, image, 16)
    skips = []
    for width in (24, 32):
        skips.append(x)
        y = conv(keras, x, width, strides=2)
        x = keras.layers.add([conv(keras, y, width), y])
    for width, skip in zip((24, 16), skips[::-1], strict=True):
        x = conv(keras, x, 8, 1)
        x = keras.layers.Conv2DTranspose(8, 3, strides=2, padding="same")(x)
        x = keras.layers.add([conv(keras, x, width, 1), skip])
    return keras.Model(image, head(keras, conv(keras, x, 16), 1, "sigmoid"))


def hrnet(keras: Any, classes: int, side: int = 64) -> Any:
    """HRNet (Wang et al. 2019): two resolutions in parallel that exchange features; output at half the input's side."""
    image = keras.Input((side, side, 3))
    high = conv(keras, image, 16, strides=2)
    low = conv(keras, high, 32, strides=2)
    for _ in range(2):
        high, low = conv(keras, high, 16), conv(keras, low, 32)
        up = keras.layers.UpSampling2D(interpolation="bilinear")(conv(keras, low, 16, 1))
        down = conv(keras, high, 32, strides=2)
        high, low = keras.layers.add([high, up]), keras.layers.add([low, down])
    low = keras.layers.UpSampling2D(interpolation="bilinear")(low)
    return keras.Model(image, head(keras, conv(keras, keras.layers.Concatenate()([high, low]), 24), classes, "softmax"))


def bisenet(keras: Any, classes: int, side: int = 64) -> Any:
    """BiSeNet (Yu et al. 2018): a spatial path, and a context path with channel attention."""
    image = keras.Input((side, side, 3))
    spatial = conv(keras, conv(keras, image, 16, strides=2), 24, strides=2)
    x = conv(keras, conv(keras, conv(keras, image, 16, strides=2), 24, strides=2), 32, strides=2)
    weights = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = keras.layers.Conv2D(32, 1, activation="sigmoid")(weights)
    context = keras.layers.UpSampling2D(interpolation="bilinear")(keras.layers.multiply([x, weights]))
    x = conv(keras, keras.layers.Concatenate()([spatial, context]), 32)
    x = keras.layers.UpSampling2D(4, interpolation="bilinear")(head(keras, x, classes, None))
    return keras.Model(image, keras.layers.Softmax()(x))


def mobilenet_unet(keras: Any, classes: int, activation: str | None, side: int = 96) -> Any:
    """The U-Net of TensorFlow's segmentation tutorial: MobileNetV2 down, pix2pix blocks up."""
    base = keras.applications.MobileNetV2(input_shape=(side, side, 3), alpha=0.35, include_top=False, weights=None)
    names = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")
    x = base.get_layer("block_16_project").output
    for width, name in zip((48, 32, 24, 16), names[::-1], strict=True):
        x = keras.layers.Conv2DTranspose(width, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x = keras.layers.Concatenate()([x, base.get_layer(name).output])
    x = keras.layers.Conv2DTranspose(classes, 3, strides=2, padding="same", activation=activation)(x)
    return keras.Model(base.input, x)


def unet_plus_plus(keras: Any, side: int = 64) -> Any:
    """U-Net++ (Zhou et al. 2018) with deep supervision: an output for each depth, the deepest last."""
    image = keras.Input((side, side, 3))
    columns, x = [], image
    for width in (12, 24, 32):
        x = conv(keras, x, width)
        columns.append(x)
        x = keras.layers.MaxPooling2D()(x)
    outputs, rows = [], [[column] for column in columns]
    for depth in (1, 2):
        for level in range(len(rows) - depth):
            up = keras.layers.UpSampling2D(interpolation="bilinear")(rows[level + 1][-1])
            rows[level].append(conv(keras, keras.layers.Concatenate()([*rows[level], up]), (12, 24)[level]))
        outputs.append(head(keras, rows[0][-1], 1, "sigmoid"))
    return keras.Model(image, outputs)
