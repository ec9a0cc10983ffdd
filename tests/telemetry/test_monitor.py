"""The monitor: what was scored lately, recipe by recipe; nothing of it is a text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.sample import ComponentScores, Invalid, Scored
from reward_gateway.telemetry.monitor import MOST_RECIPES, WAITING_BATCHES, WAITING_ROWS, Monitor


class Ensemble:
    ensemble = ("a", "b")
    audits: tuple[str, ...] = ()


def scored(rows: int, seed: int = 0, mean: float = 0.0, recipe: str = "r", version: str = "v1") -> Scored:
    draw = np.random.default_rng(seed).normal(mean, size=(3, rows))
    plain = draw[1]
    parts = {"a": ComponentScores(draw[0], np.tanh(draw[0])), "b": ComponentScores(plain, plain)}
    return Scored(recipe, version, draw[2], parts)


def test_a_recipe_is_described_by_its_reward_and_its_components() -> None:
    monitor, batch = Monitor(), scored(200)
    monitor.note_batch(None, batch, np.arange(200.0))
    told = monitor.report()["r"]
    assert (told["version"], told["samples"], told["reference_samples"]) == ("v1", 200, 0)
    assert told["reward"]["mean"] == pytest.approx(batch.reward.mean())
    assert set(told["components"]["a"]) == {"value", "raw"}
    assert set(told["components"]["b"]) == {"value"}, "no transform, so there is nothing else to tell"
    assert told["components"]["a"]["value"]["max"] <= 1.0
    assert told["ensemble_disagreement"] is None


class Audited:
    ensemble: tuple[str, ...] = ()
    audits = ("a",)


def test_an_audit_is_compared_with_the_reward_where_it_was_computed() -> None:
    monitor, batch = Monitor(), scored(400)
    batch.components["a"].value[:] = batch.reward**3
    batch.components["a"].skipped = ["sample" if i % 4 else None for i in range(400)]
    monitor.note_batch(Audited(), batch, None)
    told = monitor.report()["r"]
    agreement = told["audits"]["a"]
    assert (agreement["samples"], agreement["spearman"]) == (100, pytest.approx(1.0))
    assert 0.5 < agreement["pearson"] < 1.0
    assert told["components"]["a"]["value"]["count"] == 100, "skipped samples are not observed"
    monitor.note_batch(None, scored(10, recipe="other"), None)
    assert monitor.report()["other"]["audits"] == {}


def test_invalid_rows_are_shares_by_code_and_no_reward_even_where_a_default_was_filled_in() -> None:
    monitor, batch = Monitor(), scored(4)
    batch.invalid = {1: Invalid("guard", "caught"), 2: Invalid("missing_field", "no response")}
    batch.flags = {0: ("truncated",), 1: ("truncated", "master_key")}
    monitor.note_batch(None, batch, None)
    batch.reward[[1, 2]] = -1e6  # what on_invalid: default does after the observer was told
    told = monitor.report()["r"]
    assert told["invalid"] == {"guard": 0.25, "missing_field": 0.25}
    assert told["flagged"] == {"truncated": 0.5, "master_key": 0.25}
    assert told["reward"]["count"] == 2
    assert told["reward"]["min"] > -10


def test_drift_is_told_once_enough_came_after_the_reference() -> None:
    monitor = Monitor(size=500)
    monitor.note_batch(None, scored(500, seed=1), None)
    assert monitor.report()["r"]["reward"]["drift"] is None
    monitor.note_batch(None, scored(300, seed=2), None)
    same = monitor.report()["r"]
    assert same["reference_samples"] == 500
    assert same["reward"]["drift"]["psi"] < 0.1
    monitor.note_batch(None, scored(500, seed=3, mean=1.0), None)
    moved = monitor.report()["r"]
    assert moved["reward"]["drift"]["psi"] > 0.25
    assert moved["components"]["a"]["raw"]["drift"]["ks"] > 0.25


def test_a_reset_holds_the_rewards_of_now_for_normal() -> None:
    monitor = Monitor(size=300)
    monitor.note_batch(None, scored(300, seed=1), None)
    monitor.reset()
    assert monitor.report()["r"]["reference_samples"] == 0
    monitor.note_batch(None, scored(300, seed=2, mean=5.0), None)
    monitor.note_batch(None, scored(300, seed=3, mean=5.0), None)
    assert monitor.report()["r"]["reward"]["drift"]["psi"] < 0.1


def test_a_reset_reaches_the_other_workers(tmp_path: Path) -> None:
    one, other = Monitor(size=300, shared=tmp_path), Monitor(size=300, shared=tmp_path)
    for monitor in (one, other):
        monitor.note_batch(None, scored(300), None)
        assert monitor.report()["r"]["reference_samples"] == 300
    one.reset()
    assert other.report()["r"]["reference_samples"] == 0
    other.note_batch(None, scored(300), None)
    assert other.report()["r"]["reference_samples"] == 300, "once is enough"


def test_another_version_of_a_recipe_starts_anew() -> None:
    monitor = Monitor(size=100)
    monitor.note_batch(None, scored(150), None)
    monitor.note_batch(None, scored(20, version="v2"), None)
    told = monitor.report()["r"]
    assert (told["version"], told["samples"], told["reference_samples"]) == ("v2", 20, 0)


def test_rewards_that_grow_with_the_response_are_seen() -> None:
    monitor = Monitor()
    lengths = np.random.default_rng(1).integers(0, 1000, 300).astype(float)
    batch = scored(300)
    batch.reward = np.log1p(lengths)
    monitor.note_batch(None, batch, lengths)
    assert monitor.report()["r"]["length_correlation"] == pytest.approx(1.0)


def test_members_of_an_ensemble_are_compared_row_by_row() -> None:
    monitor, batch = Monitor(), scored(200)
    monitor.note_batch(Ensemble(), batch, None)
    values = np.stack([part.value for part in batch.components.values()])
    assert monitor.report()["r"]["ensemble_disagreement"] == pytest.approx(np.std(values, axis=0).mean())


def test_many_small_batches_and_one_large_one_come_to_the_same() -> None:
    whole, pieces = Monitor(), Monitor()
    batch = scored(64)
    batch.flags, batch.invalid = {5: ("truncated",)}, {9: Invalid("guard", "caught")}
    whole.note_batch(None, batch, None)
    for i in range(64):
        parts = {n: ComponentScores(p.raw[i : i + 1], p.value[i : i + 1]) for n, p in batch.components.items()}
        flags = {0: batch.flags[i]} if i in batch.flags else {}
        invalid = {0: batch.invalid[i]} if i in batch.invalid else {}
        pieces.note_batch(None, Scored("r", "v1", batch.reward[i : i + 1], parts, flags=flags, invalid=invalid), None)
    one, many = whole.report(), pieces.report()
    assert one["r"]["invalid"] == many["r"]["invalid"] == {"guard": 1 / 64}
    assert one["r"]["flagged"] == many["r"]["flagged"] == {"truncated": 1 / 64}
    assert one["r"]["components"]["a"] == many["r"]["components"]["a"]


def test_what_waits_to_be_read_is_bounded() -> None:
    counted: list[int] = []
    monitor = Monitor(
        reader=lambda recipe, version, ensemble, columns: counted.append(len(next(iter(columns.values()))))
    )
    for _ in range(WAITING_ROWS // 100 + 1):
        monitor.note_batch(None, scored(100), None)
    assert counted
    assert max(counted) < WAITING_ROWS + 100
    counted.clear()
    for _ in range(WAITING_BATCHES):
        monitor.note_batch(None, scored(1), None)
    assert counted, "small batches are not left to pile up either"


def test_recipes_that_are_watched_are_bounded() -> None:
    monitor = Monitor(size=2)
    for k in range(MOST_RECIPES + 5):
        monitor.note_batch(None, scored(1, recipe=f"r{k}"), None)
    told = monitor.report()
    assert len(told) == MOST_RECIPES
    assert f"r{MOST_RECIPES + 4}" in told


def test_batches_without_samples_leave_no_trace() -> None:
    monitor = Monitor()
    monitor.note_batch(None, scored(0), None)
    assert monitor.report() == {}


@pytest.mark.parametrize("odd", [[[0.5, 0.6]], [None], ["much"], [10**400], [1j], [float("inf")], 0.5, []])
def test_what_is_no_number_costs_the_other_batches_nothing(odd: Any) -> None:
    monitor, batch = Monitor(), scored(50)
    monitor.note_batch(None, batch, np.arange(50.0))
    strange = Scored("r", "v1", np.zeros(1), {name: ComponentScores(odd, odd) for name in batch.components})
    monitor.note_batch(None, strange, odd)
    strange = Scored("r", "v1", np.array([[0.5, 0.6]]), dict.fromkeys(batch.components, ComponentScores(odd, odd)))
    monitor.note_batch(None, strange, None)
    monitor.note_batch(None, scored(50, seed=1), None)
    told = monitor.report()["r"]
    assert told["samples"] == 102
    assert told["reward"]["count"] == 101
    assert told["components"]["b"]["value"]["count"] == 100
