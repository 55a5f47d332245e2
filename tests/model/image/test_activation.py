from __future__ import annotations

import numpy as np

from model.image import activation
from model.image.score_map import ScoreMap
from model.tflite.card import ModelCard

RNG = np.random.default_rng(7)


def test_an_activation_that_the_model_lacks_is_applied() -> None:
    logits = RNG.normal(size=(3, 4, 5)).astype(np.float32)
    sigmoid = activation.apply_activation(logits, ModelCard(activation="sigmoid"))
    assert np.allclose(sigmoid, 1 / (1 + np.exp(-logits)))
    softmax = activation.apply_activation(logits, ModelCard(activation="softmax"))
    assert np.allclose(softmax.sum(axis=-1), 1)
    assert (softmax.argmax(-1) == logits.argmax(-1)).all()
    assert (activation.apply_activation(logits, ModelCard()) == logits).all()


def test_a_class_id_without_a_label_becomes_the_background() -> None:
    ids = np.array([[[0], [1], [2], [-1], [300]]], np.int64)
    card = ModelCard(activation="ids", background=1)
    assert activation.apply_activation(ids, card).tolist() == [[0, 1, 1, 1, 1]]


def test_scores_that_are_independent_of_each_other_get_a_background_channel() -> None:
    card = ModelCard().with_values({"labels": ["background", "cat", "dog"], "thresholds": [0.5, 0.8]})
    values = np.array([[[0.4, 0.7], [0.6, 0.7], [0.6, 0.9], [0.1, 0.9], [0.5, 0.0]]], np.float32)
    scores = activation.apply_activation(values, card)
    assert scores.shape == (1, 5, 3)
    assert ScoreMap(scores).class_ids((5, 1), 0.5).tolist() == [[0, 1, 2, 2, 1]]


def test_the_added_background_has_the_id_that_the_card_states() -> None:
    card = ModelCard(activation="sigmoid").with_values({"labels": ["cat", "dog", "rest"], "background": 2})
    logits = np.array([[[5, -5], [-5, 5], [-5, -5]]], np.float32)
    assert activation.apply_activation(logits, card).argmax(axis=-1).tolist() == [[0, 1, 2]]
