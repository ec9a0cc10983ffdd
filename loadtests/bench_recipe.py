"""The cost of a recipe compared with the plain numpy expression.

Five components, transforms and group normalisation over 4,096 samples.

    python loadtests/bench_recipe.py

Raw scores are given, so only the recipe's own arithmetic is measured. Target: at most 3 times the expression.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.sample import Batch, FloatArray, RawScores

SAMPLES, GROUP = 4096, 16
NAMES = ("a", "b", "c", "d", "e")
RECIPE = """
rewards:
  five:
    components:
      a: {score: m_a, transforms: [{log_sigmoid: {reference: 0.4}}]}
      b: {score: m_b, transforms: [{log_sigmoid: {reference: 0.1}}]}
      c: {score: m_c, transforms: [{clip: {low: -1.0, high: 1.0}}]}
      d: {score: m_d, transforms: [{tanh: {}}]}
      e: {score: m_e, transforms: [{affine: {scale: 0.5, shift: 1.0}}]}
    combine: {weighted_sum: {weights: {a: 1.0, b: 1.0, c: 0.5, d: 0.25, e: 0.1}}}
    group: {normalize: zscore}
"""


def bare(raw: dict[str, FloatArray], groups: list[str]) -> FloatArray:
    """The same rewards, written out by hand."""
    reward = (
        -np.logaddexp(0.0, -(raw["a"] - 0.4))
        - np.logaddexp(0.0, -(raw["b"] - 0.1))
        + 0.5 * np.clip(raw["c"], -1.0, 1.0)
        + 0.25 * np.tanh(raw["d"])
        + 0.1 * (0.5 * raw["e"] + 1.0)
    )
    _, index = np.unique(np.array(groups), return_inverse=True)
    sizes = np.bincount(index)
    centred = reward - (np.bincount(index, reward) / sizes)[index]
    std = np.sqrt(np.bincount(index, centred**2) / np.maximum(sizes - 1, 1))
    return centred / (std + 1e-6)[index]


def median_ms(call: Callable[[], object], runs: int = 40) -> float:
    for _ in range(5):
        call()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def main() -> None:
    rng = np.random.default_rng(0)
    raw = {name: rng.normal(size=SAMPLES) for name in NAMES}
    groups = [f"prompt-{i // GROUP}" for i in range(SAMPLES)]
    batch = Batch([""] * SAMPLES, [""] * SAMPLES, ["x"] * SAMPLES, group_names=list(groups))
    uncached = np.zeros(SAMPLES, dtype=bool)
    scores = {name: RawScores(raw[name].reshape(-1, 1), f"m_{name}", "1", uncached) for name in NAMES}
    plan = load_book(RECIPE).get("five")

    def recipe() -> FloatArray:
        steps = evaluate_plan(plan, batch, scores)
        try:
            next(steps)
        except StopIteration as stop:
            rewards: FloatArray = stop.value.reward
            return rewards
        raise AssertionError("this recipe performs no effects")

    np.testing.assert_allclose(recipe(), bare(raw, groups), rtol=1e-9)
    ratios = []
    for _ in range(5):
        ours, numpy = median_ms(recipe), median_ms(lambda: bare(raw, groups))
        ratios.append(ours / numpy)
    print(f"recipe {ours:.2f} ms, numpy {numpy:.2f} ms, ratio {statistics.median(ratios):.2f} (target ≤ 3)")


if __name__ == "__main__":
    main()
