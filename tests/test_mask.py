from __future__ import annotations

import numpy as np
import pytest

from model import mask, tensor
from model.card import ModelCard

RNG = np.random.default_rng(7)


def test_input_is_scaled_and_normalised_as_the_card_says():
    card = ModelCard(mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 5.0))
    pixels = np.full((30, 50, 3), (10, 24, 40), np.uint8)
    made = tensor.to_input(pixels, (8, 6), card)
    assert made.shape == (1, 6, 8, 3)
    assert made.dtype == np.float32
    assert np.allclose(made[0, 0, 0], [0, 1, 2])


def test_bgr_turns_the_channels_before_the_means_are_taken():
    card = ModelCard(order="BGR", mean=(30.0, 20.0, 10.0), std=(1.0, 1.0, 1.0))
    pixels = np.full((4, 4, 3), (10, 20, 30), np.uint8)
    assert np.allclose(tensor.to_input(pixels, (4, 4), card), 0)


def test_activations_that_the_model_left_out_are_done_here():
    logits = RNG.normal(size=(1, 3, 4, 5)).astype(np.float32)
    sigmoid = tensor.to_scores(logits, ModelCard(activation="sigmoid"))
    assert np.allclose(sigmoid, 1 / (1 + np.exp(-logits[0])))
    softmax = tensor.to_scores(logits, ModelCard(activation="softmax"))
    assert np.allclose(softmax.sum(axis=-1), 1)
    assert (softmax.argmax(-1) == logits[0].argmax(-1)).all()
    assert (tensor.to_scores(logits, ModelCard()) == logits[0]).all()


def test_one_channel_and_two_give_the_same_mask():
    one = RNG.random((9, 7, 1), np.float32)
    two = np.dstack([1 - one, one])
    a, b = mask.from_scores(one, 0.5, (70, 90)), mask.from_scores(two, 0.5, (70, 90))
    assert a.shape == (90, 70)
    assert (a == b).all()


@pytest.mark.parametrize(("threshold", "share"), [(1 / 255, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_a_pixel_is_object_from_the_threshold_on(threshold, share):
    ramp = np.arange(1, 256, dtype=np.float32).reshape(15, 17, 1) / 256
    assert abs(mask.from_scores(ramp, threshold, (17, 15)).mean() - share) < 0.01


def test_of_many_classes_the_likeliest_wins():
    scores = RNG.random((6, 8, 4), np.float32)
    assert (mask.from_scores(scores, 0.5, (8, 6)) == scores.argmax(-1)).all()


def test_edges_between_classes_are_smooth_at_the_photos_size():
    rows, columns = np.mgrid[:8, :8]
    upper = (columns > rows).astype(np.float32)
    scores = np.dstack([1 - upper, upper, np.zeros_like(upper)])
    ids = mask.from_scores(scores, 0.5, (320, 320))
    steps = np.abs(np.diff((ids == 1)[40:260].argmax(axis=1)))
    assert steps.max() < 20  # enlarging class ids would give blocks of 40


def test_the_probability_of_no_class_named_is_that_of_anything_but_background():
    scores = np.float32([[[0.2, 0.5, 0.3]]])
    assert mask.probability(scores, None, (1, 1))[0, 0] == round(0.8 * 255)
    assert mask.probability(scores, 2, (1, 1))[0, 0] == round(0.3 * 255)
    assert mask.probability(scores[..., 1:2], 0, (1, 1))[0, 0] == pytest.approx(127.5, abs=1)


def test_a_cutout_is_clear_below_the_threshold_and_full_above():
    scores = np.float32([[[0.0], [0.35], [0.5], [0.65], [1.0]]])
    alpha = mask.alpha(scores, None, 0.5, (5, 1))[0]
    assert alpha[[0, 1]].tolist() == [0, 0]
    assert alpha[2] == pytest.approx(128, abs=4)
    assert alpha[[3, 4]].tolist() == [255, 255]
