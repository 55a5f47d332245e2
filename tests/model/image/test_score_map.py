from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from model.image import resize, score_map
from model.image.score_map import ScoreMap
from model.tflite.card import ModelCard
from model.tflite.tensor_specs import OutputSpec

RNG = np.random.default_rng(7)


def test_one_channel_and_two_give_the_same_mask() -> None:
    one = RNG.random((9, 7, 1), np.float32)
    two = np.dstack([1 - one, one])
    a, b = ScoreMap(one).class_ids((70, 90), 0.5), ScoreMap(two).class_ids((70, 90), 0.5)
    assert a.shape == (90, 70)
    assert (a == b).all()


@pytest.mark.parametrize(("threshold", "share"), [(1 / 255, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_a_pixel_belongs_to_the_object_from_the_threshold_on(threshold: float, share: float) -> None:
    ramp = np.arange(1, 256, dtype=np.float32).reshape(15, 17, 1) / 256
    assert abs(ScoreMap(ramp).class_ids((17, 15), threshold).mean() - share) < 0.01


def test_among_many_classes_the_one_with_the_highest_score_wins() -> None:
    scores = RNG.random((6, 8, 4), np.float32)
    assert (ScoreMap(scores).class_ids((8, 6), 0.5) == scores.argmax(-1)).all()


def test_edges_between_classes_are_smooth_at_the_photos_size() -> None:
    rows, columns = np.mgrid[:8, :8]
    upper = (columns > rows).astype(np.float32)
    scores = np.dstack([1 - upper, upper, np.zeros_like(upper)])
    ids = ScoreMap(scores).class_ids((320, 320), 0.5)
    steps = np.abs(np.diff((ids == 1)[40:260].argmax(axis=1)))
    assert steps.max() < 20  # enlarging class ids would give blocks of 40


def test_the_probability_without_a_class_is_that_of_all_but_the_background() -> None:
    scores = np.array([[[0.2, 0.5, 0.3]]], np.float32)
    assert ScoreMap(scores).probability((1, 1))[0, 0] == round(0.8 * 255)
    assert ScoreMap(scores).probability((1, 1), 2)[0, 0] == round(0.3 * 255)
    assert ScoreMap(scores[..., 1:2]).probability((1, 1), 0).item() == pytest.approx(127.5, abs=1)


def test_a_cutout_is_transparent_below_the_threshold_and_opaque_above() -> None:
    scores = np.array([[[0.0], [0.35], [0.5], [0.65], [1.0]]], np.float32)
    alpha = ScoreMap(scores).alpha((5, 1), 0.5)[0]
    assert alpha[[0, 1]].tolist() == [0, 0]
    assert int(alpha[2]) == pytest.approx(128, abs=4)
    assert alpha[[3, 4]].tolist() == [255, 255]


def test_many_classes_are_compared_in_tiles_as_in_one_piece() -> None:
    scores = RNG.random((33, 21, 5), np.float32)
    for size_wh in ((700, 530), (40, 61), (20, 30)):
        whole = np.dstack([resize.bilinear(np.ascontiguousarray(scores[..., i]), size_wh) for i in range(5)])
        tiled = ScoreMap(scores).class_ids(size_wh, 0.5)
        assert (tiled == whole.argmax(-1)).mean() > 0.999  # the order of float sums may differ


def test_class_ids_are_enlarged_with_smooth_edges_too() -> None:
    rows, columns = np.mgrid[:8, :8]
    ids = ScoreMap((columns > rows).astype(np.uint8) * 7).class_ids((320, 320), 0.5)
    assert set(np.unique(ids)) == {0, 7}
    steps = np.abs(np.diff((ids == 7)[40:260].argmax(axis=1)))
    assert steps.max() < 20


def test_many_classes_need_little_memory() -> None:
    scores = RNG.random((64, 64, 60), np.float32)
    tracemalloc.start()
    ids = ScoreMap(scores).class_ids((2000, 1500), 0.5)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ids.shape == (1500, 2000)
    assert peak_bytes < 2 * ids.nbytes  # 60 classes at the photo's size, in 8 bits, would be 60 times that


@pytest.mark.parametrize("background", [0, 1])
def test_the_object_is_the_class_that_is_not_the_background(background: int) -> None:
    scores = ScoreMap(np.array([[[0.9], [0.1]]], np.float32), background)
    assert scores.object_id == 1 - background
    assert scores.class_ids((2, 1), 0.5).tolist() == [[1 - background, background]]
    assert scores.probability((2, 1))[0].tolist() == [230, 26]
    assert scores.probability((2, 1), background)[0].tolist() == [26, 230]


@pytest.mark.parametrize("background", [None, 0, 1])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_packed_bits_of_the_object_are_its_mask(channels: int, background: int | None) -> None:
    scores = ScoreMap(RNG.random((33, 40, channels), np.float32), background, (1, 2, 39.5, 30))
    for size_wh in ((1, 1), (451, 300), (1000, 257)):
        ids = scores.class_ids(size_wh, 0.4)
        bits = scores.packed(size_wh, 0.4, scores.object_id)
        assert (np.unpackbits(bits, axis=1, count=size_wh[0]) == (ids != (1 if background == 1 else 0))).all()


@pytest.mark.parametrize("shape", [(33, 40), (33, 40, 1), (33, 40, 2), (33, 40, 4)])
@pytest.mark.parametrize("class_id", [0, 1])
def test_the_packed_bits_of_a_class_are_its_pixels_padded_with_zeros(shape: tuple[int, ...], class_id: int) -> None:
    array = RNG.random(shape, np.float32) if len(shape) == 3 else RNG.integers(0, 3, shape, np.uint8)
    scores = ScoreMap(array)
    bits = scores.packed((451, 300), 0.4, class_id)
    assert (bits == np.packbits(scores.class_ids((451, 300), 0.4) == class_id, axis=1)).all()


@pytest.mark.parametrize("background", [0, 1])
def test_a_pixel_is_in_the_mask_exactly_if_its_probability_reaches_the_threshold(background: int) -> None:
    scores = ScoreMap(RNG.random((256, 256, 1), np.float32), background, (1, 2, 250.5, 230))
    for size_wh in ((451, 300), (1000, 700)):
        grey = scores.probability(size_wh)
        bits = scores.packed(size_wh, 0.5, scores.object_id)
        assert (np.unpackbits(bits, axis=1, count=size_wh[0]) == (grey >= score_map.threshold_level(0.5))).all()


def test_without_a_background_every_pixel_belongs_to_an_object() -> None:
    scores = RNG.random((4, 4, 3), np.float32)
    assert (ScoreMap(scores, None).probability((8, 8)) == 255).all()


def test_the_letterbox_bars_are_cut_off_the_scores() -> None:
    scores = np.zeros((40, 40, 1), np.float32)
    scores[10:30] = 1
    boxed = ScoreMap(scores, 0, (0, 10, 40, 30))
    assert boxed.size_wh == (40, 20)
    assert boxed.class_ids((200, 100), 0.5).mean() > 0.98


def test_the_box_of_the_scores_is_that_of_the_input_at_the_scale_of_the_output() -> None:
    spec = OutputSpec(0, "map", "1HWK", (20, 10), 1)
    scores = score_map.from_output(np.zeros((1, 10, 20, 1)), spec, ModelCard(background=1), (40, 40), (0, 10, 40, 30))
    assert (scores.box, scores.background) == ((0, 2.5, 20, 7.5), 1)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize(("channels", "activation"), [(1, "none"), (1, "sigmoid"), (2, "none"), (4, "none")])
@pytest.mark.parametrize("background", [None, 0, 1])
def test_stored_bytes_give_the_masks_of_the_scores_that_they_represent(
    dtype: type[np.int8 | np.uint8], channels: int, activation: str, background: int | None
) -> None:
    stored = RNG.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, (1, 20, 30, channels), dtype)
    scale, zero_point = (0.07, 5) if activation == "sigmoid" else (1 / 255, int(np.iinfo(dtype).min))
    spec = OutputSpec(0, "map", "1HWK", (30, 20), channels, np.dtype(dtype), scale, zero_point)
    labels = tuple("abcd"[: max(2, channels)])
    card = ModelCard(labels=labels, palette=((0, 0, 0),) * 4, activation=activation, background=background)
    box = (0, 1.5, 30, 19)
    by_bytes = score_map.from_output(stored, spec, card, (30, 20), box)
    by_scores = score_map.from_values(spec.dequantize(stored[0]), card, (30, 20), box)
    assert by_bytes.scores.dtype == dtype
    for size_wh in ((30, 18), (300, 200)):
        assert (by_bytes.class_ids(size_wh, 0.4) == by_scores.class_ids(size_wh, 0.4)).all()
        for class_id in (None, *range(len(labels))):
            assert (by_bytes.probability(size_wh, class_id) == by_scores.probability(size_wh, class_id)).all()


@pytest.mark.parametrize(
    ("dtype", "channels", "activation", "labels"),
    [
        (np.float32, 1, "none", 2),
        (np.int16, 1, "none", 2),
        (np.int8, 4, "softmax", 4),  # depends on the other channels
        (np.int8, 4, "sigmoid", 4),  # does not tell the highest values apart
        (np.int8, 3, "none", 4),  # the background depends on all of them
        (np.uint8, 1, "ids", 4),
    ],
)
def test_other_outputs_have_no_table_of_scores(
    dtype: type[np.generic], channels: int, activation: str, labels: int
) -> None:
    spec = OutputSpec(0, "map", "1HWK", (4, 4), channels, np.dtype(dtype), 0.1, 0)
    card = ModelCard(labels=tuple("abcd"[:labels]), palette=((0, 0, 0),) * 4, activation=activation)
    assert score_map.from_output(np.zeros((1, 4, 4, channels), dtype), spec, card, (4, 4), (0, 0, 4, 4)).table is None


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("1HWK", (1, 3, 4, 5)), ("1KHW", (1, 5, 3, 4)), ("HWK", (3, 4, 5)), ("1FK", (1, 12, 5)), ("1KF", (1, 5, 12))],
)
def test_an_output_of_any_axes_is_rearranged_to_rows_columns_classes(axes: str, shape: tuple[int, ...]) -> None:
    expected = RNG.random((3, 4, 5))
    stored = expected if "F" not in axes else expected.reshape(12, 5)
    stored = stored if axes.index("K") == len(axes) - 1 else np.moveaxis(stored, -1, 0)
    spec = OutputSpec(0, "map", axes, (4, 3), 5)
    assert (score_map.to_hwk(stored.reshape(shape), spec, (4, 3)) == expected).all()
