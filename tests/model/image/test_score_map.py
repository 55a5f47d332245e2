from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from model.image import preprocess, resize, score_map
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import InputSpec, OutputSpec

RNG = np.random.default_rng(7)


def test_input_is_scaled_and_normalised_as_the_card_says() -> None:
    card = ModelCard(mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 5.0))
    pixels = np.full((30, 50, 3), (10, 24, 40), np.uint8)
    made = preprocess.to_input(pixels, (8, 6), card)
    assert made.shape == (1, 6, 8, 3)
    assert made.dtype == np.float32
    assert np.allclose(made[0, 0, 0], [0, 1, 2])


def test_bgr_turns_the_channels_before_the_means_are_taken() -> None:
    card = ModelCard(order="BGR", mean=(30.0, 20.0, 10.0), std=(1.0, 1.0, 1.0))
    pixels = np.full((4, 4, 3), (10, 20, 30), np.uint8)
    assert np.allclose(preprocess.to_input(pixels, (4, 4), card), 0)


def test_activations_that_the_model_left_out_are_done_here() -> None:
    logits = RNG.normal(size=(1, 3, 4, 5)).astype(np.float32)
    sigmoid = preprocess.to_scores(logits[0], ModelCard(activation="sigmoid"))
    assert np.allclose(sigmoid, 1 / (1 + np.exp(-logits[0])))
    softmax = preprocess.to_scores(logits[0], ModelCard(activation="softmax"))
    assert np.allclose(softmax.sum(axis=-1), 1)
    assert (softmax.argmax(-1) == logits[0].argmax(-1)).all()
    assert (preprocess.to_scores(logits[0], ModelCard()) == logits[0]).all()


def test_one_channel_and_two_give_the_same_mask() -> None:
    one = RNG.random((9, 7, 1), np.float32)
    two = np.dstack([1 - one, one])
    a, b = score_map.from_scores(one, 0.5, (70, 90)), score_map.from_scores(two, 0.5, (70, 90))
    assert a.shape == (90, 70)
    assert (a == b).all()


@pytest.mark.parametrize(("threshold", "share"), [(1 / 255, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_a_pixel_is_object_from_the_threshold_on(threshold, share) -> None:
    ramp = np.arange(1, 256, dtype=np.float32).reshape(15, 17, 1) / 256
    assert abs(score_map.from_scores(ramp, threshold, (17, 15)).mean() - share) < 0.01


def test_of_many_classes_the_likeliest_wins() -> None:
    scores = RNG.random((6, 8, 4), np.float32)
    assert (score_map.from_scores(scores, 0.5, (8, 6)) == scores.argmax(-1)).all()


def test_edges_between_classes_are_smooth_at_the_photos_size() -> None:
    rows, columns = np.mgrid[:8, :8]
    upper = (columns > rows).astype(np.float32)
    scores = np.dstack([1 - upper, upper, np.zeros_like(upper)])
    ids = score_map.from_scores(scores, 0.5, (320, 320))
    steps = np.abs(np.diff((ids == 1)[40:260].argmax(axis=1)))
    assert steps.max() < 20  # enlarging class ids would give blocks of 40


def test_the_probability_of_no_class_named_is_that_of_anything_but_background() -> None:
    scores = np.float32([[[0.2, 0.5, 0.3]]])
    assert score_map.probability(scores, None, (1, 1))[0, 0] == round(0.8 * 255)
    assert score_map.probability(scores, 2, (1, 1))[0, 0] == round(0.3 * 255)
    assert score_map.probability(scores[..., 1:2], 0, (1, 1)).item() == pytest.approx(127.5, abs=1)


def test_a_cutout_is_clear_below_the_threshold_and_full_above() -> None:
    scores = np.float32([[[0.0], [0.35], [0.5], [0.65], [1.0]]])
    alpha = score_map.alpha(scores, None, 0.5, (5, 1))[0]
    assert alpha[[0, 1]].tolist() == [0, 0]
    assert int(alpha[2]) == pytest.approx(128, abs=4)
    assert alpha[[3, 4]].tolist() == [255, 255]


def test_many_classes_are_decided_in_tiles_as_in_one_piece() -> None:
    scores = RNG.random((33, 21, 5), np.float32)
    for size_wh in ((700, 530), (40, 61), (20, 30)):
        whole = np.dstack([resize.bilinear(np.ascontiguousarray(scores[..., i]), size_wh) for i in range(5)])
        tiled = score_map.from_scores(scores, 0.5, size_wh)
        assert (tiled == whole.argmax(-1)).mean() > 0.999  # float sums may end in other order


def test_class_ids_are_enlarged_with_smooth_edges_too() -> None:
    rows, columns = np.mgrid[:8, :8]
    ids = score_map.from_scores((columns > rows).astype(np.uint8) * 7, 0.5, (320, 320))
    assert set(np.unique(ids)) == {0, 7}
    steps = np.abs(np.diff((ids == 7)[40:260].argmax(axis=1)))
    assert steps.max() < 20


def test_many_classes_stay_within_little_memory() -> None:
    scores = RNG.random((64, 64, 60), np.float32)
    tracemalloc.start()
    ids = score_map.from_scores(scores, 0.5, (2000, 1500))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ids.shape == (1500, 2000)
    assert peak_bytes < 2 * ids.nbytes  # 60 classes at the photo's size would be 60 times it, in 8 bits


@pytest.mark.parametrize("background", [0, 1])
def test_the_object_is_what_is_not_background(background: int) -> None:
    one = np.float32([[[0.9], [0.1]]])
    ids = score_map.from_scores(one, 0.5, (2, 1), background)
    assert ids.tolist() == [[1 - background, background]]
    assert score_map.probability(one, None, (2, 1), background)[0].tolist() == [230, 26]
    assert score_map.probability(one, background, (2, 1), background)[0].tolist() == [26, 230]


@pytest.mark.parametrize("background", [None, 0, 1])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_bits_of_a_mask_are_the_mask(channels: int, background) -> None:
    scores = RNG.random((33, 40, channels), np.float32)
    for size_wh in ((1, 1), (451, 300), (1000, 257)):
        ids = score_map.from_scores(scores, 0.4, size_wh, background, (1, 2, 39.5, 30))
        bits = score_map.bits(scores, 0.4, size_wh, background, (1, 2, 39.5, 30))
        assert (np.unpackbits(bits, axis=1, count=size_wh[0]) == (ids != (1 if background == 1 else 0))).all()


@pytest.mark.parametrize("background", [0, 1])
def test_a_pixel_is_in_the_mask_if_its_probability_reaches_the_threshold_to_the_last_one(background: int) -> None:
    scores = RNG.random((256, 256, 1), np.float32)
    for size_wh in ((451, 300), (1000, 700)):
        grey = score_map.probability(scores, None, size_wh, background, (1, 2, 250.5, 230))
        bits = score_map.bits(scores, 0.5, size_wh, background, (1, 2, 250.5, 230))
        assert (np.unpackbits(bits, axis=1, count=size_wh[0]) == (grey >= score_map.level(0.5))).all()


def test_without_a_background_all_is_object() -> None:
    scores = RNG.random((4, 4, 3), np.float32)
    assert (score_map.probability(scores, None, (8, 8), None) == 255).all()


def test_letterbox_keeps_proportions_between_bars_of_the_fill_colour() -> None:
    card = ModelCard(fit="letterbox", fill=(9, 9, 9), mean=(0.0,), std=(1.0,))
    assert preprocess.placement((200, 100), (40, 40), "letterbox") == (0, 10, 40, 30)
    made = preprocess.to_input(np.full((100, 200, 3), 50, np.uint8), (40, 40), card)[0, ..., 0]
    assert (made[:10] == 9).all()
    assert (made[10:30] == 50).all()
    assert (made[30:] == 9).all()


def test_the_bars_are_cut_off_the_scores() -> None:
    scores = np.zeros((40, 40, 1), np.float32)
    scores[10:30] = 1
    assert score_map.from_scores(scores, 0.5, (200, 100), 0, (0, 10, 40, 30)).mean() > 0.98


def test_numbers_are_stored_as_a_quantized_model_stores_them() -> None:
    pixels = np.full((4, 4, 3), (0, 128, 255), np.uint8)
    card = ModelCard(mean=(0.0,), std=(255.0,))
    for dtype, zero_point in ((np.uint8, 0), (np.int8, -128)):
        kind = InputSpec("NHWC", (1, 4, 4, 3), 3, np.dtype(dtype), 1 / 255, zero_point)
        assert preprocess.to_input(pixels, (4, 4), card, kind)[0, 0, 0].tolist() == [
            zero_point + v for v in (0, 128, 255)
        ]


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("1HWK", (1, 3, 4, 5)), ("1KHW", (1, 5, 3, 4)), ("HWK", (3, 4, 5)), ("1FK", (1, 12, 5)), ("1KF", (1, 5, 12))],
)
def test_a_map_comes_out_of_any_axes(axes: str, shape) -> None:
    wanted = RNG.random((3, 4, 5))
    stored = wanted if "F" not in axes else wanted.reshape(12, 5)
    stored = stored if axes.index("K") == len(axes) - 1 else np.moveaxis(stored, -1, 0)
    kind = OutputSpec(0, "map", axes, (4, 3), 5)
    assert (preprocess.to_maps(stored.reshape(shape), kind, (4, 3)) == wanted).all()
