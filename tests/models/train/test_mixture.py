"""A mixture fits what its sources say, by their weights, and never what is held out of them."""

import numpy as np
from reward_models.train.data import Pair
from reward_models.train.fit import Pairs, fit_bradley_terry
from reward_models.train.mixture import Mixture, Recipe, flatten_pairs

DICE = np.random.default_rng(0)


def pairs(count: int) -> list[Pair]:
    return [Pair(f"ask {n}", f"good {n}", f"bad {n} at length", f"group {n}", n % 5 == 0) for n in range(count)]


def mixture(weights: dict[str, float]) -> Mixture:
    """Two sources that say the opposite of one feature; the second feature is noise."""
    sources = {"hh_harmless": pairs(200), "benign_but_scary": pairs(100)}
    sign = np.repeat([1.0, -1.0], [400, 200]) * np.tile([1.0, -1.0], 300)
    features = np.stack([sign + DICE.normal(size=600) / 2, DICE.normal(size=600)], 1)
    recipe = Recipe(weights, {"first": 1.0, "second": 0.1}, 1.0)
    return Mixture(recipe, sources, features, {"first": slice(0, 1), "second": slice(1, 2)})


def test_every_pair_gives_two_rows_the_better_response_first() -> None:
    prompts, responses = flatten_pairs({"a": pairs(2)})
    assert prompts == ["ask 0", "ask 0", "ask 1", "ask 1"]
    assert responses == ["good 0", "bad 0 at length", "good 1", "bad 1 at length"]


def test_a_head_follows_the_source_that_weighs_more() -> None:
    assert mixture({"hh_harmless": 1.0, "benign_but_scary": 0.1}).fit_final()[0] > 0
    assert mixture({"hh_harmless": 0.1, "benign_but_scary": 10.0}).fit_final()[0] < 0


def test_the_direction_is_learnt_from_the_training_part_alone() -> None:
    made = mixture({"hh_harmless": 1.0, "benign_but_scary": 0.0})
    before = made.fit_final()
    made.pairs["hh_harmless"].differences[made.held_out("hh_harmless")] *= -100
    after = made.fit_final()
    # The spread of a feature is over all pairs; the direction is learnt from the training part alone.
    assert np.sign(after[0]) == np.sign(before[0])


def test_figures_stand_beside_the_length_rule_of_their_source() -> None:
    made = mixture({"hh_harmless": 1.0, "benign_but_scary": 0.0})
    found = made.compute_figures(made.fit_final())
    assert found["hh_harmless"]["pairs"] == 40
    assert found["hh_harmless"]["held_out"] > 0.9
    assert found["hh_harmless"]["shorter_wins_held_out"] == 1
    assert found["benign_but_scary"]["held_out"] < 0.1
    assert found["benign_but_scary"]["longer_wins_cross_validated"] == 0
    assert made.describe_training()["benign_but_scary"] == {"pairs": 0, "weight": 0.0}


def test_without_a_hessian_the_minimum_is_the_one_that_newton_finds() -> None:
    made = [Pairs(DICE.normal(size=(300, 40)), np.full(300, 1.0))]
    newton, other = (fit_bradley_terry(made, np.linspace(0.1, 2, 40), 2.0, hessian) for hessian in (True, False))
    np.testing.assert_allclose(other, newton, atol=1e-3)
