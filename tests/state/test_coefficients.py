"""state/coefficients.py: one value that batches change by rules, whoever sends them."""

import asyncio
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest
from reward_gateway.state.coefficients import MOST, Update, apply_updates
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

pytestmark = pytest.mark.anyio

WRITER = Path(__file__).with_name("coefficients_writer.py")


async def change(store: StateStore, name: str, *updates: Update) -> float | None:
    """The value after a batch's updates."""
    await store.commit(StateWrites().update_coefficient(name, *updates))
    return await store.coefficients.read(name)


async def test_a_value_begins_where_its_first_batch_says_and_the_next_goes_on_from_there(store: StateStore) -> None:
    assert await store.coefficients.read("c") is None
    assert await change(store, "c", Update("add", 0.05, start=1.0)) == 1.05
    assert await change(store, "c", Update("scale", 2.0, start=9.0)) == 2.1
    assert await change(store, "c", Update("grow", 0.05, start=9.0)) == pytest.approx(2.1 * math.exp(2.1 * 0.05))
    assert await store.export_value("coefficients", "c") == {
        "kind": "coefficients",
        "name": "c",
        "version": 3,
        "owner": "run",
        "value": {"value": pytest.approx(2.1 * math.exp(2.1 * 0.05)), "updates": 3},
    }


async def test_a_value_stays_within_its_bounds(store: StateStore) -> None:
    assert await change(store, "c", Update("add", -5.0, start=1.0)) == 0.0
    assert await change(store, "c", Update("add", 1e300, start=1.0)) == MOST
    assert await change(store, "c", Update("add", 0.0, start=1.0, most=5.0)) == 5.0
    assert await change(store, "c", Update("grow", 1e300, start=1.0)) == MOST
    assert await change(store, "c", Update("grow", -1e300, start=1.0, least=0.25)) == 0.25


async def test_one_batch_may_change_a_value_twice(store: StateStore) -> None:
    assert await change(store, "c", Update("add", 1.0, start=1.0), Update("scale", 3.0, start=1.0)) == 6.0
    writes = StateWrites().update_coefficient("c", Update("add", 1.0, start=1.0))
    writes.merge(StateWrites().update_coefficient("c", Update("scale", 0.5, start=1.0)).update_coefficient("d"))
    await store.commit(writes)
    assert (await store.coefficients.read("c"), await store.coefficients.read("d")) == (3.5, None)


async def test_batches_at_the_same_time_each_count_once(store: StateStore) -> None:
    await asyncio.gather(*(change(store, "c", Update("add", 0.5, start=1.0)) for _ in range(64)))
    assert await store.coefficients.read("c") == 33.0


async def test_four_processes_at_once_equal_the_serial_result(redis_url: str) -> None:
    processes = [subprocess.Popen([sys.executable, str(WRITER), redis_url, "four-processes", "100"]) for _ in range(4)]
    assert [process.wait(240) for process in processes] == [0] * 4
    shared = StateStore.connect(redis_url, timeout_s=60.0)
    assert await shared.coefficients.read("four-processes") == 201.0
    await shared.close()


async def test_both_homes_give_the_same_bits(redis_url: str) -> None:
    shared, local = StateStore.connect(redis_url, timeout_s=60.0), StateStore.in_process()
    rules: Any = ("add", "grow", "scale")
    for i in range(60):
        update = Update(rules[i % 3], (0.7, -0.01, 1.003)[i % 3] * math.sin(i + 1.0) ** 2, 1.0, 1e-3, 50.0)
        assert await change(shared, "same-bits", update) == await change(local, "same-bits", update)
    await shared.close()


async def test_a_value_belongs_to_its_run_and_can_be_restored_and_reset(store: StateStore) -> None:
    a, b = Namespace("alice", "a"), Namespace("alice", "b")
    await store.commit(StateWrites(a).update_coefficient("c", Update("add", 1.0, start=1.0)))
    assert (await store.within(a).coefficients.read("c"), await store.within(b).coefficients.read("c")) == (2.0, None)
    await store.within(b).restore_value("coefficients", "c", {"value": 0.125, "updates": 7})
    assert await store.within(b).coefficients.read("c") == 0.125
    await store.within(a).reset("coefficients", "c")
    assert await store.within(a).coefficients.read("c") is None
    assert await store.within(b).reset_run() == [{"kind": "coefficients", "name": "c"}]


@pytest.mark.parametrize(
    "value",
    [
        {"value": 1.0},
        {"value": -1.0, "updates": 0},
        {"value": 2 * MOST, "updates": 0},
        {"value": 1.0, "updates": 0.5},
        {"value": float("nan"), "updates": 0},
        {"value": "1", "updates": 0},
        [1.0, 0],
    ],
)
async def test_what_is_no_coefficient_is_not_restored(store: StateStore, value: Any) -> None:
    with pytest.raises(InvalidRequest):
        await store.restore_value("coefficients", "c", value)
    assert await store.coefficients.read("c") is None


rule = st.sampled_from(["add", "grow", "scale"])


@given(st.lists(st.tuples(rule, st.floats(-1e306, 1e306)), min_size=1, max_size=8), st.floats(0, MOST))
@settings(max_examples=200, deadline=None)
def test_any_updates_leave_a_value_within_its_bounds(steps: list[tuple[Any, float]], start: float) -> None:
    updates = [Update(name, amount if name != "scale" else abs(amount), start) for name, amount in steps]
    value, count = apply_updates(None, updates)
    assert 0 <= value <= MOST
    assert count == len(updates)
