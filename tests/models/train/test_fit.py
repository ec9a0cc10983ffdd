"""A Bradley-Terry head finds what makes responses win, and its penalty and weights do what they say."""

import numpy as np
from reward_models.train.fit import Pairs, fit_bradley_terry, pair_accuracy

DICE = np.random.default_rng(0)
TRUTH = np.array([2.0, -1.0, 0.0])


def pairs(count: int) -> Pairs:
    x = DICE.normal(size=(count, 3))
    wins = DICE.random(count) < 1 / (1 + np.exp(-x @ TRUTH))
    return Pairs.of(np.where(wins[:, None], x, -x), 1.0)


def test_the_weights_are_the_log_odds_that_made_the_pairs() -> None:
    np.testing.assert_allclose(fit_bradley_terry([pairs(40_000)], np.ones(3), 1e-3), TRUTH, atol=0.06)


def test_the_gradient_of_the_loss_is_zero_at_the_solution() -> None:
    made, strength = pairs(500), 3.0
    v = fit_bradley_terry([made], np.ones(3), strength)
    losing = 1 / (1 + np.exp(made.differences @ v))
    np.testing.assert_allclose(strength * v, made.differences.T @ losing, atol=1e-6)


def test_a_pair_of_weight_two_counts_as_two_pairs() -> None:
    made = pairs(200)
    twice = fit_bradley_terry([made, made], np.ones(3), 1.0)
    np.testing.assert_allclose(fit_bradley_terry([Pairs(made.differences, made.weights * 2)], np.ones(3), 1.0), twice)


def test_a_small_prior_keeps_a_feature_small() -> None:
    free, held = (fit_bradley_terry([pairs(500)], np.array([prior, 1.0, 1.0]), 5.0) for prior in (1.0, 0.01))
    assert abs(held[0]) < 0.1 * abs(free[0])


def test_accuracy_is_the_share_of_pairs_in_order() -> None:
    assert pair_accuracy(Pairs.of(np.array([[1.0], [2.0], [-1.0], [0.0]]), 1.0), np.array([1.0])) == 0.5
